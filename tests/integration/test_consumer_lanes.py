"""A consumer of a topic that yields to another, on a real broker."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr

from deploy.embedded.stack import Stack
from libs.common.consumer import Consumer
from libs.common.kafka import Kafka
from libs.common.lanes import BULK_RECORDS
from libs.common.positions import Position
from libs.common.settings import Settings
from libs.contracts.cloudevents import Origin, Outgoing, Received, headers_of
from libs.contracts.events import LearnerContact
from libs.contracts.topics import Topic
from tests.ids import IDS
from tests.issuer_doubles import TRACE
from tests.positions_in_memory import MemoryPositions
from tests.waiting import async_eventually

pytestmark = pytest.mark.integration

NOW: Final = datetime(2026, 10, 12, 9, tzinfo=UTC)
PARTITIONS: Final = 4


class Two(NamedTuple):
    """The topics of a test."""

    ordinary: Topic
    bulk: Topic


@pytest.fixture
def settings(infrastructure: Stack) -> Settings:
    return Settings(kafka_bootstrap=infrastructure.kafka_bootstrap, mongo_url=SecretStr(infrastructure.mongo_url))


@pytest.fixture
async def two(settings: Settings) -> Two:
    made = Two(*(Topic(f"{each}-{uuid4().hex}", "a test's", None, PARTITIONS) for each in Two._fields))
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(each.name, PARTITIONS, 1) for each in made])
    await admin.close()
    return made


async def send(settings: Settings, topic: Topic, numbers: Sequence[int]) -> None:
    """Publish contacts of learners of these numbers, by turns to each partition."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all")
    await producer.start()
    for number in numbers:
        event = LearnerContact(learner_id=UUID(int=number), issuer_id="northside", changed_at=NOW)
        headers = headers_of(Outgoing(event, TRACE), Origin("http://test", "evidence", IDS.event_id))
        place = number % PARTITIONS
        body = event.model_dump_json().encode()
        await producer.send(topic.name, body, event.key.encode(), partition=place, headers=list(headers))
    await producer.stop()


class Seen:
    """A handler that remembers whom it was given."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    async def __call__(self, batch: Sequence[Received[LearnerContact]]) -> Sequence[Outgoing]:
        self.numbers += [each.event.learner_id.int for each in batch if each.event is not None]
        return []


@asynccontextmanager
async def consuming(
    settings: Settings, two: Two, seen: Seen, positions: MemoryPositions, members: int = 1
) -> AsyncIterator[list[Consumer[LearnerContact]]]:
    kafka = Kafka(settings, "notifier", IDS.event_id)
    consumers = [
        Consumer(
            kafka,
            service="notifier",
            name=two.bulk.name,
            topics=[two.ordinary],
            bulk=two.bulk,
            contracts=[LearnerContact],
            handle=seen,
            max_records=50,
            positions=positions,
            member=member,
        )
        for member in range(1, members + 1)
    ]
    await kafka.start()
    tasks = [asyncio.create_task(each.run()) for each in consumers]
    try:
        yield consumers
    finally:
        for each in consumers:
            await each.stop(10)
        await asyncio.gather(*tasks)
        await kafka.stop()


async def test_partitions_of_one_number_are_one_members_so_that_nobody_else_has_the_same_learner(
    settings: Settings, two: Two
) -> None:
    async with consuming(settings, two, Seen(), MemoryPositions(), members=3) as members:
        # Whoever joins first has all of them until the others do.
        await async_eventually(
            lambda: (
                all(each.assigned for each in members) and sum(len(each.assigned) for each in members) == 2 * PARTITIONS
            )
        )
        for each in members:
            numbers = {topic.name: {tp.number for tp in each.assigned if tp.topic == topic.name} for topic in two}
            assert numbers[two.ordinary.name] == numbers[two.bulk.name]
            assert numbers[two.bulk.name]


async def test_a_member_alone_joins_its_group_once(
    settings: Settings, two: Two, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aiokafka.consumer.group_coordinator")
    async with consuming(settings, two, Seen(), MemoryPositions()) as (member,):
        await async_eventually(lambda: len(member.assigned) == 2 * PARTITIONS)
    assert any("(generation 1)" in each for each in caplog.messages if each.startswith("Joined group"))


async def test_what_a_database_lacks_is_read_again_on_the_topic_that_yields_before_anything_else_is(
    settings: Settings, two: Two
) -> None:
    seen, positions = Seen(), MemoryPositions()
    first = PARTITIONS * 4 * BULK_RECORDS
    await send(settings, two.bulk, range(first))
    await send(settings, two.ordinary, range(first, first + 8))
    known = 2 * BULK_RECORDS
    group = f"notifier-{two.bulk.name}"
    for number in range(PARTITIONS):
        positions.kept[group, TopicPartition(two.bulk.name, number)] = Position(0, known)
    async with consuming(settings, two, seen, positions):
        await async_eventually(lambda: len(seen.numbers) == first + 8)
    before = seen.numbers[: seen.numbers.index(next(each for each in seen.numbers if each >= first))]
    assert set(range(PARTITIONS * known)) <= set(before)
