"""When brokers last answered a consumer is known from its start on, before any answer, and while nothing comes."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from prometheus_client import REGISTRY

from libs.common.lag import Lag
from libs.contracts import topics

FIRST, SECOND = (TopicPartition(topics.LEARNER_CONTACTS.name, number) for number in (0, 1))
BORN, ASSIGNED, ANSWERED, NOW = 1000.0, 2000.0, 2500.0, 3000.0


class Client:
    """Stands for Kafka and its client: what it knows of each partition, and nothing of those that it never asked."""

    def __init__(self) -> None:
        self.tps: Sequence[TopicPartition] = ()
        self.ends: Mapping[TopicPartition, int] = {}
        self.answered: Mapping[TopicPartition, float] = {}
        self.positions: Mapping[TopicPartition, int] = {}

    def assignment(self) -> Sequence[TopicPartition]:
        return self.tps

    def highwater(self, tp: TopicPartition) -> int | None:
        return self.ends.get(tp)

    def last_poll_timestamp(self, tp: TopicPartition) -> int | None:
        return int(self.answered[tp] * 1000) if tp in self.answered else None

    async def position(self, tp: TopicPartition) -> int:
        if tp not in self.positions:
            raise TimeoutError
        return self.positions[tp]


class Fetches:
    """What a member measures of its client, by a clock that stands."""

    def __init__(self, name: str) -> None:
        self.client: Any = Client()
        self._name = name
        self._now = BORN
        self._lag = Lag(name, lambda: self._now)

    def assign(self, *tps: TopicPartition) -> None:
        self._now, self.client.tps = ASSIGNED, tps
        self._lag.assigned()

    async def last(self) -> float | None:
        self._now = NOW
        await self._lag.measure(self.client, {})
        return self.known()

    def known(self) -> float | None:
        labels = {"consumer": self._name}
        return REGISTRY.get_sample_value("bowerbird_consumer_last_fetch_timestamp_seconds", labels)


@pytest.fixture
def fetches(request: pytest.FixtureRequest) -> Fetches:
    return Fetches(request.node.name)


async def test_it_is_born_with_the_moment_of_the_start_and_keeps_it_until_partitions_come(fetches: Fetches) -> None:
    assert fetches.known() == BORN
    assert await fetches.last() == BORN


async def test_before_the_first_answer_it_is_the_moment_of_the_assignment(fetches: Fetches) -> None:
    fetches.assign(FIRST, SECOND)
    assert await fetches.last() == ASSIGNED
    fetches.client.ends, fetches.client.positions, fetches.client.answered = {FIRST: 7}, {FIRST: 7}, {FIRST: ANSWERED}
    assert await fetches.last() == ASSIGNED


async def test_a_partition_that_nobody_can_place_has_had_no_answer(fetches: Fetches) -> None:
    fetches.assign(FIRST)
    fetches.client.ends = {FIRST: 7}
    assert await fetches.last() == ASSIGNED


async def test_with_nothing_left_to_take_it_is_the_oldest_of_the_last_answers(fetches: Fetches) -> None:
    fetches.assign(FIRST, SECOND)
    fetches.client.ends = fetches.client.positions = {FIRST: 7, SECOND: 9}
    fetches.client.answered = {FIRST: NOW, SECOND: ANSWERED}
    assert await fetches.last() == ANSWERED


async def test_where_records_wait_to_be_taken_brokers_need_not_answer(fetches: Fetches) -> None:
    fetches.assign(FIRST)
    fetches.client.ends, fetches.client.positions, fetches.client.answered = {FIRST: 7}, {FIRST: 3}, {FIRST: ANSWERED}
    assert await fetches.last() == NOW


async def test_a_member_that_stands_by_asks_nobody(fetches: Fetches) -> None:
    fetches.assign()
    assert await fetches.last() == NOW
