"""Waits for what another process does, which sets no event here."""

import asyncio
import time
from collections.abc import Callable


def eventually(
    condition: Callable[[], bool], seconds: float = 180, found: Callable[[], object] = lambda: "it does not hold"
) -> None:
    """Return once it holds; where it does not within this time, fail with what is `found` instead."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {found()}"
        time.sleep(0.1)


async def async_eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Return once it holds; fail where it does not within this time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what is waited for happens elsewhere
            await asyncio.sleep(0.05)
