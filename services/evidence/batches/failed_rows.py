"""Rows of a batch that were refused, when they were read or decided, with what was sent: in the order of the file."""

from bisect import bisect_right
from collections.abc import Sequence
from uuid import UUID

from libs.common.mongo import Collection
from libs.contracts.events import Outcome
from libs.contracts.ids import LAST_ROW, submission_id
from services.evidence.batches.batch import FailedRow
from services.evidence.batches.documents import row_of
from services.evidence.batches.originals import Original, OriginalSealing


class FailedRows:
    """Reads `rows`, where those that were refused when they were read are, and `row_blocks`, which hold the others."""

    def __init__(self, rows: Collection, blocks: Collection, sealing: OriginalSealing | None) -> None:
        """Take both collections, and what opens rows as they were sent."""
        self._rows = rows
        self._blocks = blocks
        self._sealing = sealing

    async def page(self, batch_id: UUID, issuer_id: str, *, after: int, limit: int) -> list[FailedRow]:
        """Return refused rows of a batch behind the number `after`; a row whose text is not kept any more has none."""
        numbers = {"$gt": submission_id(batch_id, after), "$lte": submission_id(batch_id, LAST_ROW)}
        refused = {"issuer_id": issuer_id, "batch_id": batch_id, "state": Outcome.REFUSED.value, "_id": numbers}
        found = await self._rows.find(refused).sort("_id", 1).limit(limit).to_list(None)
        sent: dict[int, Original] = {}
        for each in found:
            sent |= self._opened(batch_id, issuer_id, each.get("originals"))
        decided = [each["row"] for each in found if each["sequence"]]
        if decided and self._sealing is not None:
            sent |= await self._of_blocks(batch_id, issuer_id, decided)
        return [FailedRow(row_of(each), sent.get(each["row"], {})) for each in found]

    async def _of_blocks(self, batch_id: UUID, issuer_id: str, numbers: Sequence[int]) -> dict[int, Original]:
        """Return what was sent of these rows that were taken in, in their order."""
        of_batch = {"issuer_id": issuer_id, "batch_id": batch_id}
        # Each block has the id of its first row, so these ids alone tell which block a row is in.
        until = {"$gte": submission_id(batch_id, 0), "$lte": submission_id(batch_id, numbers[-1])}
        found = await self._blocks.find({**of_batch, "_id": until}, {"_id": 1}).sort("_id", 1).to_list(None)
        blocks = [each["_id"] for each in found]
        places = {bisect_right(blocks, submission_id(batch_id, number)) - 1 for number in numbers}
        wanted = [blocks[place] for place in places if place >= 0]
        sent: dict[int, Original] = {}
        query = {**of_batch, "_id": {"$in": wanted}}
        async for each in self._blocks.find(query, {"originals": 1}):
            held = self._opened(batch_id, issuer_id, each.get("originals"))
            sent |= {number: held[number] for number in numbers if number in held}
        return sent

    def _opened(self, batch_id: UUID, issuer_id: str, sealed: bytes | None) -> dict[int, Original]:
        if sealed is None or self._sealing is None:
            return {}
        return self._sealing.open(batch_id, issuer_id, sealed)
