"""A process whose loop hangs ends itself: a restart loses nothing, and waiting for ever would."""

import asyncio

import pytest

from libs.common import runtime
from libs.common.health import STALE_AFTER_SECONDS, Health, Heartbeat


async def test_a_loop_whose_heart_stopped_ends_the_process_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_WATCH_SECONDS", 0.0)
    now = 0.0
    health = Health()
    health.watch("evidence-access", Heartbeat(lambda: now))
    watching = asyncio.create_task(runtime._watch(health))
    await asyncio.sleep(0.01)
    assert not watching.done()
    now = STALE_AFTER_SECONDS + 1
    with pytest.raises(runtime.LoopDiedError, match="evidence-access: no heartbeat"):
        await watching
