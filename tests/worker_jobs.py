"""Jobs for worker processes that pass every limit there is, and some that do not."""

import os
import signal
from typing import Any

from libs.common.errors import InvalidRequestError
from libs.common.workers.jobs import Job


def warm_up() -> None:
    """Nothing is to be made beforehand."""


def pid_job() -> Job[int]:
    """Return which process this is."""
    yield from ()
    return os.getpid()


def asking_job(question: str) -> Job[list[str]]:
    """Ask twice, and return both answers."""
    return [(yield question), (yield question)]


def spinning_job() -> Job[None]:
    """Never end."""
    yield from ()
    while True:
        pass


def native_job() -> Job[int]:
    """Stay in one call of native code."""
    yield from ()
    return len(str(7 ** (10**9)))


def hungry_job(size: int) -> Job[int]:
    """Hold so many bytes."""
    yield from ()
    return len(bytearray(size))


def talkative_job(size: int) -> Job[str]:
    """Return a text so long."""
    yield from ()
    return "x" * size


def dying_job() -> Job[None]:
    """End the process, as native code does that meets what it does not expect."""
    yield from ()
    os.kill(os.getpid(), signal.SIGSEGV)


def refusing_job() -> Job[None]:
    """Refuse what was asked, as any part of a service may."""
    yield from ()
    raise InvalidRequestError("this is not right", [{"field": "x", "reason": "y"}])


class _Command:
    """What runs a command where it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("true",)


def commanding_job() -> Job[Any]:
    """Return what would run a command in the service, as a worker could that was taken over."""
    yield from ()
    return _Command()
