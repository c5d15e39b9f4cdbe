"""Writes state changes of deliveries: at once, and those that come while one write is under way together in the next.

A mail whose 250 is not yet written down is the only kind that can go out twice, so whoever sent one waits here until
it is written, however long the database is away, before it sends another.
"""

import asyncio

from pymongo.errors import PyMongoError

from libs.common.mongo import is_permanent
from libs.common.telemetry import get_logger
from services.notifier.deliveries.changes import Change
from services.notifier.deliveries.repository import Deliveries

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class StateWriter:
    """A group commit: as many callers as there are wait for few writes."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._waiting: list[tuple[Change, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, change: Change) -> None:
        """Write this state change; returns when it is durable.

        Raises:
            PyMongoError: the database refuses it for good, which is a defect.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="state-writer")
        await written

    async def _write_all(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                await self._persist([change for change, _ in group])
            except PyMongoError as error:
                for _, written in group:
                    if not written.done():
                        written.set_exception(error)
                continue
            for _, written in group:
                if not written.done():
                    written.set_result(None)

    async def _persist(self, changes: list[Change]) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._deliveries.write(changes)
            except PyMongoError as error:
                if is_permanent(error):
                    raise
                get_logger().warning(
                    "state changes wait for mongodb", changes=len(changes), problem=type(error).__name__
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
