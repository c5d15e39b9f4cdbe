"""The handler of `credential.commands`: revoke credentials, permanently and idempotently."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.failpoints import failpoint
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import RevokeCredential
from services.issuer.credentials import metrics
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Revocation
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.status.lists import StatusLists


class Revoking:
    """Applies the commands to revoke."""

    def __init__(self, *, credentials: MongoCredentials, lists: StatusLists, announcer: Announcer) -> None:
        self._credentials = credentials
        self._lists = lists
        self._announcer = announcer

    async def handle(self, batch: Sequence[Received[RevokeCredential]]) -> Sequence[Outgoing]:
        """Revoke, publish the lists, and return the announcements.

        1. Revoke those that are active; the first reason holds. Again after a crash: they are revoked, nothing changes.
        2. Count a change of each list, after the credentials that it speaks of; publish each list. Again: one
           publication more, of the same bits.
        3. Return the announcements, made from what is stored: the same each time.
        """
        revocations: dict[tuple[UUID, str], Revocation] = {}
        traces: dict[UUID, str] = {}
        for received in batch:
            if received.event is not None:
                command = received.event
                asked = Revocation(command.requested_at, command.reason)
                revocations.setdefault((command.credential_id, command.issuer_id), asked)
                traces.setdefault(command.credential_id, received.trace)
        revoked = await self._credentials.revoke(revocations)  # 1
        failpoint("issuer.revoking.1")
        await self._lists.changed(sorted({each.status.list_id for each in revoked}))  # 2
        failpoint("issuer.revoking.2")
        metrics.REVOCATIONS.labels("revoked").inc(len(revoked))
        metrics.REVOCATIONS.labels("no_such_credential").inc(len(revocations) - len(revoked))
        return [  # 3
            announcement
            for each in revoked
            if each.revocation is not None
            for announcement in self._announcer.of_revocation(each, each.revocation, traces[each.credential_id])
        ]
