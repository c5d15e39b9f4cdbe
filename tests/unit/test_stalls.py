"""The event loop's stalls are seen, told in health, and forgotten after a minute."""

import asyncio
import hashlib
import time

from httpx import ASGITransport, AsyncClient

from libs.common.health import Health
from libs.common.http import create_app
from libs.common.stalls import LONGEST_STALL_SECONDS, StallMonitor
from tests.stalls import watched


def _compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def test_what_computes_on_the_loop_is_seen() -> None:
    async with watched() as monitor:
        _compute(0.15)
    assert monitor.held_seconds > LONGEST_STALL_SECONDS
    assert monitor.longest() > LONGEST_STALL_SECONDS


async def test_what_holds_the_interpreter_in_another_thread_is_seen() -> None:
    numbers = bytes(50_000_000)
    async with watched() as monitor:
        started = time.thread_time()
        await asyncio.to_thread(sum, numbers)
    assert time.thread_time() - started < monitor.held_seconds / 2, "the loop's own thread computed nothing"
    assert monitor.held_seconds > LONGEST_STALL_SECONDS


async def test_what_computes_beside_the_interpreter_is_no_stall() -> None:
    data = bytes(200_000_000)
    async with watched() as monitor:
        await asyncio.to_thread(hashlib.sha512, data)
    assert monitor.held_seconds < LONGEST_STALL_SECONDS


async def test_what_waits_is_no_stall() -> None:
    async with watched() as monitor:
        await asyncio.sleep(0.15)
    assert monitor.held_seconds < LONGEST_STALL_SECONDS


async def test_health_tells_the_longest_stall() -> None:
    health = Health()
    monitor = asyncio.create_task(health.stalls.run())
    await asyncio.sleep(0)
    _compute(0.15)
    await asyncio.sleep(0.1)
    monitor.cancel()
    async with AsyncClient(transport=ASGITransport(create_app("x", health)), base_url="https://x.example") as http:
        answer = (await http.get("/health/live")).json()
    assert answer["longest_stall_seconds"] > 0.05


def test_a_monitor_that_measured_nothing_tells_of_no_stall() -> None:
    assert StallMonitor().longest() == 0
