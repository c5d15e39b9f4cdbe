"""Jobs in threads of the service, for what is our own: quicker than a worker process, and nothing to fear from it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from libs.common.client_address import CLIENT
from libs.common.workers.jobs import Answer, Job, JobEndedError
from libs.common.workers.turns import Places, Turns

T = TypeVar("T")


class Threads:
    """Runs jobs in threads; see `jobs.Runner`. What ends them is their own budget of work alone.

    Client addresses take turns, a step of a job at a time: while one is answered, its thread works for another.
    """

    def __init__(self, threads: int, *, waiting: int, seconds: float) -> None:
        """Set how many run at once, how many run or wait at most (`Places`), and how long a caller waits."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._places, self._turns = Places(waiting), Turns(threads)
        self._seconds = seconds

    async def run(self, job: Callable[..., Job[T]], *arguments: Any, answer: Answer) -> T:
        """See `jobs.Runner`."""
        client, loop, context = CLIENT.get(), asyncio.get_running_loop(), copy_context()
        said: Any = None
        with self._places.place(client):
            work = job(*arguments)
            try:
                async with asyncio.timeout(self._seconds):
                    while True:
                        async with self._turns.turn(client):
                            ended, asked = await loop.run_in_executor(self._pool, context.run, _step, work, said)
                        if ended:
                            found: T = asked
                            return found
                        said = await answer(asked)
            except TimeoutError:
                raise JobEndedError("took_too_long") from None


def _step(work: Job[Any], said: Any) -> tuple[bool, Any]:
    """Go on with a job; return whether that was its end, and its question or result."""
    try:
        return False, work.send(said)
    except StopIteration as end:
        return True, end.value
