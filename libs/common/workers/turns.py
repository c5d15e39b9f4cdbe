"""Turns at workers, given to one client after the other: who sends many jobs waits for their own alone."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from libs.common.errors import UnavailableError
from libs.common.workers import metrics


class Places:
    """So many jobs that run or wait, of which no client has more than are left free for others: half of them alone.

    Attributes:
        taken: how many there are.
    """

    def __init__(self, most: int) -> None:
        """Take how many there may be."""
        self._most = most
        self._of_client: Counter[str] = Counter()
        self.taken = 0

    @contextmanager
    def place(self, client: str) -> Iterator[None]:
        """Hold a place for a job of this client until the end of the block; jobs of '' are those of no client.

        Raises:
            UnavailableError: there is none.
        """
        free, mine = self._most - self.taken, self._of_client[client]
        crowded = bool(client) and mine > 0 and mine + 1 > free - 1
        if crowded or not free:
            metrics.REFUSED.inc()
            raise UnavailableError("more is waiting than can be done soon; try again")
        self.taken += 1
        self._of_client[client] += 1
        try:
            yield
        finally:
            self.taken -= 1
            self._of_client[client] -= 1
            self._of_client += Counter()  # keeps those that are above 0


class Turns:
    """So many at a time; of those who wait, each client in turn."""

    def __init__(self, free: int) -> None:
        """Take how many there are."""
        self._free = free
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn of this client, and have it until the end of the block."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(client)
        try:
            yield
        finally:
            self._give()

    async def _wait(self, client: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():
                self._give()  # it was given just before
            raise

    def _give(self) -> None:
        while self._waiting:
            client = next(iter(self._waiting))
            queue = self._waiting.pop(client)
            while queue:
                first = queue.popleft()
                if first.done():
                    continue  # who waited has given up
                first.set_result(None)
                if queue:
                    self._waiting[client] = queue  # behind the others
                return
        self._free += 1
