"""Commands to revoke credentials and to take them down, made of requests, with a proof that this service made them.

Who asked, and why in their own words, stands in a command sealed (AES-SIV, RFC 5297: what is sealed again is the same
again), for a database that was set back to before the request.
"""

import base64
from collections.abc import Awaitable, Callable, Sequence

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import RevokeCredential, TakeDownCredential
from libs.contracts.proofs import ForgedEventError, Proofs
from libs.contracts.reasons import RevocationReason, TakeDownReason
from services.issuer.credentials.requests import ClosingRequest, RequestKind
from services.issuer.credentials.waiting_commands import Command

Handler = Callable[[Sequence[Received[Command]]], Awaitable[Sequence[Outgoing]]]
Keep = Callable[[Sequence[ClosingRequest]], Awaitable[None]]


class Commands:
    """Makes commands, and tells those that it made."""

    def __init__(self, key: Callable[[str], bytes]) -> None:
        """Take what gives the authority's key of 32 bytes by its label (`libs.common.authority_secret`)."""
        self._proofs = Proofs(key("credential command, authentication"))
        self._cipher = AESSIV(key("closing request, authentication") + key("closing request, encryption"))

    def of(self, request: ClosingRequest) -> Command:
        """Return the command of a request."""
        named = {
            "credential_id": request.credential_id,
            "issuer_id": request.issuer_id,
            "request_id": request.request_id,
            "record": self._sealed(request),
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

    def request_of(self, command: Command) -> ClosingRequest | None:
        """Return the request that a command of ours was made of; None of one that was made before it had a record."""
        if command.record is None or command.request_id is None:
            return None
        said = orjson.loads(self._cipher.decrypt(base64.b64decode(command.record), [command.request_id.bytes]))
        return ClosingRequest(
            request_id=command.request_id,
            issuer_id=command.issuer_id,
            credential_id=command.credential_id,
            kind=RequestKind.REVOKE if isinstance(command, RevokeCredential) else RequestKind.TAKE_DOWN,
            reason=command.reason.value,
            requested_at=command.requested_at,
            **said,
        )

    def ours_alone(self, handle: Handler, keep: Keep) -> Handler:
        """Return a handler that hands on commands with their proof, and fails at others: they become dead letters.

        Args:
            handle: applies commands.
            keep: stores the requests that they were made of, where the database has not got them; called before.
        """

        async def handled(batch: Sequence[Received[Command]]) -> Sequence[Outgoing]:
            requests = []
            for each in batch:
                if each.event is None:
                    continue
                if not self.is_ours(each.event):
                    raise ForgedEventError(f"nobody here asked for {each.event.type} of {each.event.credential_id}")
                requests.append(self.request_of(each.event))
            await keep([each for each in requests if each is not None])
            return await handle(batch)

        return handled

    def _sealed(self, request: ClosingRequest) -> str:
        said = orjson.dumps({"principal": request.principal, "key": request.key, "note": request.note})
        return base64.b64encode(self._cipher.encrypt(said, [request.request_id.bytes])).decode()
