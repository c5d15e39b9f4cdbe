"""A process whose loop hangs ends itself: a restart loses nothing, and waiting for ever would."""

import asyncio
import sys

import pytest

from libs.common import health as watched
from libs.common.health import STALE_AFTER_SECONDS, Health, Heartbeat, LoopDiedError, end_where_dead


async def test_a_loop_whose_heart_stopped_ends_the_process_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "_LOOK_SECONDS", 0.0)
    now = 0.0
    health = Health()
    health.watch("evidence-access", Heartbeat(lambda: now))
    watching = asyncio.create_task(end_where_dead(health))
    await asyncio.sleep(0.01)
    assert not watching.done()
    now = STALE_AFTER_SECONDS + 1
    with pytest.raises(LoopDiedError, match="evidence-access: no heartbeat"):
        await watching


HANGS = """
import asyncio, time
from libs.common import health

async def hang():
    watching = asyncio.create_task(health.end_where_dead(health.Health()))
    await asyncio.sleep(0.01)
    time.sleep(600)

health.STALE_AFTER_SECONDS = 0.2
asyncio.run(hang())
"""


async def test_an_event_loop_that_hangs_ends_the_process_which_says_where() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HANGS, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b" in hang\n" in said
