"""What schools wrote and the service keeps for a stated life: comments and assessors, rows as they were sent."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.mongo import Collection, Document, Index
from libs.common.stored import MOMENT, all_readable
from libs.contracts.ids import LAST_ROW, submission_id

INDEXES = (
    Index("batches", ("created_at",), partial={"has_texts": True}),
    Index("batches", ("created_at", "has_originals"), partial={"has_originals": True}),
)


class BatchTexts:
    """One kind of text beside the rows of batches, which stay when its life has ended."""

    def __init__(self, batches: Collection, flag: str, paths: Sequence[str], *held: Collection) -> None:
        """Take the batches, the field that says which of them have such texts, and which fields hold them where."""
        self._batches = batches
        self._flag = flag
        self._unset = {"$unset": dict.fromkeys(paths, "")}
        self._held = held

    async def oldest(self) -> datetime | None:
        """Return when the oldest batch was sent that still has its texts; None where none has."""
        # All tenants, here and below: the loop serves each in its turn.
        found = (
            self._batches.find({self._flag: True, "created_at": MOMENT}, {"created_at": 1})
            .sort("created_at", 1)
            .limit(1)
        )
        oldest = await found.to_list(None)
        return oldest[0]["created_at"] if oldest else None

    async def ended(self, before: datetime) -> int:
        """Return how many batches that were sent before then still have their texts."""
        return await self._batches.count_documents({self._flag: True, "created_at": {"$lt": before}})

    async def remove(self, before: datetime, limit: int) -> int:
        """Remove the texts of batches that were sent before then, at most so many; return how many batches."""
        ended = {self._flag: True, "created_at": {"$lt": before}}
        found = await self._batches.find(ended, {"issuer_id": 1}).sort("created_at", 1).limit(limit).to_list(None)
        for batch_id, of_batch in all_readable(rows_of_batch, found, self._batches):
            # The texts before the note: after a kill in between they are removed again.
            for collection in self._held:
                await collection.update_many(of_batch, self._unset)
            await self._batches.update_one({"_id": batch_id}, {"$unset": {self._flag: ""}})
        return len(found)


def rows_of_batch(batch: Document) -> tuple[UUID, Document]:
    """Return the id of a batch, and the query of what stands under the ids of its rows.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: the batch was damaged.
    """
    batch_id, issuer_id = batch["_id"], batch["issuer_id"]
    if not isinstance(issuer_id, str):
        raise TypeError("a batch without its issuer")
    numbers = {"$gte": submission_id(batch_id, 0), "$lte": submission_id(batch_id, LAST_ROW)}
    return batch_id, {"_id": numbers, "batch_id": batch_id, "issuer_id": issuer_id}


def comments_of(batches: Collection, blocks: Collection) -> BatchTexts:
    """Return comments and names of assessors, which stand in the rows that were taken in."""
    return BatchTexts(batches, "has_texts", ("rows.$[].comment", "rows.$[].assessor"), blocks)


def originals_of(batches: Collection, blocks: Collection, rows: Collection) -> BatchTexts:
    """Return rows as they were sent: of those taken in beside their blocks, of those refused beside themselves."""
    return BatchTexts(batches, "has_originals", ("originals",), blocks, rows)
