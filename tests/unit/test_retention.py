"""What is kept ends its stated life in bounded steps, and metrics show what is still there."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from bowerbird.registry import NAMES, find
from bowerbird.retention import overdue
from libs.common.retention import LAST_SUCCESS, LIFE_SECONDS, OLDEST_SECONDS, Kept, Retention, topic_watch
from libs.contracts.topics import DEAD_LETTERS, Topic

NOW = datetime(2026, 11, 28, tzinfo=UTC)
LIFE = timedelta(days=10)


class Store:
    def __init__(self, *ages_in_days: int) -> None:
        self.moments = sorted(NOW - timedelta(days=each) for each in ages_in_days)

    async def oldest(self) -> datetime | None:
        return self.moments[0] if self.moments else None

    async def ended(self, before: datetime) -> int:
        return sum(each < before for each in self.moments)

    async def remove(self, before: datetime, limit: int) -> int:
        ended = [each for each in self.moments if each < before][:limit]
        self.moments = self.moments[len(ended) :]
        return len(ended)

    def kept(self, kind: str) -> Kept:
        return Kept(kind, LIFE, self.oldest, self.ended, self.remove)


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


async def test_a_metric_shows_how_old_the_oldest_record_of_a_topic_is_that_the_broker_should_have_ended() -> None:
    asked: list[Topic] = []

    async def oldest(topic: Topic) -> datetime:
        asked.append(topic)
        return NOW - timedelta(days=120)

    topic = DEAD_LETTERS["issuer"]
    assert await topic_watch("dead_letters", topic, oldest, lambda: NOW)() > 60
    assert asked == [topic]
    assert OLDEST_SECONDS.labels("dead_letters")._value.get() == timedelta(days=120).total_seconds()
    assert LIFE_SECONDS.labels("dead_letters")._value.get() == timedelta(days=96).total_seconds()
    assert LAST_SUCCESS.labels("dead_letters")._value.get() == 0


async def test_the_command_counts_what_would_go_and_removes_nothing() -> None:
    store, empty = Store(*[11] * 3, 9), Store()
    found = await overdue("evidence", [store.kept("counted"), empty.kept("empty")], NOW)
    assert [(each.kind, each.oldest, each.ended) for each in found] == [
        ("counted", timedelta(days=11), 3),
        ("empty", None, 0),
    ]
    assert len(store.moments) == 4


def test_the_operators_guide_states_the_life_of_everything_that_a_job_removes() -> None:
    guide = Path("docs/guides/operator.md").read_text(encoding="utf-8")
    lines = [line for line in guide.splitlines() if line.startswith("|")]
    stated = {
        kind: int(days[1])
        for line in lines
        for kind in re.findall(r"`kind=([a-z_]+)`", line)
        if (days := re.search(r"\| ([0-9]+) days", line))
    }
    lives = {each.kind: each.life.days for name in NAMES for each in _kept(name)}
    letters = {each.kept.days for each in DEAD_LETTERS.values() if each.kept is not None}
    assert stated.pop("dead_letters") in letters
    assert stated == lives
    settings = {setting for name in NAMES for setting in find(name).settings.model_fields}
    named = {each.lower() for line in lines for each in re.findall(r"`BOWERBIRD_([A-Z_]+_DAYS)`", line)}
    assert named <= settings
    assert len(named) == len(lives)
    assert [
        f"| dead letters; public events about credentials | {days} days, at most " in guide for days in letters
    ] == [True]


def _kept(name: str) -> list[Kept]:
    entry = find(name)
    return entry.kept(MagicMock(), entry.settings())
