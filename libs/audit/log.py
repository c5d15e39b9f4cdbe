"""The audit log of a service: the collection `audit`, which entries are only ever added to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError

from libs.audit.entry import FIRST_PREVIOUS, Action, Cause, Entry, Recorded, chained
from libs.common.clock import now
from libs.common.mongo import Database, Document, Index, is_duplicate
from libs.common.telemetry import get_logger

INDEXES: Sequence[Index] = (Index("audit", ["tenants", "_id"]),)

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a check of the whole chain found.

    Attributes:
        entries: how many were read.
        head: the hash of the last one; to be compared with one that was written down elsewhere.
        broken_at: the first sequence at which an entry is missing, changed or out of place; None where none is.
    """

    entries: int
    head: str
    broken_at: int | None = None


class AuditLog:
    """Adds entries to the chain; `_id` is the sequence, so of two writers at once one is first and the other next.

    Each entry is also a line of the service's log with its sequence and hash: whoever could rewrite the collection
    from some entry on cannot rewrite what was shipped from there.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = now) -> None:
        self._collection = database["audit"]
        self._clock = clock
        self._turn = asyncio.Lock()
        self._last: tuple[int, str] | None = None

    async def record(self, *entries: Entry) -> None:
        """Add these entries. To be awaited before what they speak of is done.

        Raises:
            PyMongoError: they may not be there, so what they speak of must not be done.
        """
        async with self._turn:
            left = entries
            while left:
                left = left[await self._append(left) :]

    async def _append(self, entries: Sequence[Entry]) -> int:
        """Add entries after the last one known, and return how many of them got their place."""
        sequence, previous = self._last or await self._newest()
        self._last = None
        at, recorded = self._clock(), list[Recorded]()
        for entry in entries:
            sequence += 1
            recorded.append(chained(entry, sequence, at, previous))
            previous = recorded[-1].hash
        try:
            await self._collection.insert_many([_document(each) for each in recorded], ordered=True)
            count = len(recorded)
            self._last = sequence, previous
        except BulkWriteError as error:
            # Another writer has taken a place: go on behind it.
            if not is_duplicate(error):
                raise
            count = error.details["nInserted"]
        for each in recorded[:count]:
            get_logger().info(
                "audit",
                action=each.entry.action.value,
                sequence=each.sequence,
                hash=each.hash,
                trace=each.entry.cause.trace,
            )
        return count

    async def _newest(self) -> tuple[int, str]:
        newest = await self._collection.find_one(sort=[("_id", DESCENDING)])
        return (0, FIRST_PREVIOUS) if newest is None else (newest["_id"], newest["hash"])

    async def of_tenant(self, issuer_id: str, *, before: int | None, limit: int) -> list[Recorded]:
        """Return the newest entries that concern this issuer, the newest first, from below the sequence `before`."""
        query: Document = {"tenants": issuer_id}
        if before is not None:
            query["_id"] = {"$lt": before}
        found = self._collection.find(query, sort=[("_id", DESCENDING)], limit=limit)
        return [_recorded(each) for each in await found.to_list(None)]

    async def everything(self) -> AsyncIterator[Recorded]:
        """Yield every entry from the first on."""
        async for each in self._collection.find(sort=[("_id", ASCENDING)]).batch_size(_AT_ONCE):
            yield _recorded(each)

    async def check(self) -> ChainReport:
        """Read the whole chain and compare each hash; what was cut off at its end shows by `head` alone."""
        count, previous = 0, FIRST_PREVIOUS
        async for each in self.everything():
            expected = chained(each.entry, count + 1, each.at, previous)
            if each != expected:
                return ChainReport(count, previous, broken_at=count + 1)
            count, previous = count + 1, each.hash
        return ChainReport(count, previous)


def _document(recorded: Recorded) -> Document:
    entry = recorded.entry
    return {
        "_id": recorded.sequence,
        "schema": 1,
        "at": recorded.at,
        "action": entry.action.value,
        "principal": entry.cause.principal,
        "trace": entry.cause.trace,
        "key": entry.cause.key,
        "client": entry.cause.client,
        "tenants": list(entry.tenants),
        "subject": entry.subject,
        "reason": entry.reason,
        # As text: names within it are anything at all.
        "details": orjson.dumps(entry.details, option=orjson.OPT_SORT_KEYS).decode(),
        "previous": recorded.previous,
        "hash": recorded.hash,
    }


def _recorded(stored: Document) -> Recorded:
    cause = Cause(stored["principal"], stored["trace"], stored["key"], stored["client"])
    entry = Entry(
        action=Action(stored["action"]),
        cause=cause,
        tenants=tuple(stored["tenants"]),
        subject=stored["subject"],
        reason=stored["reason"],
        details=orjson.loads(stored["details"]),
    )
    return Recorded(entry, stored["_id"], stored["at"], stored["previous"], stored["hash"])
