"""Nothing is dated by a clock that is off: compared with the stores' at start and in running, and refused beyond."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from libs.common import clock, metrics
from libs.common.clock_check import ClockCheck
from libs.common.health import Health
from libs.common.http import create_app

TOLERANCE = 10.0


class Machines:
    """Two machines, and the way between them."""

    def __init__(self) -> None:
        self.true = 1_800_000_000.0
        self.ours = 0.0  # ahead of the truth
        self.theirs: float | None = 0.0
        self.delay = 0.0
        self.check = ClockCheck({"mongodb": self.ask}, TOLERANCE, lambda: self.true + self.ours, lambda: self.true)

    async def ask(self) -> datetime | None:
        self.true += self.delay
        answer = None if self.theirs is None else datetime.fromtimestamp(self.true + self.theirs, UTC)
        self.true += self.delay
        return answer


@pytest.fixture
def machines() -> Iterator[Machines]:
    machines = Machines()
    clock.check_with(machines.check.fault)
    yield machines
    clock.uncheck()


@pytest.mark.parametrize("ours", [9.0, -9.0, 0.0])
async def test_a_clock_within_the_tolerance_is_believed(machines: Machines, ours: float) -> None:
    machines.ours = ours
    await machines.check.tick()
    assert await machines.check.probe() is None
    assert clock.now().tzinfo is UTC
    assert metrics.CLOCK_AHEAD.labels("mongodb")._value.get() == pytest.approx(ours)


@pytest.mark.parametrize(("ours", "words"), [(3700.0, "3700 s ahead of"), (-60.0, "60 s behind")])
async def test_a_clock_that_is_off_dates_nothing_and_readiness_says_by_how_much(
    machines: Machines, ours: float, words: str
) -> None:
    machines.ours = ours
    await machines.check.tick()
    assert f"{words} that of mongodb, and 10 s are allowed" in (await machines.check.probe() or "")
    with pytest.raises(clock.ClockError, match=words):
        clock.now()
    machines.ours = 0.0
    await machines.check.tick()
    assert clock.now()


async def test_a_step_of_the_clock_counts_before_anybody_is_asked_again(machines: Machines) -> None:
    await machines.check.tick()
    machines.ours = 30.0
    with pytest.raises(clock.ClockError):
        clock.now()


async def test_a_slow_answer_is_no_sign_of_a_wrong_clock(machines: Machines) -> None:
    machines.delay = 60.0
    machines.ours = 50.0
    await machines.check.tick()
    assert await machines.check.probe() is None


async def test_who_does_not_answer_changes_nothing(machines: Machines) -> None:
    machines.ours = 30.0
    await machines.check.tick()
    machines.theirs = None
    await machines.check.tick()
    assert await machines.check.probe() is not None


async def test_a_caller_is_told_to_try_again(machines: Machines) -> None:
    app: FastAPI = create_app("test", Health())

    @app.get("/v1/moment")
    async def moment() -> str:
        return str(clock.now())

    machines.ours = 30.0
    await machines.check.tick()
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/v1/moment")
    assert answer.status_code == 503
