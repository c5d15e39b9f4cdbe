"""Batches that have been kept for their life: removed with all their rows, once every row has its last decision.

What each row came to can still be asked of the issuer service, whose decisions stay. Where a sender's key stood for a
batch, the key stays used: rows sent under it again would have the ids of those that are gone, and so their decisions.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from libs.common.errors import NotFoundError
from libs.common.mongo import Collection, Document, Index
from libs.common.stored import MOMENT, UNREADABLE, all_readable
from libs.common.telemetry import get_logger
from services.evidence.batches.batch import Batch, BatchState
from services.evidence.batches.texts import rows_of_batch

INDEXES = (Index("batches", ("created_at", "_id"), partial={"created_at": {"$exists": True}}),)
# A batch with a row that still waits is looked at again after so long.
_LOOK_AGAIN = timedelta(days=1)


class BatchRemoval:
    """Takes old batches away. Queries are of all tenants: the loop serves each in its turn."""

    def __init__(
        self, batches: Collection, of_rows: Sequence[Collection], counted: Callable[[UUID, str], Awaitable[Batch]]
    ) -> None:
        """Take the collection of batches, those under the ids of their rows, and what counts the rows of a batch."""
        self._batches = batches
        self._of_rows = of_rows
        self._counted = counted

    async def oldest(self) -> datetime | None:
        """Return when the oldest batch that is still kept was sent; None where there is none."""
        # The partial index is used only where the query says so.
        kept = {"created_at": {"$exists": True, **MOMENT}}
        found = self._batches.find(kept, {"created_at": 1}).sort("created_at", 1).limit(1)
        oldest = await found.to_list(None)
        return oldest[0]["created_at"] if oldest else None

    async def ended(self, before: datetime) -> int:
        """Return how many batches that were sent before then are still kept."""
        return await self._batches.count_documents({"created_at": {"$lt": before}})

    async def remove(self, before: datetime, limit: int) -> int:
        """Remove what stands for batches that were sent before then, at most so many documents; return how many.

        A batch is marked first, and from then on it is nobody's: no call shows it with a part of its rows. After a kill
        the next call goes on with it.
        """
        due: dict[str, Any] = {
            "created_at": {"$lt": before},
            "state": {"$ne": BatchState.RECEIVING},
            "look_again_at": {"$not": {"$gt": before}},
        }
        removed = 0
        found = await self._batches.find(due).sort("created_at", 1).limit(limit).to_list(None)
        for batch in all_readable(removable, found, self._batches):
            if removed >= limit:
                break
            own = {"_id": batch["_id"], "issuer_id": batch["issuer_id"]}
            if not batch.get("ended") and not await self._is_settled(batch):
                await self._batches.update_one(own, {"$set": {"look_again_at": before + _LOOK_AGAIN}})
                continue
            await self._batches.update_one(own, {"$set": {"ended": True}})
            removed += await self._remove_rows(batch, limit - removed)
            if removed < limit:
                await self._finish(batch, own)
                removed += 1
        return removed

    async def _is_settled(self, batch: Document) -> bool:
        try:
            return (await self._counted(batch["_id"], batch["issuer_id"])).settled
        except UNREADABLE:
            get_logger().error("the rows of a batch cannot be counted, and it stays", batch=str(batch["_id"]))
            return False
        except NotFoundError:  # another replica has found it settled, and marked it
            return True

    async def _remove_rows(self, batch: Document, limit: int) -> int:
        _, of_batch = rows_of_batch(batch)
        removed = 0
        for collection in self._of_rows:
            found = await collection.find(of_batch, {"_id": 1}).sort("_id", 1).limit(limit - removed).to_list(None)
            if found:
                await collection.delete_many({**of_batch, "_id": {"$in": [each["_id"] for each in found]}})
            removed += len(found)
            if removed >= limit:
                break
        return removed

    async def _finish(self, batch: Document, own: Document) -> None:
        """Take the batch away, or leave of it that its key was used: only batches with a key have a fingerprint."""
        if batch["announced"]["fingerprint"]:
            await self._batches.replace_one(own, {**own, "schema": 1, "ended": True})
        else:
            await self._batches.delete_one(own)


def removable(batch: Document) -> Document:
    """Return the batch, of which all that removing it takes can be read."""
    rows_of_batch(batch)
    batch["announced"]["fingerprint"]
    return batch
