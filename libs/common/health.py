"""Health of a process: what is registered is asked; a loop whose heartbeat is stale counts as dead, and ends it."""

import asyncio
import faulthandler
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Protocol

from libs.common.stalls import StallMonitor

# A loop beats at least once a second unless a batch is in flight (seconds) or a rebalance waits for others (a minute).
STALE_AFTER_SECONDS = 90.0
_LOOK_SECONDS = 2.0
_STDERR = 2

Probe = Callable[[], Awaitable[str | None]]


class Living(Protocol):
    """A loop or client without which the process is of no use."""

    def problem(self) -> str | None:
        """Return why it counts as dead, or None."""
        ...


class Heartbeat:
    """The last moment that a loop was seen alive."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """Record that the loop is alive now."""
        self._last = self._clock()

    def problem(self) -> str | None:
        """Return why the loop counts as dead, or None."""
        age = self._clock() - self._last
        return f"no heartbeat for {age:.0f} s" if age > STALE_AFTER_SECONDS else None


class Health:
    """Everything that a process registered about its health.

    Live: no loop has died (restart the process otherwise). Ready: live, not asked to stop, and what it depends on
    answers.

    Attributes:
        stalls: how long the event loop was not free.
        stopping: the process was asked to stop, and takes nothing new in.
    """

    def __init__(self) -> None:
        self._living: dict[str, Living] = {}
        self._probes: dict[str, Probe] = {}
        self.stalls = StallMonitor()
        self.stopping = False

    def watch(self, name: str, living: Living) -> None:
        """Liveness depends on this loop or client from now on."""
        self._living[name] = living

    def depend(self, name: str, probe: Probe) -> None:
        """Readiness depends on this probe, which returns None or what is wrong."""
        self._probes[name] = probe

    def live(self) -> dict[str, str]:
        """Return what is dead, by name; empty means alive."""
        return {name: problem for name, each in self._living.items() if (problem := each.problem()) is not None}

    async def ready(self) -> dict[str, str]:
        """Return what is missing, by name; empty means ready."""
        problems = self.live()
        if self.stopping:
            problems["process"] = "it was asked to stop"
        for name, probe in self._probes.items():
            problem = await probe()
            if problem is not None:
                problems[name] = problem
        return problems

    async def is_ready(self) -> bool:
        """Return whether nothing is missing."""
        return not await self.ready()


class LoopDiedError(Exception):
    """A loop of this process hangs, or a client that it lives by is dead; the text names it."""


async def end_where_dead(health: Health) -> None:
    """End the process where a loop hangs or a task of aiokafka has ended, so that whatever keeps it starts a new one.

    A dead task is seen within seconds. aiokafka's `getmany` also waits for an assignment without an end; a rebalance
    may rightly take a minute, so a loop that waits longer is what the heartbeat tells. Where the event loop itself
    hangs, no task of it can look: a thread of the interpreter ends the process, and writes to stderr where it hung.
    Nothing acknowledged is held in memory, so a restart loses nothing.

    Raises:
        LoopDiedError: a heartbeat is stale, or a client is dead.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(STALE_AFTER_SECONDS, exit=True, file=_STDERR)
            await asyncio.sleep(_LOOK_SECONDS)
            dead = health.live()
            if dead:
                raise LoopDiedError("; ".join(f"{name}: {problem}" for name, problem in dead.items()))
    finally:
        faulthandler.cancel_dump_traceback_later()
