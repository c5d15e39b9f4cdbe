"""What a process does before its consumers and loops run; until then it is not ready, and they count as alive."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError
from fastapi import Request
from pymongo.errors import PyMongoError

from libs.common.errors import UnavailableError
from libs.common.health import Heartbeat
from libs.common.telemetry import get_logger

_AGAIN_SECONDS = 2.0
_BEAT_SECONDS = 15.0


class Preparation:
    """The steps, in their order; each is idempotent and is begun again where something is unavailable."""

    def __init__(self, heartbeats: Sequence[Heartbeat]) -> None:
        """Take the heartbeats of what runs after it; the list may still grow."""
        self._heartbeats = heartbeats
        self._steps: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._under_way: str | None = "not begun"

    def add(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Do this too; what is under way is told by its name."""
        self._steps.append((name, step))

    async def probe(self) -> str | None:
        """Return what is under way; None once all is done."""
        return self._under_way

    async def require_for_changes(self, request: Request) -> None:
        """Let a request change nothing until every step is done, whoever asks.

        What was published is not all known: an issuer would get a second key, a version be given away twice.

        Raises:
            UnavailableError: it would change something, and steps are left.
        """
        if self._under_way is not None and request.method not in {"GET", "HEAD"}:
            raise UnavailableError(f"this service has just started; under way: {self._under_way}")

    async def run(self) -> None:
        """Return when every step is done, however long what it needs is unavailable."""
        async with self._beating():
            for name, step in self._steps:
                self._under_way = name
                await _patiently(name, step)
        self._under_way = None

    @asynccontextmanager
    async def _beating(self) -> AsyncIterator[None]:
        async def beat() -> None:
            while True:
                for each in self._heartbeats:
                    each.beat()
                await asyncio.sleep(_BEAT_SECONDS)

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating


async def _patiently(name: str, step: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await step()
        except (PyMongoError, KafkaError, OSError) as error:
            get_logger().warning("preparation waits", step=name, problem=type(error).__name__, detail=str(error)[:200])
            await asyncio.sleep(_AGAIN_SECONDS)
