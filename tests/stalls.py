"""Measures what the event loop of a test cannot do because something computes on it."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator

from libs.common.stalls import StallMonitor


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
