"""Lists of an issuer's batches, the newest first, without the counts of their rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pymongo import DESCENDING

from libs.common.damage import readable_page
from libs.common.mongo import Collection, Document, Index
from libs.common.stored import typed
from services.evidence.batches.batch import BatchState

INDEXES = (Index("batches", ("issuer_id", "created_at", "_id"), partial={"created_at": {"$exists": True}}),)


class BatchPlace(NamedTuple):
    """Where a page begins: behind this batch, in the order of newest first."""

    created_at: datetime
    batch_id: UUID


@dataclass(frozen=True, slots=True)
class SoughtBatches:
    """Which batches are asked for: those that meet all of it.

    Attributes:
        created_from: the first moment that counts.
        created_before: the first moment that counts no longer.
    """

    state: BatchState | None = None
    source: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


class ListedBatch(NamedTuple):
    """A batch as a list has it; `received` is how many rows had come by then."""

    batch_id: UUID
    state: BatchState
    source: str
    format: str
    received: int
    problem: str | None
    created_at: datetime
    accepted_at: datetime | None


class BatchLists:
    """Reads them."""

    def __init__(self, batches: Collection) -> None:
        self._batches = batches

    async def page(
        self, issuer_id: str, sought: SoughtBatches, after: BatchPlace | None, limit: int
    ) -> list[ListedBatch]:
        """Return those that are sought and still kept, the newest first, from the one after `after`."""
        created = {"$gte": sought.created_from, "$lt": sought.created_before}
        moments = {operator: moment for operator, moment in created.items() if moment is not None}
        query: Document = {"issuer_id": issuer_id, "ended": None, "created_at": {"$exists": True, **moments}}
        if sought.state is not None:
            query["state"] = sought.state
        if sought.source is not None:
            query["source"] = sought.source
        if after is not None:
            at, batch_id = after
            query["$or"] = [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": batch_id}}]
        order = [("created_at", DESCENDING), ("_id", DESCENDING)]
        return await readable_page(self._batches, query, listed_batch, order=order, limit=limit)


listed_batch = typed(ListedBatch, batch_id="_id")
