"""Turns at the tree of organisations: across all replicas, one call at a time moves or closes an organisation.

Two that each see the tree before the other's change could make a circle of it together.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from secrets import token_hex

from pymongo.errors import DuplicateKeyError

from libs.common.errors import UnavailableError
from libs.common.mongo import Database

TURN = timedelta(seconds=30)
"""After this a turn ends by itself, so that a process that was killed holds up nobody for longer."""

# What is left of the turn is more than the clocks of two replicas may differ by.
_WORK_SECONDS = 20.0
_WAIT_SECONDS = 10.0
_PAUSE_SECONDS = 0.05
# The one document of the collection.
_ID = "tree"


class TreeTurns:
    """The collection `organisation_turns`, which holds whose turn it is, and when that ends."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], *, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        self._collection = database["organisation_turns"]
        self._clock = clock
        self._wait_seconds = wait_seconds

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn, and have it for what is done within.

        Raises:
            UnavailableError: others have it all the time, or what is done within takes too long.
        """
        holder = token_hex(16)
        try:
            async with asyncio.timeout(self._wait_seconds):
                while not await self._take(holder):  # noqa: ASYNC110  # another process may have it
                    await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
        except TimeoutError as error:
            raise UnavailableError("another organisation is being moved or closed; ask again, that is safe") from error
        try:
            async with asyncio.timeout(_WORK_SECONDS):
                yield
        except TimeoutError as error:
            raise UnavailableError("moving or closing it takes too long; ask again, that is safe") from error
        finally:
            ours = {"_id": _ID, "holder": holder}
            await self._collection.update_one(ours, {"$set": {"ends_at": self._clock()}})

    async def _take(self, holder: str) -> bool:
        """Return whether the turn is this holder's now: one conditional write decides."""
        # All tenants: the tree is one.
        now = self._clock()
        taken = {"schema": 1, "holder": holder, "ends_at": now + TURN}
        try:
            await self._collection.update_one({"_id": _ID, "ends_at": {"$lte": now}}, {"$set": taken}, upsert=True)
        except DuplicateKeyError:
            return False
        return True
