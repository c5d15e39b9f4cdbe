"""What the consumer loop makes of the types of records: its own, those of a later version, and foreign ones."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from libs.common.consumer import Consumer
from libs.common.record_reading import RecordReader
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import DeadLetter, LearnerContact
from tests.positions_in_memory import MemoryPositions, MemoryTopics

TP = TopicPartition(topics.LEARNER_CONTACTS.name, 0)
TYPES = [
    b"org.bowerbirdbadges.learner.contact.v2",
    b"org.bowerbirdbadges.learner.seen.v1",
    b"com.example.o.v1",
    b"",
    b"org.bowerbirdbadges.credential.issued.v1",  # another consumer's, who says that the record breaks its contract
]


class Client:
    """Stands for Kafka and its client: one batch, one record of each type."""

    def __init__(self) -> None:
        self.topics = MemoryTopics()
        self.letters: list[Outgoing] = []
        self.committed: dict[TopicPartition, int] = {}
        self._given = False

    def declare_consumer(self, *_args: object) -> Callable[[], "Client"]:
        return lambda: self

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        self.letters += outgoing

    async def getmany(self, **_asked: int) -> dict[Any, Any]:
        await asyncio.sleep(0)
        if self._given:
            return {}
        self._given = True
        return {TP: [_record(offset, name) for offset, name in enumerate(TYPES)]}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed |= offsets


def _record(offset: int, name: bytes) -> ConsumerRecord:
    return ConsumerRecord(TP.topic, 0, offset, 0, 0, b"key", b"{}", None, 3, 2, [("ce_type", name)])


def counted(outcome: str) -> float:
    return (
        REGISTRY.get_sample_value(
            "bowerbird_consumer_records_total", {"consumer": "notifier-types", "outcome": outcome}
        )
        or 0
    )


async def test_a_type_of_a_later_version_or_anothers_is_skipped_and_a_foreign_one_is_a_dead_letter() -> None:
    client = Client()

    async def handle(_batch: Sequence[Received[LearnerContact]]) -> Sequence[Outgoing]:
        raise AssertionError("none of these is for this handler")

    consumer = Consumer(
        client,  # type: ignore[arg-type]  # stands for it
        service="notifier",
        name="types",
        topics=[topics.LEARNER_CONTACTS],
        contracts=[LearnerContact],
        handle=handle,
        max_records=8,
        positions=MemoryPositions(),
    )
    with capture_logs() as logged:
        running = asyncio.create_task(consumer.run())
        async with asyncio.timeout(10):
            while not (client.committed or running.done()):  # noqa: ASYNC110  # the loop sets no event
                await asyncio.sleep(0.01)
        await consumer.stop(1)
        await running
    assert client.committed == {TP: len(TYPES)}
    letters = [each.event for each in client.letters if isinstance(each.event, DeadLetter)]
    assert [(each.offset, each.reason) for each in letters] == [(2, "unknown_type"), (3, "no_type")]
    assert (counted("not_for_us"), counted("dead_letter")) == (3, 2)
    (told,) = (each for each in logged if each["event"] == "records cannot be read")
    assert (told["log_level"], told["places"], told["reasons"]) == (
        "error",
        [f"{TP.topic}/0:2", f"{TP.topic}/0:3"],
        ["no_type", "unknown_type"],
    )


@pytest.mark.parametrize(
    ("timestamp", "sent_at"), [(1_796_000_000_250, datetime(2026, 11, 30, 0, 53, 20, 250_000, UTC)), (-1, None)]
)
def test_a_tombstone_tells_when_the_broker_took_it_where_that_is_known(
    timestamp: int, sent_at: datetime | None
) -> None:
    reader = RecordReader("notifier-types", [LearnerContact], tombstones=True, is_known=lambda _: False)
    tombstone = ConsumerRecord(TP.topic, 0, 7, timestamp, 1, b"key", None, None, 3, 0, [])
    ((_, received),), dead = reader.read([tombstone], Counter())
    assert (received.event, received.key, received.sent_at, dead) == (None, "key", sent_at, [])
