"""Measures what the event loop of a test cannot do because something computes on it."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable

from libs.common.stalls import LONGEST_STALL_SECONDS, StallMonitor

_ATTEMPTS = 3


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[StallMonitor]:
    """Watch the running loop by the probe that health shows; `held_seconds` is how late it came at worst.

    Of its lateness what counts is the CPU time that this process took meanwhile, in any of its threads: so other work
    on the machine does not, and code that holds the interpreter's lock in another thread does.
    """
    monitor = StallMonitor(0.005)
    # As a service does when it has started: what the other tests hold is not searched for garbage meanwhile.
    gc.freeze()
    task = asyncio.create_task(monitor.run())
    await asyncio.sleep(0.02)
    monitor.restart()
    try:
        yield monitor
        await asyncio.sleep(0.02)
    finally:
        task.cancel()
        gc.unfreeze()


async def held_each_time(work: Callable[[], Awaitable[object]]) -> float:
    """Return for how long `work` holds the loop whenever it is done: the least of some attempts, or one that is good.

    Where a thread computes beside the loop, a busy machine lets the loop come late too, and that counts as held.
    """
    held = float("inf")
    for _ in range(_ATTEMPTS):
        if held >= LONGEST_STALL_SECONDS:
            async with watched() as monitor:
                await work()
            held = min(held, monitor.held_seconds)
    return held
