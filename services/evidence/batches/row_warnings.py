"""The collection `row_warnings`: what warns of rows that were taken in. Codes alone, and of most batches nothing.

A row's warnings stand apart from it, since its decision writes it anew and knows nothing of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from libs.common import mongo
from libs.contracts import ids
from services.evidence.batches.batch import PENDING, NewRow, Row, RowWarning


class RowWarnings:
    """Under the ids of submissions, which lie side by side in the order of a batch's rows."""

    def __init__(self, database: mongo.Database) -> None:
        self.collection = self._warnings = database["row_warnings"]

    async def store(self, batch_id: UUID, issuer_id: str, rows: Iterable[NewRow]) -> None:
        """Store the warnings of these rows; what is there stays."""
        documents = [
            {
                "_id": row.submission_id,
                "schema": 1,
                "issuer_id": issuer_id,
                "batch_id": batch_id,
                "row": row.row,
                "source_id": row.source_id,
                "warnings": [each._asdict() for each in row.warnings],
            }
            for row in rows
            if row.warnings
        ]
        if documents:
            await mongo.insert_new(self._warnings, documents)

    async def count(self, batch_id: UUID, issuer_id: str) -> dict[str, int]:
        """Return how many rows of a batch each code warns of."""
        pipeline: list[dict[str, Any]] = [
            {"$match": rows_between(batch_id, issuer_id, 0, ids.LAST_ROW)},
            {"$project": {"reasons": {"$setUnion": ["$warnings.reason"]}}},
            {"$unwind": "$reasons"},
            {"$group": {"_id": "$reasons", "count": {"$sum": 1}}},
            {"$sort": {"_id": 1}},
        ]
        return {each["_id"]: each["count"] async for each in mongo.aggregate(self._warnings, pipeline)}

    async def page(self, batch_id: UUID, issuer_id: str, *, after: int, limit: int) -> list[Row]:
        """Return rows that have warnings, in their order, as they were taken in: pending."""
        found = self._warnings.find(rows_between(batch_id, issuer_id, after, ids.LAST_ROW)).sort("_id", 1).limit(limit)
        return [
            Row(each["row"], each["source_id"], PENDING, warnings=_read(each)) for each in await found.to_list(None)
        ]

    async def added(self, batch_id: UUID, issuer_id: str, rows: Sequence[Row]) -> list[Row]:
        """Return these rows of a batch with their warnings."""
        if not rows:
            return []
        numbers = [row.row for row in rows]
        between = rows_between(batch_id, issuer_id, min(numbers) - 1, max(numbers))
        found = self._warnings.find({**between, "row": {"$in": numbers}})
        known = {each["row"]: _read(each) for each in await found.to_list(None)}
        return [replace(row, warnings=known[row.row]) if row.row in known else row for row in rows]


def rows_between(batch_id: UUID, issuer_id: str, after: int, end: int) -> dict[str, Any]:
    """Return the query for what stands under the ids of a batch's rows behind `after`, up to `end`."""
    numbers = {"$gt": ids.submission_id(batch_id, after), "$lte": ids.submission_id(batch_id, end)}
    return {"_id": numbers, "issuer_id": issuer_id, "batch_id": batch_id}


def _read(document: mongo.Document) -> tuple[RowWarning, ...]:
    return tuple(RowWarning(**each) for each in document["warnings"])
