"""Files that are read as a whole, workbooks and ZIP archives: held within bounds, opened in a worker process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

from libs.common.client_address import CLIENT
from libs.common.departures import Sender
from libs.common.errors import BowerbirdError, TooLargeError, UnavailableError
from libs.common.workers.jobs import Job, JobEndedError, JobLimits, Runner
from libs.common.workers.pool import WorkerPool
from libs.common.workers.turns import Places
from services.evidence.sources.forms import FORMS, OPENED, Form

# So many are held in memory at the same time.
_AT_ONCE: Final = 4
_COSTLY: Final = "The file takes more time or memory to open than it may; save it as 'CSV UTF-8' and send that."
_LATE: Final = "The file was not opened in time; try again, or save it as 'CSV UTF-8' and send that."


def unpacking_workers(*, cpu_seconds: float, memory_bytes: int) -> WorkerPool:
    """Return the process that opens files; it starts when it is asked for first."""
    limits = JobLimits(cpu_seconds=cpu_seconds, memory_bytes=memory_bytes, seconds=600)
    return WorkerPool("services.evidence.sources.unpacking", packages=(), workers=1, waiting=_AT_ONCE, limits=limits)


class WholeFiles:
    """Opens files of media types that are not read as they come.

    Attributes:
        most_bytes: of such a file, as it is sent.
    """

    def __init__(self, runner: Runner, most_bytes: int, plain_bytes: int, longest_row: int) -> None:
        """Take what runs the jobs, the most bytes of a file as sent and once unpacked, and its longest row."""
        self.most_bytes = most_bytes
        self._runner = runner
        self._plain_bytes = plain_bytes
        self._longest_row = longest_row
        self._places = Places(_AT_ONCE)

    @asynccontextmanager
    async def opened(
        self, media_type: str, pieces: AsyncIterator[bytes], sender: Sender
    ) -> AsyncIterator[tuple[Form, AsyncIterator[bytes]]]:
        """Give the form of what is in a file, and what its reader reads, for as long as its sender waits.

        Raises:
            InvalidRequestError: it cannot be opened, holds no evidence, or its sender has left.
            TooLargeError: it unpacks to more than a limit allows, or takes too much to open.
            UnavailableError: too many are being opened already, or it was not opened in time.
            BowerbirdError: a limit was passed while it came.
        """
        with self._places.place(CLIENT.get()):
            content = b"".join([piece async for piece in pieces])
            async with aclosing(self._unpacked(OPENED[media_type], content, sender)) as unpacked:
                yield FORMS[await anext(unpacked)], unpacked

    async def _unpacked(self, job: Callable[..., Job[None]], content: bytes, sender: Sender) -> AsyncGenerator[Any]:
        """Yield what a job yields, each piece when the one before was taken."""
        found: asyncio.Queue[Any] = asyncio.Queue(1)

        async def run() -> None:
            end: BowerbirdError | None = None
            try:
                opening = self._runner.run(job, content, self._longest_row, self._plain_bytes, answer=found.put)
                await sender.while_waiting(opening)
            except JobEndedError as ended:
                end = TooLargeError(_COSTLY) if ended.end == "too_costly" else UnavailableError(_LATE)
            except BowerbirdError as error:
                end = error
            await found.put(_End(end))

        running = asyncio.create_task(run())
        try:
            while not isinstance(piece := await found.get(), _End):
                yield piece
            if piece.error is not None:
                raise piece.error
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class _End:
    def __init__(self, error: BowerbirdError | None) -> None:
        self.error = error
