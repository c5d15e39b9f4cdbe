"""How long the event loop does not get to look at the network: measured all the time, shown as a metric and in health.

While one task computes, everybody waits. So heavy work goes to threads and worker processes, and this tells where
some of it was forgotten.
"""

import asyncio
from collections import deque
from time import monotonic, process_time
from typing import Final

from libs.common import metrics

LONGEST_STALL_SECONDS: Final = 0.1
"""What no input may make the loop take."""

_INTERVAL_SECONDS: Final = 0.05
_WINDOW_SECONDS: Final = 60.0


class StallMonitor:
    """Wakes up again and again, and sees by how much it came too late.

    Attributes:
        held_seconds: by how much it came too late at worst since `restart`, as far as this process was computing
            meanwhile, in whichever thread: native code may hold the interpreter for all of its work. Unlike lateness it
            does not grow on a machine that has other things to do.
    """

    def __init__(self, interval_seconds: float = _INTERVAL_SECONDS) -> None:
        """Set how often it looks."""
        self._interval = interval_seconds
        # When it was late and by how much, of the last minute; those alone that nothing later exceeds, so the first is
        # the worst. All of a minute would take a twentieth of a core to go through, twenty times a second.
        self._late: deque[tuple[float, float]] = deque()
        self.held_seconds = 0.0

    def restart(self) -> None:
        """Forget what was measured."""
        self._late.clear()
        self.held_seconds = 0.0

    def longest(self) -> float:
        """Return by how many seconds the loop came too late at worst, in the last minute."""
        since = monotonic() - _WINDOW_SECONDS
        while self._late and self._late[0][0] < since:
            self._late.popleft()
        return self._late[0][1] if self._late else 0.0

    async def run(self) -> None:
        """Measure without end."""
        while True:
            started, computed = monotonic(), process_time()
            await asyncio.sleep(self._interval)
            now = monotonic()
            late = max(0.0, now - started - self._interval)
            self.held_seconds = max(self.held_seconds, min(late, process_time() - computed))
            self._note(now, late)
            metrics.LOOP_STALL.observe(late)
            metrics.LOOP_LONGEST_STALL.set(self.longest())

    def _note(self, at: float, late: float) -> None:
        while self._late and self._late[-1][1] <= late:
            self._late.pop()
        self._late.append((at, late))
