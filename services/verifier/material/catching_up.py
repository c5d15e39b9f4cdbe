"""Whether what this database says may be served: not while it is of an earlier moment than what was published.

A database that was set back, that lost everything, or whose service stood still for long shows revoked badges as good
and new ones as none. So nothing is read from it for others until it has what stood on the topics when this process
began; our own records count as out of reach until then (503, or a check that is unknown).

1. Ask the database when it was last used, before anything else. Within the last minute, and no note: it is of today,
   and is served at once, whether Kafka answers or not.
2. Otherwise leave a note, for processes that start meanwhile.  Killed: noted; the next one begins with 1.
3. Read where the topics end.                                   Killed: from 1.
4. Wait until the consumers have come so far.                   Killed: from 1, to later ends.
5. Take the note away.                                          Killed before: from 1, and nothing is left to wait for.

A database that is put back beneath a running process is found out by its fence (`libs/common/fence.py`). That is proved
before anything is read, once a second: a process that is about to end for it serves nothing either.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from pymongo.errors import PyMongoError

from libs.common.fence import Fence, WentBackError
from libs.common.kafka import Kafka
from libs.common.positions import PositionStore
from libs.common.telemetry import get_logger
from libs.common.topic_reading import Ends, reading
from libs.contracts import topics
from libs.contracts.topics import Topic
from services.verifier.material import metrics
from services.verifier.material.cache import ShortMemory

CONSUMED: Final[Mapping[str, Topic]] = {
    "issuers": topics.CATALOGUE,
    "achievements": topics.CATALOGUE,
    "status-lists": topics.STATUS_LISTS,
    "documents": topics.CREDENTIAL_DOCUMENTS,
}
"""By the names of this service's consumers, what each stores."""

# As long as a revocation may take to be seen.
_OF_TODAY: Final = timedelta(seconds=60)
_PROVED_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 1.0
_LOOK_SELDOM_SECONDS: Final = 15.0
# Where consumers have not come further for so many looks, perhaps nothing is left to read before the ends.
_STILL: Final = 10


class StaleError(PyMongoError):
    """What the database says may be of an earlier moment than what was published: it counts as out of reach."""


class CatchingUp:
    """Keeps what may be stale from being read."""

    def __init__(
        self,
        fence: Fence,
        positions: PositionStore,
        kafka: Kafka,
        *,
        service: str,
        clock: Callable[[], datetime],
        proved_seconds: float = _PROVED_SECONDS,
    ) -> None:
        """Take what is asked, this service's name, the time of day, and for how long a proof of the fence counts."""
        self._fence = fence
        self._positions = positions
        self._kafka = kafka
        self._groups = {f"{service}-{name}": topic for name, topic in CONSUMED.items()}
        self._clock = clock
        self._proof = ShortMemory(self._prove, seconds=proved_seconds, entries=1)
        self._judged = asyncio.Event()
        self._stale = True
        self._ends: Ends = {}
        self._ids: Mapping[str, str] = {}
        self._seen: Mapping[str, Ends] = {}
        self._still = 0

    async def require(self) -> None:
        """Return if the database may be read for others.

        Raises:
            StaleError: it may not, or that is not known.
            PyMongoError: it is unavailable.
        """
        if not self._judged.is_set():
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._judged.wait()
            except TimeoutError:
                raise StaleError("it is not known of which moment the database is") from None
        if self._stale:
            raise StaleError("the database is of an earlier moment, and catches up")
        await self._proof.get("")

    async def probe(self) -> str | None:
        """Return that the database has to catch up; None where it has not."""
        return "the database is of an earlier moment, and catches up" if self._stale else None

    async def judge(self) -> None:
        """Find out whether the database is of today (steps 1 and 2).

        Raises:
            PyMongoError: it is unavailable.
        """
        last_used, noted = await self._fence.last_raised(), await self._fence.noted()
        self._stale = noted or last_used is None or self._clock() - last_used > _OF_TODAY
        if self._stale and not noted:
            await self._fence.note()
        metrics.CATCHING_UP.set(self._stale)
        self._judged.set()

    async def take_ends(self) -> None:
        """Read how far a database that is not of today has to come (step 3).

        Raises:
            KafkaError: the brokers are unavailable.
            PyMongoError: the database is unavailable.
            OSError: a topic is missing.
        """
        if not self._stale:
            return
        async with reading(self._kafka, *set(self._groups.values())) as reader:
            self._ends, self._ids = await reader.ends(), reader.ids
        if await self._is_nothing_left():
            await self._open()
        else:
            get_logger().warning("the database is of an earlier moment: nothing is served until it has caught up")

    async def tick(self) -> float:
        """Serve what the database says once it has caught up (steps 4 and 5); return the seconds until the next look.

        Raises:
            KafkaError: the brokers are unavailable.
            PyMongoError: the database is unavailable.
            OSError: a topic is missing.
        """
        if not self._stale:
            return _LOOK_SELDOM_SECONDS
        kept = {group: await self._kept(group) for group in self._groups}
        if all(kept[group].get(tp, 0) >= end for group in kept for tp, end in self._ends_of(group).items()):
            await self._open()
            return _LOOK_SELDOM_SECONDS
        self._still = self._still + 1 if kept == self._seen else 0
        self._seen = kept
        if self._still >= _STILL:
            self._still = 0
            if await self._is_nothing_left():
                await self._open()
        return _LOOK_SECONDS

    async def _prove(self, _key: str) -> None:
        try:
            await self._fence.prove()
        except WentBackError as error:
            raise StaleError(str(error)) from error

    async def _open(self) -> None:
        await self._fence.forget_note()
        self._stale = False
        metrics.CATCHING_UP.set(0)
        get_logger().info("the database has caught up with what was published")

    def _ends_of(self, group: str) -> Ends:
        return {tp: end for tp, end in self._ends.items() if tp.topic == self._groups[group].name}

    async def _kept(self, group: str) -> Ends:
        """Return the positions of a group that are places in the topics as they are."""
        found = await self._positions.read(group, list(self._ends_of(group)))
        return {tp: each.offset for tp, each in found.items() if each.is_of(self._ids.get(tp.topic))}

    async def _is_nothing_left(self) -> bool:
        """Return whether no record is left that a group has to read before the ends, as brokers see it."""
        async with reading(self._kafka, *set(self._groups.values())) as reader:
            for group in self._groups:
                ends, kept = self._ends_of(group), await self._kept(group)
                left = {tp: end for tp, end in ends.items() if kept.get(tp, 0) < end}
                if left and await reader.has_any(kept, left):
                    return False
        return True
