"""Commands to revoke credentials and to take them down, made of requests, with a proof that this service made them."""

from collections.abc import Awaitable, Callable, Sequence

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import RevokeCredential, TakeDownCredential
from libs.contracts.reasons import RevocationReason, TakeDownReason
from services.issuer.credentials.requests import ClosingRequest, RequestKind
from services.issuer.credentials.waiting_commands import Command
from services.issuer.proofs import ForgedEventError, Proofs

Handler = Callable[[Sequence[Received[Command]]], Awaitable[Sequence[Outgoing]]]


class Commands:
    """Makes commands, and tells those that it made."""

    def __init__(self, key: Callable[[str], bytes]) -> None:
        """Take what gives the authority's key of 32 bytes by its label (`libs.common.authority_secret`)."""
        self._proofs = Proofs(key("credential command, authentication"))

    def of(self, request: ClosingRequest) -> Command:
        """Return the command of a request."""
        named = {
            "credential_id": request.credential_id,
            "issuer_id": request.issuer_id,
            "request_id": request.request_id,
            "requested_at": request.requested_at,
        }
        made: Command
        if request.kind is RequestKind.REVOKE:
            made = RevokeCredential(**named, reason=RevocationReason(request.reason))
        else:
            made = TakeDownCredential(**named, reason=TakeDownReason(request.reason))
        return self._proofs.proven(made)

    def is_ours(self, command: Command) -> bool:
        """Return whether a command has the proof of exactly what it says."""
        return self._proofs.hold_for(command, command.proof)

    def ours_alone(self, handle: Handler) -> Handler:
        """Return a handler that hands on commands with their proof, and fails at others: they become dead letters."""

        async def handled(batch: Sequence[Received[Command]]) -> Sequence[Outgoing]:
            for each in batch:
                if each.event is not None and not self.is_ours(each.event):
                    raise ForgedEventError(f"nobody here asked for {each.event.type} of {each.event.credential_id}")
            return await handle(batch)

        return handled
