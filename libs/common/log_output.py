"""Where log lines go: a full disk costs lines and never the process; client libraries get so many lines a minute."""

import json
import logging
import os
from collections.abc import Callable
from time import monotonic
from typing import Final

from libs.common import metrics

LINES_A_MINUTE: Final = 10
"""Most lines of one logger of a library in a minute: with Kafka away, aiokafka alone would write 58 kB a second."""

_MINUTE: Final = 60.0


class LogOutput:
    """A stream of whole lines onto a file descriptor, unbuffered; what cannot be written is counted and left out."""

    def __init__(self, descriptor: int = 1) -> None:
        """Take the descriptor; by default standard output."""
        self._descriptor = descriptor
        self._lost = 0
        self._torn = False

    def write(self, text: str) -> int:
        """Write one line; where lines were lost before it, first one that says how many."""
        if self._lost:
            told = json.dumps({"event": "log lines lost", "level": "warning", "lines": self._lost})
            if not self._whole(f"{told}\n"):
                self._lose()
                return len(text)
            self._lost = 0
        if not self._whole(text):
            self._lose()
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def _lose(self) -> None:
        self._lost += 1
        metrics.LOG_LINES_LOST.inc()

    def _whole(self, text: str) -> bool:
        """Write all of it; behind a line of which the disk took a part only, on a line of its own."""
        rest = memoryview((f"\n{text}" if self._torn else text).encode("utf-8", "replace"))
        begun = False
        try:
            while rest:
                written = os.write(self._descriptor, rest)
                begun = begun or written > 0
                rest = rest[written:]
        except OSError:
            self._torn = self._torn or begun
            return False
        self._torn = False
        return True


class LimitedLines(logging.Filter):
    """Lets through so many lines a minute of each logger; the first one after that has the number left out."""

    def __init__(self, lines: int = LINES_A_MINUTE, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._lines = lines
        self._clock = clock
        # By logger, of which the code of the libraries has some tens: since when, lines since then, left out.
        self._windows: dict[str, tuple[float, int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line may go out."""
        now = self._clock()
        since, count, left_out = self._windows.get(record.name, (now, 0, 0))
        if now - since >= _MINUTE:
            since, count = now, 0
        if count >= self._lines:
            self._windows[record.name] = (since, count, left_out + 1)
            metrics.LOG_LINES_LEFT_OUT.labels(record.name.partition(".")[0]).inc()
            return False
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} lines of this logger were left out before)"
            record.args = ()
        self._windows[record.name] = (since, count + 1, 0)
        return True
