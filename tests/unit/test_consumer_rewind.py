"""At a record that cannot be unpacked the loop goes back to what is committed, also where Kafka goes away meanwhile."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaConnectionError

from libs.common.consumer import Consumer
from libs.common.telemetry import new_trace
from libs.contracts import topics
from libs.contracts.cloudevents import Origin, Outgoing, Received, headers_of
from libs.contracts.events import DeadLetter, LearnerContact
from tests.ids import IDS, event_id
from tests.positions_in_memory import MemoryPositions, MemoryTopics

NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)
LEFT, RIGHT = (TopicPartition(topics.LEARNER_CONTACTS.name, number) for number in (0, 1))
RECORDS = 10
# Of the right partition.
UNREADABLE = 3


def record(tp: TopicPartition, offset: int) -> ConsumerRecord:
    learner = LearnerContact(learner_id=UUID(int=tp.partition * 100 + offset), issuer_id="northside", changed_at=NOW)
    headers = headers_of(Outgoing(learner, new_trace()), Origin("http://test", "evidence", IDS.event_id))
    body = learner.model_dump_json().encode()
    return ConsumerRecord(tp.topic, tp.partition, offset, 0, 0, learner.key.encode(), body, None, 0, 0, tuple(headers))


class Client:
    """aiokafka's consumer as it is at an unreadable record: it drops what it had in flight, whose positions moved on.

    Stands for Kafka and for the handler too, so that it sees a commit that passes over a record nobody was given.
    """

    def __init__(self, away_at: set[int], unreadable: Exception) -> None:
        self._away_at = away_at
        self._unreadable = unreadable
        self._asked = 0
        self._committed: dict[TopicPartition, int] = {}
        self._positions = {LEFT: 0, RIGHT: 0}
        # What has arrived: more of the left partition comes after the first failure, the right one is fetched anew.
        self._arrived = {LEFT: 4, RIGHT: RECORDS}
        self._fetching = False
        self.topics = MemoryTopics()
        self.handled: set[UUID] = set()
        self.letters: list[Outgoing] = []

    async def handle(self, batch: Sequence[Received[LearnerContact]]) -> Sequence[Outgoing]:
        self.handled |= {received.event.learner_id for received in batch if received.event is not None}
        return []

    def declare_consumer(self, *_: object) -> Any:
        return lambda: self

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        self.letters += outgoing

    def assignment(self) -> list[TopicPartition]:
        return [LEFT, RIGHT]

    async def getmany(self, *asked: TopicPartition, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        await asyncio.sleep(0)
        taken: dict[TopicPartition, list[ConsumerRecord]] = {}
        for tp in asked or self.assignment():
            first = self._positions[tp]
            end = min(first + max_records - sum(map(len, taken.values())), self._arrived[tp])
            if tp == RIGHT and self._fetching and not asked:
                # Whoever asks for it alone waits for it.
                self._fetching = False
            elif tp == RIGHT and first <= UNREADABLE < end:
                self._arrived[LEFT], self._fetching = RECORDS, True
                raise self._unreadable
            elif first < end:
                taken[tp] = [record(tp, offset) for offset in range(first, end)]
                self._positions[tp] = end
        return taken

    async def committed(self, tp: TopicPartition) -> int | None:
        self._asked += 1
        if self._asked in self._away_at:
            raise KafkaConnectionError("the broker is away")
        return self._committed.get(tp)

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, RECORDS)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        for tp, offset in offsets.items():
            passed = {tp.partition * 100 + each for each in range(offset) if (tp, each) != (RIGHT, UNREADABLE)}
            assert {UUID(int=each) for each in passed} <= self.handled, f"a record is lost before {offset} of {tp}"
        self._committed |= offsets

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    def highwater(self, _tp: TopicPartition) -> int:
        return RECORDS

    @property
    def done(self) -> bool:
        return self._committed == {LEFT: RECORDS, RIGHT: RECORDS}


@pytest.mark.parametrize(
    "away_at",
    [set(), {1}, {2}, {1, 2, 4}, {3}],
    ids=["never", "before all", "in between", "again and again", "at the one that fails"],
)
@pytest.mark.parametrize(
    "unreadable",
    [ValueError("a header's name is not UTF-8"), CorruptRecordException("Invalid CRC"), EOFError("cut off")],
    ids=["header", "checksum", "compression"],
)
async def test_kafka_that_goes_away_while_the_loop_goes_back_costs_no_record(
    away_at: set[int], unreadable: Exception
) -> None:
    client = Client(away_at, unreadable)
    consumer = Consumer(
        client,  # type: ignore[arg-type]  # stands for it
        service="notifier",
        name="rewind",
        topics=[topics.LEARNER_CONTACTS],
        contracts=[LearnerContact],
        handle=client.handle,
        max_records=8,
        positions=MemoryPositions(),
    )
    await consumer.on_partitions_assigned(client.assignment())
    running = asyncio.create_task(consumer.run())
    async with asyncio.timeout(10):
        while not (client.done or running.done()):  # noqa: ASYNC110  # the loop sets no event
            await asyncio.sleep(0.01)
    await consumer.stop(1)
    await running
    letters = {event_id(each.event): each.event for each in client.letters}
    assert [(each.partition, each.offset) for each in letters.values() if isinstance(each, DeadLetter)] == [
        (RIGHT.partition, UNREADABLE)
    ]
