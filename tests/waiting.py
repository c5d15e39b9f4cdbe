"""Waits for what another process does, which sets no event here."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], bool], seconds: float = 180) -> None:
    """Return once it holds; fail where it does not within this time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s"
        time.sleep(0.1)
