"""Compares this machine's clock with those of the stores, so that nothing is signed with a wrong date.

There are several others: the database, and each broker. A single one among many that contradicts is itself in the
wrong, and must not stop everything; where half of them contradict, nobody can tell, and nothing is dated.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from libs.common import metrics
from libs.common.telemetry import get_logger

ASK_EVERY_SECONDS: Final = 10.0

Ask = Callable[[], Awaitable[datetime | None]]
"""Asks another machine for its time; None where it does not answer, or keeps none."""
Others = Callable[[], Awaitable[Mapping[str, Ask]]]
"""Returns whom to ask, by name."""


def _wall() -> float:
    return datetime.now(UTC).timestamp()


class ClockCheck:
    """How far this machine's clock is from others, as last seen; a step of it since then counts at once."""

    def __init__(
        self,
        others: Others,
        tolerance_seconds: float,
        wall: Callable[[], float] = _wall,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take whom to ask, the most that is allowed, and this machine's two clocks, in seconds."""
        self._others = others
        self._tolerance = tolerance_seconds
        self._wall = wall
        self._steady = steady
        # By whom: how far we are ahead of it at least, and what our two clocks differed by at that moment.
        self._seen: dict[str, tuple[float, float]] = {}

    async def tick(self) -> float:
        """Ask all of them once; return the seconds until the next time. Who does not answer changes nothing."""
        others = await self._others()
        for name in self._seen.keys() - others.keys():
            del self._seen[name]
            metrics.CLOCK_AHEAD.remove(name)
        await asyncio.gather(*(self._compare(name, ask) for name, ask in others.items()))
        fault = self.fault()
        if fault is not None:
            get_logger().error("clock off", problem=fault)
        return ASK_EVERY_SECONDS

    async def _compare(self, name: str, ask: Ask) -> None:
        started, before = self._wall(), self._steady()
        theirs = await ask()
        took = self._steady() - before
        if theirs is None:
            return
        # Its clock was read at some moment between question and answer.
        ahead = started + took / 2 - theirs.timestamp()
        metrics.CLOCK_AHEAD.labels(name).set(ahead)
        surely = max(abs(ahead) - took / 2, 0.0)
        self._seen[name] = (surely if ahead > 0 else -surely, started - before)

    def fault(self) -> str | None:
        """Return how far the clock is off, in words; None where more than half of the others say that it is right."""
        between = self._wall() - self._steady()
        offs = {name: ahead + (between - then) for name, (ahead, then) in self._seen.items()}
        off = {name: by for name, by in offs.items() if abs(by) > self._tolerance}
        if not off or 2 * len(off) < len(offs):
            return None
        name, by = next(iter(off.items()))
        where = "ahead of" if by > 0 else "behind"
        return (
            f"this machine's clock is {abs(by):.0f} s {where} that of {name}, and {self._tolerance:g} s are "
            "allowed (BOWERBIRD_CLOCK_TOLERANCE_SECONDS); set the clocks right"
        )

    async def probe(self) -> str | None:
        """Return the same, as readiness asks."""
        return self.fault()
