"""What schools wrote beside their evidence (comments, who assessed): kept for a stated life, then removed."""

from datetime import datetime

from libs.common.mongo import Collection, Index
from libs.contracts.ids import LAST_ROW, submission_id

INDEXES = (Index("batches", ("created_at",), partial={"has_texts": True}),)


class BatchTexts:
    """Comments and assessors in the rows of batches; the rows themselves stay."""

    def __init__(self, batches: Collection, blocks: Collection) -> None:
        self._batches = batches
        self._blocks = blocks

    async def oldest(self) -> datetime | None:
        """Return when the oldest batch was sent that still has its texts; None where none has."""
        # All tenants, here and below: the loop serves each in its turn.
        found = self._batches.find({"has_texts": True}, {"created_at": 1}).sort("created_at", 1).limit(1)
        oldest = await found.to_list(None)
        return oldest[0]["created_at"] if oldest else None

    async def ended(self, before: datetime) -> int:
        """Return how many batches that were sent before then still have their texts."""
        return await self._batches.count_documents({"has_texts": True, "created_at": {"$lt": before}})

    async def remove(self, before: datetime, limit: int) -> int:
        """Remove the texts of batches that were sent before then, at most so many; return how many batches."""
        ended = {"has_texts": True, "created_at": {"$lt": before}}
        found = await self._batches.find(ended, {"issuer_id": 1}).sort("created_at", 1).limit(limit).to_list(None)
        for each in found:
            rows = {"$gte": submission_id(each["_id"], 0), "$lte": submission_id(each["_id"], LAST_ROW)}
            of_batch = {"_id": rows, "batch_id": each["_id"], "issuer_id": each["issuer_id"]}
            # The texts before the note: after a kill in between they are removed again.
            await self._blocks.update_many(of_batch, {"$unset": {"rows.$[].comment": "", "rows.$[].assessor": ""}})
            await self._batches.update_one({"_id": each["_id"]}, {"$unset": {"has_texts": ""}})
        return len(found)
