"""Measures what the event loop of a test cannot do because something computes on it."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator

from libs.common.stalls import StallMonitor


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[StallMonitor]:
    """Watch the running loop; `busy_seconds` is the most CPU time that it took without looking at the network.

    That is CPU time of the loop's own thread, so that other work on the machine does not count. It does not see the
    loop wait while code in another thread holds the interpreter's lock, as native code may for all of its work: that
    such code runs in another process must be shown by other means.
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
