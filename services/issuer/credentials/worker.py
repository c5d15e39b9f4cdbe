"""The handler of `credential.commands`: revoke credentials and take them down, permanently and idempotently."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from libs.common.failpoints import failpoint
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import RevokeCredential, TakeDownCredential
from services.issuer.credentials import metrics
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Revocation, TakeDown
from services.issuer.credentials.repository import MongoCredentials, Target
from services.issuer.decision_ids import DecisionId
from services.issuer.status.publication import StatusListPublication


class Closing:
    """Applies the commands to revoke and to take down."""

    def __init__(
        self,
        *,
        credentials: MongoCredentials,
        remove_evidence_texts: Callable[[Sequence[DecisionId]], Awaitable[None]],
        lists: StatusListPublication,
        announcer: Announcer,
    ) -> None:
        self._credentials = credentials
        self._remove_evidence_texts = remove_evidence_texts
        self._lists = lists
        self._announcer = announcer

    async def handle(self, batch: Sequence[Received[RevokeCredential | TakeDownCredential]]) -> Sequence[Outgoing]:
        """Revoke and take down, count the changes of the lists, and return the announcements.

        1. Revoke those that are active, take down what is to be taken down: its signed text goes, then what was
           written of the evidence for it. The first reason holds. Again after a crash: it is done, nothing changes.
        2. Count a change of each list, after the credentials that it speaks of; a loop publishes it within seconds.
           Again: one publication more, of the same bits.
        3. Return the announcements, made from what is stored: the same each time.
        """
        revocations: dict[Target, Revocation] = {}
        take_downs: dict[Target, TakeDown] = {}
        traces: dict[UUID, str] = {}
        for received in batch:
            if (command := received.event) is None:
                continue
            target = command.credential_id, command.issuer_id
            traces.setdefault(command.credential_id, received.trace)
            if isinstance(command, RevokeCredential):
                revocation = Revocation(command.requested_at, command.reason, command.request_id)
                revocations.setdefault(target, revocation)
            else:
                take_downs.setdefault(target, TakeDown(command.requested_at, command.reason, command.request_id))
        closed = await self._credentials.close(revocations, take_downs)  # 1
        withheld = [each.decision_id for each in closed if each.take_down is not None]
        if withheld:
            await self._remove_evidence_texts(withheld)
        failpoint("issuer.revoking.1")
        await self._lists.changed(sorted({each.status.list_id for each in closed}))  # 2
        failpoint("issuer.revoking.2")
        metrics.REVOCATIONS.labels("revoked").inc(len(closed))
        metrics.REVOCATIONS.labels("no_such_credential").inc(len(traces) - len(closed))
        metrics.TAKE_DOWNS.inc(sum(1 for each in closed if (each.credential_id, each.issuer_id) in take_downs))
        return [  # 3
            announcement
            for each in closed
            for announcement in self._announcer.of_closing(each, traces[each.credential_id])
        ]
