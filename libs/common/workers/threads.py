"""Jobs in threads of the service, for what is our own: quicker than a worker process, and nothing to fear from it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from libs.common.errors import UnavailableError
from libs.common.workers.jobs import Answer, Job, JobEndedError

T = TypeVar("T")


class Threads:
    """Runs jobs in threads; see `jobs.Runner`. What ends them is their own budget of work alone."""

    def __init__(self, threads: int, *, waiting: int, seconds: float) -> None:
        """Set how many run at once, how many run or wait at most, and how long a caller waits."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._waiting = waiting
        self._seconds = seconds
        self._in_flight = 0

    async def run(self, job: Callable[..., Job[T]], *arguments: Any, answer: Answer) -> T:
        """See `jobs.Runner`."""
        if self._in_flight >= self._waiting:
            raise UnavailableError("more is waiting than can be done soon; try again")
        self._in_flight += 1
        loop, context = asyncio.get_running_loop(), copy_context()
        work = job(*arguments)
        said: Any = None
        try:
            async with asyncio.timeout(self._seconds):
                while True:
                    ended, asked = await loop.run_in_executor(self._pool, context.run, _step, work, said)
                    if ended:
                        found: T = asked
                        return found
                    said = await answer(asked)
        except TimeoutError:
            raise JobEndedError("took_too_long") from None
        finally:
            self._in_flight -= 1


def _step(work: Job[Any], said: Any) -> tuple[bool, Any]:
    """Go on with a job; return whether that was its end, and its question or result."""
    try:
        return False, work.send(said)
    except StopIteration as end:
        return True, end.value
