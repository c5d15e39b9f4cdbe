"""What a job is, why one ends without a result, and what runs jobs."""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")

Job = Generator[Any, Any, T]
"""Work that may ask on its way: it yields a question, is sent the answer, and returns the result."""

Answer = Callable[[Any], Awaitable[Any]]
"""Answers the questions of a job, where there are a database and an event loop."""

End = Literal["too_costly", "took_too_long"]


class JobEndedError(Exception):
    """A job was ended before its result.

    Attributes:
        end: `too_costly`, it took more CPU time or memory than it is given, or its result is too large; whoever sends
            it again will fare no better. `took_too_long`, the machine had no time for it.
    """

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What one job may take.

    Attributes:
        cpu_seconds: CPU time of the process, native code included.
        memory_bytes: address space above what a new worker has.
        result_bytes: the result, written.
        seconds: time in all, waiting for a worker and for answers included.
    """

    cpu_seconds: float = 1.0
    memory_bytes: int = 64 * 1024 * 1024
    result_bytes: int = 4 * 1024 * 1024
    seconds: float = 5.0


class Runner(Protocol):
    """Runs jobs: in worker processes what strangers send, in threads what is our own."""

    async def run(self, job: Callable[..., Job[T]], *arguments: Any, answer: Answer) -> T:
        """Run a job to its end and return its result.

        Args:
            job: a function at the top of its module.
            arguments: what it is given.
            answer: answers what it asks.

        Raises:
            JobEndedError: it passed a limit.
            UnavailableError: more jobs are waiting than can be done soon.
            BowerbirdError: the job itself raised it.
        """
        ...
