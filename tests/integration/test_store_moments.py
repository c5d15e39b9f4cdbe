"""The record at Kafka by which a service knows that its database is of an earlier moment, nobody having told it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from deploy.embedded.stack import Stack
from libs.common import mongo
from libs.common.fence import Fence
from libs.common.kafka import Kafka
from libs.common.positions import Position, Positions
from libs.common.set_back import StoreMoments
from libs.common.settings import Settings
from libs.contracts import topics
from services.notifier.deliveries.repository import Deliveries
from services.notifier.service import _hold
from tests.ids import IDS

pytestmark = pytest.mark.integration

CONSUMED = {"test-of-moments": topics.BROKER_CLOCK}
PLACE = TopicPartition(topics.BROKER_CLOCK.name, 0)


class World:
    """A database, whose processes come and go."""

    def __init__(self, stack: Stack, client: mongo.Client, service: str) -> None:
        self.service = service
        self.client = client
        self.database = client[f"set-back-{uuid4().hex}"]
        self._settings = Settings(kafka_bootstrap=stack.kafka_bootstrap)

    @asynccontextmanager
    async def process(self) -> AsyncIterator[StoreMoments]:
        """A process that has just started; it stops as it should."""
        fence = Fence(self.client, self.database)
        await fence.raise_count()
        kafka = Kafka(self._settings, self.service, IDS.event_id)
        await kafka.connect()
        moments = StoreMoments(kafka, self.positions, fence, self.service)
        try:
            yield moments
            await fence.raise_count()
            await moments.close()
        finally:
            await kafka.stop()

    @property
    def positions(self) -> Positions:
        return Positions(self.client, self.database, Fence(self.client, self.database))

    async def went_back(self) -> bool:
        async with self.process() as moments:
            while True:
                try:
                    return await moments.tells_of_set_back(CONSUMED)
                except GroupCoordinatorNotAvailableError:  # of brokers that have just started
                    await asyncio.sleep(0.5)

    async def read_again_below(self) -> int:
        """Return below which offset the group is to read again in the one partition, 0 where nowhere."""
        group = f"{self.service}-{next(iter(CONSUMED))}"
        return (await self.positions.read(group, [PLACE])).get(PLACE, Position(0)).known_until


@asynccontextmanager
async def world_of(stack: Stack, service: str) -> AsyncIterator[World]:
    client = mongo.connect(stack.mongo_url, "test")
    made = World(stack, client, service)
    yield made
    await client.drop_database(made.database.name)
    await mongo.close(client)


@pytest.fixture
async def world(infrastructure: Stack) -> AsyncIterator[World]:
    # No other test has this service publish of which moment its database is.
    async with world_of(infrastructure, "verifier") as made:
        async with made.process():
            pass
        yield made


async def test_a_database_that_stayed_is_not_called_set_back_and_one_of_a_second_earlier_is(world: World) -> None:
    assert not await world.went_back()
    await world.database["fence"].update_many({}, [{"$set": {"raised_at": {"$subtract": ["$raised_at", 1000]}}}])
    assert await world.went_back()


async def test_a_database_that_stayed_is_not_called_set_back_however_long_nothing_ran(infrastructure: Stack) -> None:
    async with world_of(infrastructure, "evidence") as world:
        used_at = datetime.now(UTC) - timedelta(days=40)
        last = {"_id": "gone", "schema": 1, "count": 9, "begun_at": used_at, "raised_at": used_at}
        await world.database["fence"].insert_one(last)
        async with world.process() as moments:
            await moments.publish()
            assert not await moments.tells_of_set_back(CONSUMED)


async def test_a_database_that_was_put_back_while_nothing_ran_is_known_by_the_record(world: World) -> None:
    copy = await world.database["fence"].find({}).to_list(None)
    assert not await world.went_back()
    await world.database["fence"].delete_many({})
    await world.database["fence"].insert_many(copy)
    assert await world.went_back()
    await world.database["fence"].delete_many({})
    assert await world.went_back(), "an empty one is of an earlier moment still"


async def send(stack: Stack) -> int:
    """Send something; return the offset of what comes next."""
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap) as producer:
        sent = await producer.send_and_wait(PLACE.topic, b"", partition=PLACE.partition)
    return int(sent.offset) + 1


async def test_what_came_before_the_database_was_last_used_is_read_again_wherever_the_group_stands(
    infrastructure: Stack, world: World
) -> None:
    # The group has committed nothing, as one that was reset to the very moment of the database.
    copy = await world.database["fence"].find({}).to_list(None)
    assert not await world.went_back()
    assert not await world.read_again_below()
    end = await send(infrastructure)
    await world.database["fence"].delete_many({})
    await world.database["fence"].insert_many(copy)
    assert await world.went_back()
    assert await world.read_again_below() == end


async def test_what_came_long_after_the_database_was_last_used_is_new(infrastructure: Stack) -> None:
    async with world_of(infrastructure, "issuer") as world:
        used_at = datetime.now(UTC) - timedelta(minutes=5)
        last = {"_id": "gone", "schema": 1, "count": 9, "begun_at": used_at, "raised_at": used_at}
        await world.database["fence"].insert_one(last)
        async with world.process() as moments:
            await moments.publish()
            end = await send(infrastructure)
            await world.database["fence"].delete_one({"_id": "gone"})
            assert await moments.tells_of_set_back(CONSUMED)
        assert await world.read_again_below() < end


async def test_offsets_are_lost_where_the_topic_is_not_the_one_of_the_database_and_where_nothing_knows_any(
    world: World, infrastructure: Stack
) -> None:
    group = f"{world.service}-{next(iter(CONSUMED))}"
    assert not await world.went_back(), "which alone nobody takes for a loss"
    async with world.process() as moments:
        assert await moments.lost_offsets(CONSUMED), "the database may be from before the first, and Kafka too"
        consumer = AIOKafkaConsumer(bootstrap_servers=infrastructure.kafka_bootstrap, group_id=group)
        await consumer.start()
        try:
            consumer.assign([PLACE])
            await consumer.commit({PLACE: 0})
        finally:
            await consumer.stop()
        assert not await moments.lost_offsets(CONSUMED)
        await world.positions.keep(group, {PLACE: Position(0, topic_id="of one that is gone")})
        assert await moments.lost_offsets(CONSUMED)


async def test_what_comes_is_in_doubt_until_that_is_ended_and_what_came_before_stays_so(world: World) -> None:
    fence, now = Fence(world.client, world.database), datetime.now(UTC).replace(microsecond=0)
    await fence.end_doubt(now)
    assert await fence.doubted_until() is None
    for _ in range(2):
        await fence.doubt()
    await fence.raise_count()
    assert (await fence.doubted_until() or now) > now + timedelta(days=366)
    for at in (now, now + timedelta(days=1)):
        await fence.end_doubt(at)
    assert await fence.doubted_until() == now


async def test_the_notifier_holds_all_that_comes_where_a_restored_database_and_kafka_know_no_place_of_its_groups(
    world: World,
) -> None:
    fence, deliveries = Fence(world.client, world.database), Deliveries(world.database)
    assert not await world.went_back()
    async with world.process() as moments:
        await _hold(fence, moments, deliveries)
        assert await fence.doubted_until() is None, "it has just been installed"
        await fence.note()
        await _hold(fence, moments, deliveries)
        assert not await fence.noted()
        assert (await fence.doubted_until() or datetime.now(UTC)) > datetime.now(UTC)
