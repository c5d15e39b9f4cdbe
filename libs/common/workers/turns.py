"""Turns at workers, given to one client after the other: who sends many jobs waits for their own alone."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


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
