"""Requests to withdraw evidence, kept before their events are published: should Kafka lose these, they are made again.

The event of a request is applied where the newest decision on its piece says so; the request stays as it is.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from libs.common.damage import Damage, without_damaged
from libs.common.mongo import Database, Document, insert_new
from libs.contracts.events import EvidenceWithdrawn

_TOGETHER: Final = 500


class WithdrawalRequests:
    """The collection `withdrawal_requests`: a document for each piece, the first request that was made for it."""

    def __init__(self, database: Database) -> None:
        self._requests = database["withdrawal_requests"]

    async def keep(self, events: Iterable[EvidenceWithdrawn]) -> None:
        """Store the requests of these events; returns when they are durable. Of a piece the first stays."""
        await insert_new(self._requests, [_document(each) for each in events])

    async def everything(self, damage: Damage | None = None) -> AsyncIterator[Sequence[EvidenceWithdrawn]]:
        """Yield the event of every request, some at a time; `damage` as for `without_damaged`."""
        # An operator's query, over all tenants.
        cursor = self._requests.find().batch_size(_TOGETHER)
        while found := await cursor.to_list(_TOGETHER):
            yield without_damaged(damage, "issuer.withdrawal_requests", found, _event)


def _event(stored: Document) -> EvidenceWithdrawn:
    return EvidenceWithdrawn.model_validate_json(stored["event"])


def _document(event: EvidenceWithdrawn) -> Document:
    return {
        "_id": event.submission_id,
        "schema": 1,
        "issuer_id": event.issuer_id,
        "requested_at": event.withdrawn_at,
        "event": event.model_dump_json(),
    }
