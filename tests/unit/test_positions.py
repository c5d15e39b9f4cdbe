"""Where a group begins a partition, by what Kafka and the database say of it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from libs.common.consumer import Consumer
from libs.common.positions import Place, Places, Position
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import LearnerContact
from tests.positions_in_memory import MemoryPositions, MemoryTopics
from tests.unit.test_consumer_rewind import LEFT, RIGHT, record

GROUP = "notifier-positions"


@pytest.mark.parametrize(
    ("place", "begins"),
    [
        (Place(0, 100, None, None), Position(0, 0)),
        (Place(0, 100, 60, Position(60)), Position(60, 60)),
        # A process was killed between a commit and the next keeping.
        (Place(0, 100, 60, Position(50)), Position(50, 60)),
        # The database was set back, or is another one.
        (Place(0, 100, 60, Position(10)), Position(10, 60)),
        (Place(0, 100, 60, None), Position(0, 60)),
        # It was killed while it read again, having committed on its way.
        (Place(0, 100, 20, Position(20, 60)), Position(20, 60)),
        # What is older than the topic's first record is not there to be read again.
        (Place(30, 100, 60, Position(10)), Position(30, 60)),
        # The group was set back or removed: how far it had come nobody can say.
        (Place(0, 100, 40, Position(60)), Position(40, 100)),
        (Place(0, 100, None, Position(60)), Position(0, 100)),
        # The topic was made anew.
        (Place(0, 20, None, Position(60)), Position(0, 20)),
        (Place(0, 20, 60, Position(60)), Position(0, 20)),
        (Place(0, 0, 60, Position(60)), Position(0, 0)),
        # It was made anew and has grown past what was read of the one before, whether its group has begun it or not.
        (Place(0, 100, None, Position(60, 0, "before"), "now"), Position(0, 100, "now")),
        (Place(0, 100, 70, Position(60, 60, "before"), "now"), Position(0, 100, "now")),
        # It is the same, or the brokers had no ids, or give none any more.
        (Place(0, 100, 60, Position(60, 0, "now"), "now"), Position(60, 60, "now")),
        (Place(0, 100, 60, Position(60), "now"), Position(60, 60, "now")),
        (Place(0, 100, 60, Position(60, 0, "now")), Position(60, 60)),
    ],
)
def test_a_partition_begins_where_both_kafka_and_the_database_have_come_to(place: Place, begins: Position) -> None:
    assert place.begin(doubtful=place.is_reset) == begins


offsets = st.integers(0, 100)


@given(offsets, offsets, st.none() | offsets, st.none() | st.builds(Position, offsets, offsets))
def test_no_record_that_the_database_may_lack_is_passed_over(
    first: int, more: int, committed: int | None, kept: Position | None
) -> None:
    place = Place(first, first + more, committed, kept)
    begins = place.begin(doubtful=place.is_reset)
    assert place.first <= begins.offset <= place.end
    assert begins.offset == place.first or (kept is not None and begins.offset <= kept.offset)


class Client:
    """Two partitions of a topic, of which everything was committed."""

    def __init__(self, committed: int) -> None:
        self.positions: dict[TopicPartition, int] = {}
        self.ends = {LEFT: committed, RIGHT: committed}
        self.commits = dict(self.ends)
        self.topics = MemoryTopics()
        self.given: list[Received[LearnerContact]] = []

    def declare_consumer(self, *_: object) -> Any:
        return lambda: self

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        assert not outgoing

    async def handle(self, batch: Sequence[Received[LearnerContact]]) -> Sequence[Outgoing]:
        self.given += batch
        return []

    def assignment(self) -> list[TopicPartition]:
        return [LEFT, RIGHT]

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.ends[tp] for tp in partitions}

    async def committed(self, tp: TopicPartition) -> int | None:
        return self.commits.get(tp)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.commits |= offsets

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        await asyncio.sleep(0)
        taken: dict[TopicPartition, list[ConsumerRecord]] = {}
        # Before it is told where to stand it stands at what is committed, as aiokafka does.
        for tp in self.assignment():
            start = self.positions[tp] if tp in self.positions else self.commits[tp]
            end = min(self.ends[tp], start + max_records)
            if start < end:
                taken[tp] = [record(tp, offset) for offset in range(start, end)]
                self.positions[tp] = end
        return taken


def consumer_of(client: Client, store: MemoryPositions) -> Consumer[LearnerContact]:
    return Consumer(
        client,  # type: ignore[arg-type]  # stands for it
        service="notifier",
        name="positions",
        topics=[topics.LEARNER_CONTACTS],
        contracts=[LearnerContact],
        handle=client.handle,
        max_records=3,
        positions=store,
    )


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # the loop sets no event
            await asyncio.sleep(0.001)


async def test_what_a_database_that_was_set_back_lacks_is_read_again_in_its_order_and_known_to_be_so() -> None:
    client, store = Client(committed=10), MemoryPositions()
    store.kept = {(GROUP, LEFT): Position(10), (GROUP, RIGHT): Position(4)}
    client.ends[RIGHT] = 12
    consumer = consumer_of(client, store)
    running = asyncio.create_task(consumer.run())
    # Partitions are assigned while the loop waits for records.
    await asyncio.sleep(0)
    await consumer.on_partitions_assigned(client.assignment())
    await until(lambda: client.commits[RIGHT] == 12)
    await consumer.stop(1)
    await running
    learners = [each.event.learner_id.int - 100 for each in client.given if each.event is not None]
    assert learners == list(range(4, 12))
    assert [each.known for each in client.given] == [True] * 6 + [False] * 2
    assert store.kept == {(GROUP, LEFT): Position(10), (GROUP, RIGHT): Position(12, 10)}


async def test_a_process_that_dies_while_it_reads_again_still_knows_what_was_processed_before() -> None:
    client, store = Client(committed=10), MemoryPositions()
    store.kept = {(GROUP, LEFT): Position(10), (GROUP, RIGHT): Position(4)}
    places = Places(store, GROUP, GROUP, client.topics.ids)
    await places.begin(client)
    await client.commit({RIGHT: 5})  # and dies before it writes that down
    again = Places(store, GROUP, GROUP, client.topics.ids)
    await again.begin(client)
    assert client.positions[RIGHT] == 4
    assert again.is_known(record(RIGHT, 9))
    assert not again.is_known(record(RIGHT, 10))


async def test_where_a_group_was_reset_in_one_partition_nothing_that_is_there_is_taken_for_new() -> None:
    client, store = Client(committed=10), MemoryPositions()
    client.ends = {LEFT: 20, RIGHT: 30}
    client.commits = {LEFT: 10, RIGHT: 7}
    store.kept = {(GROUP, LEFT): Position(10), (GROUP, RIGHT): Position(8)}
    places = Places(store, GROUP, GROUP, client.topics.ids)
    await places.begin(client)
    assert client.positions == {LEFT: 10, RIGHT: 7}
    assert places.is_known(record(LEFT, 19))
    assert places.is_known(record(RIGHT, 29))


async def test_a_reset_is_told_of_once_also_in_partitions_where_nothing_comes_for_long() -> None:
    client, store = Client(committed=10), MemoryPositions()
    # The topic was made anew with Kafka's disk, and nothing is on it in one partition.
    client.ends = {LEFT: 0, RIGHT: 3}
    client.commits = {}
    store.kept = {(GROUP, LEFT): Position(10), (GROUP, RIGHT): Position(10)}
    await Places(store, GROUP, GROUP, client.topics.ids).begin(client)
    client.ends = {LEFT: 0, RIGHT: 5}
    again = Places(store, GROUP, GROUP, client.topics.ids)
    await again.begin(client)
    assert client.positions == {LEFT: 0, RIGHT: 0}
    assert again.is_known(record(RIGHT, 2))
    assert not again.is_known(record(RIGHT, 3)), "what has come since the topic was made is new"
    kept, committed = store.kept, client.commits
    assert not any(Place(0, client.ends[tp], committed[tp], kept[GROUP, tp]).is_reset for tp in (LEFT, RIGHT))


async def test_positions_are_kept_once_they_have_changed() -> None:
    client, store = Client(committed=10), MemoryPositions()
    store.kept = {(GROUP, LEFT): Position(10), (GROUP, RIGHT): Position(10)}
    places = Places(store, GROUP, GROUP, client.topics.ids)
    await places.begin(client)
    store.kept.clear()
    await places.keep()
    assert store.kept == {}
    places.committed({LEFT: 11})
    await places.keep()
    assert store.kept == {(GROUP, LEFT): Position(11, 10)}


async def test_a_topic_that_was_made_anew_and_has_grown_past_what_was_read_is_read_from_its_beginning() -> None:
    client, store = Client(committed=10), MemoryPositions()
    client.topics.known = {LEFT.topic: "before"}
    store.kept = {(GROUP, LEFT): Position(10), (GROUP, RIGHT): Position(4)}
    places = Places(store, GROUP, GROUP, client.topics.ids)
    await places.begin(client)
    places.committed({LEFT: 10, RIGHT: 10})
    await places.keep()
    assert store.kept[GROUP, LEFT].topic_id == "before"
    client.topics.known, client.ends, client.commits = {LEFT.topic: "anew"}, {LEFT: 40, RIGHT: 50}, {}
    await Places(store, GROUP, GROUP, client.topics.ids).begin(client)
    assert client.positions == {LEFT: 0, RIGHT: 0}
    assert store.kept == {(GROUP, LEFT): Position(0, 40, "anew"), (GROUP, RIGHT): Position(0, 50, "anew")}
