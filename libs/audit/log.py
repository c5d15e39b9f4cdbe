"""The audit log of a service: the collection `audit`, which entries are only ever added to."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError, PyMongoError

from libs.audit import metrics
from libs.audit.chain import ChainReport, check_chain
from libs.audit.entry import FIRST_PREVIOUS, Action, Entry, Recorded, chained
from libs.audit.stored_form import UnreadableEntryError, document_of, identity_of, recorded_of
from libs.common.clock import now
from libs.common.errors import NotFoundError
from libs.common.mongo import Collection, Database, Document, Index, is_duplicate
from libs.common.telemetry import get_logger

INDEXES: Sequence[Index] = (
    Index("audit", ["tenants", "_id"]),
    Index("audit", ["tenants", "action"]),
    Index("audit", ["hash"]),
)

_AT_ONCE = 500


@dataclass
class Seen:
    """The entries from `low` on, below `high`, by their identities; of none yet both are 0."""

    low: int = 0
    high: int = 0
    identities: set[str] = field(default_factory=set)


class AuditLog:
    """Adds entries to the chain; `_id` is the sequence, so of two writers at once one is first and the other next.

    Each entry is also a line of the service's log with its sequence and hash: whoever could rewrite the collection
    from some entry on cannot rewrite what was shipped from there.
    """

    def __init__(
        self, database: Database, *, restoring: Collection | None = None, clock: Callable[[], datetime] = now
    ) -> None:
        """Write in the log of this database; while that is restored, in the collection that will become it."""
        self._collection = database["audit"] if restoring is None else restoring
        self._clock = clock
        self._turn = asyncio.Lock()
        self._last: tuple[int, str] | None = None
        self._copy: Callable[[Sequence[Recorded]], Awaitable[None]] | None = None

    def copied_by(self, copy: Callable[[Sequence[Recorded]], Awaitable[None]]) -> None:
        """Have `copy` keep elsewhere, too, what is recorded, before what it speaks of is done; it raises nothing."""
        self._copy = copy

    async def record(self, *entries: Entry) -> None:
        """Add these entries. To be awaited before what they speak of is done.

        Raises:
            PyMongoError: they may not be there, so what they speak of must not be done.
        """
        recorded: list[Recorded] = []
        async with self._turn:
            try:
                while len(recorded) < len(entries):
                    recorded += await self._append(entries[len(recorded) :])
            except PyMongoError:
                metrics.FAILURES.inc()
                raise
        if recorded and self._copy is not None:
            await self._copy(recorded)

    async def take_up(self, copies: Sequence[Recorded], seen: Seen) -> int:
        """Add those of these entries that the log lacks, behind its end; return how many.

        Each says in its details which it was (`recorded_as`: its hash then; `recorded_at`): a log that was set back may
        have gone on meanwhile, so that its place is taken. One that is here is not added again.

        Args:
            copies: at least one.
            seen: what is known of the log from the calls before; a new one where there was none.
        """
        async with self._turn:
            while True:
                await self._see(min(each.sequence for each in copies), seen)
                lacking = {each.identity: each for each in copies if each.identity not in seen.identities}
                self._last = None
                # Another replica may add them too: then its are seen.
                added = await self._append([each.found_again for each in lacking.values()]) if lacking else []
                if len(added) == len(lacking):
                    return len(lacking)

    async def _see(self, lowest: int, seen: Seen) -> None:
        """Note the entries from `lowest` on that were not seen."""
        if not seen.low:
            seen.low = seen.high = lowest
        for between in ({"$gte": lowest, "$lt": seen.low}, {"$gte": seen.high}):
            async for stored in self._collection.find({"_id": between}, sort=[("_id", ASCENDING)]).batch_size(_AT_ONCE):
                seen.identities.add(identity_of(stored))
                seen.high = max(seen.high, stored["_id"] + 1)
        seen.low = min(seen.low, lowest)

    async def behind(self, sequence: int, limit: int) -> tuple[list[Recorded], int]:
        """Return the entries behind this sequence that can be read, of the first so many, and where these end."""
        query = {"_id": {"$gt": sequence}}
        found = await self._collection.find(query, sort=[("_id", ASCENDING)], limit=limit).to_list(None)
        read = []
        for each in found:
            try:
                read.append(recorded_of(each))
            except UnreadableEntryError:
                get_logger().error("an entry of the audit log cannot be read", sequence=each["_id"])
        return read, found[-1]["_id"] if found else sequence

    async def before(self, moment: datetime) -> int:
        """Return the sequence of the last entry from before this moment; 0 where there is none."""
        found = await self._collection.find({"at": {"$lt": moment}}, sort=[("_id", DESCENDING)], limit=1).to_list(None)
        return found[0]["_id"] if found else 0

    async def _append(self, entries: Sequence[Entry]) -> list[Recorded]:
        """Add entries after the last one known, and return those of them, the first ones, that got their place."""
        sequence, previous = self._last or await self._newest()
        self._last = None
        at, recorded = self._clock(), list[Recorded]()
        for entry in entries:
            sequence += 1
            recorded.append(chained(entry, sequence, at, previous))
            previous = recorded[-1].hash
        try:
            await self._collection.insert_many([document_of(each) for each in recorded], ordered=True)
            count = len(recorded)
            self._last = sequence, previous
        except BulkWriteError as error:
            # Another writer has taken a place: go on behind it.
            if not is_duplicate(error):
                raise
            count = error.details["nInserted"]
        added = recorded[:count]
        for each in added:
            metrics.HEAD.set(each.sequence)
            metrics.ENTRIES.labels(each.entry.action.value).inc()
            get_logger().info(
                "audit",
                action=each.entry.action.value,
                sequence=each.sequence,
                hash=each.hash,
                trace=each.entry.cause.trace,
            )
        return added

    async def _newest(self) -> tuple[int, str]:
        newest = await self._collection.find_one(sort=[("_id", DESCENDING)])
        return (0, FIRST_PREVIOUS) if newest is None else (newest["_id"], newest["hash"])

    async def of_tenant(self, issuer_id: str, *, before: str | None, limit: int) -> list[Recorded]:
        """Return the newest entries that concern this issuer, the newest first, from before the one with this hash.

        Raises:
            NotFoundError: the issuer has no such entry.
        """
        query: Document = {"tenants": issuer_id}
        if before is not None:
            known = await self._collection.find_one({"tenants": issuer_id, "hash": before}, {"_id": 1})
            if known is None:
                raise NotFoundError.for_caller("no entry of the audit log has this hash")
            query["_id"] = {"$lt": known["_id"]}
        found = self._collection.find(query, sort=[("_id", DESCENDING)], limit=limit)
        return [recorded_of(each) for each in await found.to_list(None)]

    async def of_actions(self, issuer_id: str, actions: Sequence[Action]) -> list[Entry]:
        """Return the entries of these actions that concern this issuer, the oldest first."""
        query: Document = {"tenants": issuer_id, "action": {"$in": [each.value for each in actions]}}
        found = self._collection.find(query, sort=[("_id", ASCENDING)])
        return [recorded_of(each).entry for each in await found.to_list(None)]

    async def subjects(self, action: Action) -> set[str]:
        """Return everything that this was ever recorded of."""
        return set(await self._collection.distinct("subject", {"action": action.value}))

    async def check(self, *, noted: Mapping[int, str] | None = None, find: str | None = None) -> ChainReport:
        """Read the whole log and check its chain; see `check_chain`.

        Raises:
            PyMongoError: it cannot be read.
        """
        entries = self._collection.find(sort=[("_id", ASCENDING)]).batch_size(_AT_ONCE)
        return await check_chain(aiter(entries), noted=noted, find=find)
