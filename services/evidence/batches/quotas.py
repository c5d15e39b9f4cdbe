"""How many rows and bytes an API key and an issuer may send in a day: the collection `quotas`, taken from in blocks.

A process takes a block of what is left of the day from the database and counts in memory until it is used up. So no
quota is ever passed over, however many replicas there are; and where it is nearly used up, one may refuse what another
still has of its block: too early by no more than a block for each process.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from math import ceil

from pymongo import ReturnDocument

from libs.access.api_keys import Caller
from libs.common import mongo
from libs.common.errors import TooManyRequestsError

BLOCK_ROWS = 1_000
BLOCK_BYTES = 4 * 1024 * 1024

# Checked and not taken: counted for itself, so that it leaves what may be sent, and is bounded as that is.
BYTES_OF_DRY_RUNS = "bytes of dry runs"
ROWS_OF_DRY_RUNS = "rows of dry runs"

_BLOCKS = {"rows": BLOCK_ROWS, "bytes": BLOCK_BYTES, ROWS_OF_DRY_RUNS: BLOCK_ROWS, BYTES_OF_DRY_RUNS: BLOCK_BYTES}


@dataclass(frozen=True, slots=True)
class DailyLimits:
    """What may be sent in a day (UTC), over all replicas; 0 is without limit."""

    key_rows: int = 0
    issuer_rows: int = 0
    key_bytes: int = 0
    issuer_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Quota:
    """What of one kind (`rows`, `bytes`, those of dry runs) a key or an issuer may send in a day."""

    name: str
    issuer_id: str
    day: str
    what: str
    limit: int


class Quotas:
    """What is left of today, as far as this process has taken it."""

    def __init__(self, database: mongo.Database, limits: DailyLimits, clock: Callable[[], datetime]) -> None:
        self._quotas = database["quotas"]
        self._limits: Mapping[str, tuple[int, int]] = {
            "rows": (limits.key_rows, limits.issuer_rows),
            "bytes": (limits.key_bytes, limits.issuer_bytes),
            ROWS_OF_DRY_RUNS: (limits.key_rows, limits.issuer_rows),
            BYTES_OF_DRY_RUNS: (limits.key_bytes, limits.issuer_bytes),
        }
        self._clock = clock
        self._day = ""
        self._left: dict[str, int] = {}
        self._spent: set[str] = set()

    async def take(self, caller: Caller, what: str, count: int) -> None:
        """Count `count` of `what` that this caller sends.

        Raises:
            TooManyRequestsError: its key or its issuer has sent what it may today; nothing of it may be taken in.
            PyMongoError: the database is unavailable.
        """
        key_most, issuer_most = self._limits[what]
        if not key_most and not issuer_most:
            return
        await self._begin_day()
        day, issuer_id = self._day, caller.issuer_id
        of_key = Quota(f"{day} {issuer_id} key {caller.key_id} {what}", issuer_id, day, what, key_most)
        of_issuer = Quota(f"{day} {issuer_id} issuer {what}", issuer_id, day, what, issuer_most)
        await self._take(of_key, count, "this API key")
        await self._take(of_issuer, count, "your issuer")

    async def counted(self, caller: Caller, pieces: AsyncIterator[bytes], what: str = "bytes") -> AsyncIterator[bytes]:
        """Yield the pieces of a body, the bytes of each counted first."""
        async for piece in pieces:
            await self.take(caller, what, len(piece))
            yield piece

    async def _take(self, quota: Quota, count: int, who: str) -> None:
        if not quota.limit:
            return
        # While the database is asked others count too: what is held is looked at again behind each answer.
        while (held := self._left.get(quota.name, 0)) < count:
            if quota.name in self._spent:
                raise self._refusal(f"{who} has sent the {quota.limit} {quota.what} that it may send in a day")
            await self._reserve(quota, count - held)
        self._left[quota.name] = held - count

    async def _reserve(self, quota: Quota, wanted: int) -> None:
        block = _BLOCKS[quota.what]
        size = ceil(wanted / block) * block
        # What was damaged counts as if nothing had been taken.
        taken = {"$convert": {"input": "$taken", "to": "long", "onError": 0, "onNull": 0}}
        found = await self._quotas.find_one_and_update(
            {"_id": quota.name},
            [{"$set": {"schema": 1, "issuer_id": quota.issuer_id, "day": quota.day, "taken": {"$add": [taken, size]}}}],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        beyond = found["taken"] - quota.limit
        self._left[quota.name] = self._left.get(quota.name, 0) + max(0, size - max(0, beyond))
        if beyond >= 0:
            self._spent.add(quota.name)

    async def _begin_day(self) -> None:
        day = self._clock().date().isoformat()
        if day == self._day:
            return
        self._day = day
        self._left.clear()
        self._spent.clear()
        # Another replica's clock may still say yesterday. An operator's query, over all tenants.
        yesterday = (self._clock() - timedelta(days=1)).date().isoformat()
        await self._quotas.delete_many({"day": {"$lt": yesterday}})

    def _refusal(self, detail: str) -> TooManyRequestsError:
        now = self._clock()
        midnight = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
        return TooManyRequestsError(f"{detail} (UTC)", ceil((midnight - now).total_seconds()))
