"""Nothing is dated by a clock that is off: compared with the stores' at start and in running, and refused beyond."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from libs.common import clock, metrics
from libs.common.clock_check import Ask, ClockCheck
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
        self.brokers: list[float] = []  # how far each is ahead of the truth
        self.check = ClockCheck(self.others, TOLERANCE, lambda: self.true + self.ours, lambda: self.true)

    async def others(self) -> dict[str, Ask]:
        return {"mongodb": self.ask, **{f"kafka-{n}": partial(self.tell, by) for n, by in enumerate(self.brokers)}}

    async def tell(self, ahead: float) -> datetime:
        return datetime.fromtimestamp(self.true + ahead, UTC)

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


@pytest.mark.parametrize(("brokers", "believed"), [([0, 0, 60], True), ([0, 60, 60], False), ([60], False)])
async def test_one_clock_among_many_stops_nothing_and_half_of_them_do(
    machines: Machines, brokers: list[float], believed: bool
) -> None:
    machines.brokers = brokers
    await machines.check.tick()
    assert (await machines.check.probe() is None) == believed
    assert metrics.CLOCK_AHEAD.labels(f"kafka-{len(brokers) - 1}")._value.get() == pytest.approx(-60)


async def test_where_the_database_and_every_broker_contradict_the_first_is_named(machines: Machines) -> None:
    machines.ours, machines.brokers = 60.0, [0.0, 0.0]
    await machines.check.tick()
    assert "60 s ahead of that of mongodb" in (await machines.check.probe() or "")


async def test_a_broker_that_is_there_no_longer_is_forgotten(machines: Machines) -> None:
    machines.brokers = [60.0]
    await machines.check.tick()
    machines.brokers = []
    await machines.check.tick()
    assert await machines.check.probe() is None
    assert ("kafka-0",) not in metrics.CLOCK_AHEAD._metrics


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
