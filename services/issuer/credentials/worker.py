"""The handler of `credential.commands`: revoke credentials, for ever and idempotently."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.failpoints import failpoint
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import RevokeCredential
from services.issuer import metrics
from services.issuer.credentials.announcements import Announcer
from services.issuer.decisions.repository import MongoAwards
from services.issuer.status.lists import StatusLists


class Revoking:
    """Applies the commands to revoke."""

    def __init__(self, *, store: MongoAwards, lists: StatusLists, announcer: Announcer) -> None:
        self._store = store
        self._lists = lists
        self._announcer = announcer

    async def handle(self, batch: Sequence[Received[RevokeCredential]]) -> Sequence[Outgoing]:
        """Revoke, publish the lists, and return the announcements.

        1. Revoke those that are active; the first reason holds. Again after a crash: they are revoked, nothing changes.
        2. Count a change of each list, after the credentials that it speaks of; publish each list. Again: one
           publication more, of the same bits.
        3. Return the announcements, made from what is stored: the same each time.
        """
        wanted: dict[tuple[UUID, str], tuple[str, datetime]] = {}
        traces: dict[UUID, str] = {}
        for received in batch:
            if received.event is not None:
                command = received.event
                wanted.setdefault((command.credential_id, command.issuer_id), (command.reason, command.requested_at))
                traces.setdefault(command.credential_id, received.trace)
        revoked = await self._store.revoke(wanted)  # 1
        failpoint("issuer.revoking.1")
        await self._lists.changed(sorted({each["status_list"] for each in revoked}))  # 2
        failpoint("issuer.revoking.2")
        metrics.REVOCATIONS.labels("revoked").inc(len(revoked))
        metrics.REVOCATIONS.labels("no_such_credential").inc(len(wanted) - len(revoked))
        return [out for each in revoked for out in self._announcer.of_revocation(each, traces[each["_id"]])]  # 3
