"""What is kept ends its stated life in bounded steps, and metrics show what is still there."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.common.retention import LAST_SUCCESS, OLDEST_SECONDS, Kept, Retention

NOW = datetime(2026, 11, 28, tzinfo=UTC)
LIFE = timedelta(days=10)


class Store:
    def __init__(self, *ages_in_days: int) -> None:
        self.moments = sorted(NOW - timedelta(days=each) for each in ages_in_days)

    async def oldest(self) -> datetime | None:
        return self.moments[0] if self.moments else None

    async def remove(self, before: datetime, limit: int) -> int:
        ended = [each for each in self.moments if each < before][:limit]
        self.moments = self.moments[len(ended) :]
        return len(ended)

    def kept(self, kind: str) -> Kept:
        return Kept(kind, LIFE, self.oldest, self.remove)


async def test_what_is_older_than_its_life_goes_in_bounded_steps_and_the_rest_stays() -> None:
    store = Store(*[11] * 250, 9)
    retention = Retention([store.kept("bounded")], lambda: NOW, enforced=True)
    assert await retention.tick() < 1
    assert len(store.moments) == 51
    assert LAST_SUCCESS.labels("bounded")._value.get() == 0, "something overdue is left"
    assert await retention.tick() > 60
    assert store.moments == [NOW - timedelta(days=9)]
    assert OLDEST_SECONDS.labels("bounded")._value.get() == timedelta(days=9).total_seconds()
    assert LAST_SUCCESS.labels("bounded")._value.get() == NOW.timestamp()


async def test_where_it_is_not_enforced_nothing_goes_and_the_metric_says_what_would() -> None:
    store = Store(30)
    await Retention([store.kept("measured")], lambda: NOW, enforced=False).tick()
    assert len(store.moments) == 1
    assert OLDEST_SECONDS.labels("measured")._value.get() == timedelta(days=30).total_seconds()


@pytest.mark.parametrize("ages", [(), (10,)])
async def test_what_is_exactly_as_old_as_its_life_stays(ages: tuple[int, ...]) -> None:
    store = Store(*ages)
    await Retention([store.kept("exact")], lambda: NOW, enforced=True).tick()
    assert len(store.moments) == len(ages)
