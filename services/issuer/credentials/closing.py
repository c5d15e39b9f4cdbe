"""Asking for a credential to be revoked or taken down: the request is kept, its command published, its end waited for.

1. Keep the request: who asks, and why in their own words; record it in the audit log, by the code alone. Killed: a
   request without effect.
2. Publish the command and wait for its confirmation. Killed: the caller has no answer and asks again.
3. Wait until the command is applied, here or by another replica. Where that takes long, the caller is told so.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.access.api_keys import ALL_ISSUERS, Caller
from libs.audit.entry import Action, Cause, Entry
from libs.audit.log import AuditLog
from libs.common.arrivals import Arrivals
from libs.common.damage import Damage
from libs.common.errors import UnreadableError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.reasons import RevocationReason, TakeDownReason
from services.issuer.credentials.commands import Commands
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.requests import ClosingRequest, ClosingRequests, RequestKind

_WAIT_SECONDS = 5.0
_ACTIONS = {RequestKind.REVOKE: Action.CREDENTIAL_REVOKED, RequestKind.TAKE_DOWN: Action.CREDENTIAL_TAKEN_DOWN}


@dataclass(frozen=True, slots=True)
class KnownCredential:
    """A credential with the requests that closed it, by their ids."""

    credential: Credential
    requests: dict[UUID, ClosingRequest]


class Closings:
    """Reads credentials, and asks for them to be closed."""

    def __init__(
        self,
        *,
        credentials: MongoCredentials,
        requests: ClosingRequests,
        commands: Commands,
        audit: AuditLog,
        arrivals: Arrivals,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._credentials = credentials
        self._requests = requests
        self._commands = commands
        self._audit = audit
        self._arrivals = arrivals
        self._publish = publish
        self._clock = clock
        self._new_id = new_id

    async def read(self, credential_id: UUID, caller: Caller) -> KnownCredential:
        """Return a credential that the caller may see: its own issuer's, and the administrator any.

        Raises:
            NotFoundError: there is none.
            UnreadableError: it was damaged, here and below.
        """
        found = await self._found(credential_id, caller)
        closed = [each for each in (found.revocation, found.take_down) if each is not None]
        ids = [each.request_id for each in closed if each.request_id is not None]
        return KnownCredential(found, await self._requests.of_issuer(found.issuer_id, ids) if ids else {})

    async def revoke(
        self,
        credential_id: UUID,
        caller: Caller,
        reason: RevocationReason,
        note: str | None,
        *,
        cause: Cause,
        trace: str,
    ) -> bool:
        """Revoke a credential; to revoke it again changes nothing. Return whether it is done already.

        Raises:
            NotFoundError: there is none that the caller may see.
        """
        found = await self._found(credential_id, caller)
        if found.revocation is not None:
            return True
        request = self._request(found, cause, RequestKind.REVOKE, reason, note)
        await self._keep(request, cause)  # 1
        await self._publish([Outgoing(self._commands.of(request), trace)])  # 2

        async def applied() -> bool:
            return (await self._found(credential_id, caller)).revocation is not None

        return await self._arrivals.wait_until(applied, _WAIT_SECONDS)  # 3

    async def take_down(
        self, credential_id: UUID, caller: Caller, reason: TakeDownReason, note: str | None, *, cause: Cause, trace: str
    ) -> bool:
        """Take a credential down; to do so again changes nothing. Return whether it is done already.

        Raises:
            NotFoundError: there is none that the caller may see.
        """
        found = await self._found(credential_id, caller)
        if found.take_down is not None:
            return True
        request = self._request(found, cause, RequestKind.TAKE_DOWN, reason, note)
        await self._keep(request, cause)  # 1
        await self._publish([Outgoing(self._commands.of(request), trace)])  # 2

        async def applied() -> bool:
            return (await self._found(credential_id, caller)).take_down is not None

        return await self._arrivals.wait_until(applied, _WAIT_SECONDS)  # 3

    async def _keep(self, request: ClosingRequest, cause: Cause) -> None:
        action = _ACTIONS[request.kind]
        subject = f"credential {request.credential_id}"
        details = {"request": str(request.request_id)}
        await self._requests.keep(request)
        await self._audit.record(Entry(action, cause, (request.issuer_id,), subject, request.reason, details))

    async def _found(self, credential_id: UUID, caller: Caller) -> Credential:
        if caller.issuer_id == ALL_ISSUERS:
            damage = Damage(logged=True)
            found = (await self._credentials.by_ids([credential_id], damage)).get(credential_id)
            if damage.ids:
                raise UnreadableError(f"credential {credential_id}", None)
        else:
            found = await self._credentials.find(credential_id, caller.issuer_id)
        if found is None:
            raise await self._credentials.not_found(credential_id, caller.issuer_id)
        return found

    def _request(
        self,
        credential: Credential,
        cause: Cause,
        kind: RequestKind,
        reason: RevocationReason | TakeDownReason,
        note: str | None,
    ) -> ClosingRequest:
        return ClosingRequest(
            request_id=self._new_id(),
            issuer_id=credential.issuer_id,
            credential_id=credential.credential_id,
            kind=kind,
            principal=cause.principal,
            key=cause.key,
            reason=reason.value,
            note=note,
            requested_at=self._clock(),
        )
