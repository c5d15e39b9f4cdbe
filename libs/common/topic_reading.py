"""Reading topics from given places to their present ends, in no group: for whoever takes up what was published."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.common.kafka import Kafka, TopicsMissingError
from libs.common.telemetry import get_logger
from libs.contracts.cloudevents import UnknownTypeError, UnreadableRecordError, read_event, readable_headers
from libs.contracts.events import Event
from libs.contracts.topics import Topic

_AT_ONCE = 500
_WAIT_MS = 1_000

Ends = dict[TopicPartition, int]
"""For each partition the offset of the record that comes next."""


class TopicReader:
    """Reads topics that are open for reading."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def ends(self) -> Ends:
        """Return where the topics end now."""
        ends: Ends = await self._consumer.end_offsets(self._consumer.assignment())
        return ends

    async def events(self, since: Mapping[TopicPartition, int], ends: Ends) -> AsyncIterator[list[Event]]:
        """Yield the events from `since` up to `ends`, some hundreds at once, those of a partition in their order.

        Tombstones are left out, and records that are none of ours: those are their consumers' dead letters.
        """
        first = await self._consumer.beginning_offsets(list(ends))
        for tp in ends:
            self._consumer.seek(tp, max(first[tp], since.get(tp, 0)))
        left = {tp for tp, end in ends.items() if await self._consumer.position(tp) < end}
        while left:
            taken = await self._consumer.getmany(*left, timeout_ms=_WAIT_MS, max_records=_AT_ONCE)
            events = [
                event
                for tp, records in taken.items()
                for record in records
                if record.offset < ends[tp] and (event := _event(record.headers, record.value)) is not None
            ]
            if events:
                yield events
            left = {tp for tp in left if await self._consumer.position(tp) < ends[tp]}


@asynccontextmanager
async def reading(kafka: Kafka, *topics: Topic) -> AsyncIterator[TopicReader]:
    """Open topics for reading.

    Raises:
        TopicsMissingError: some do not exist (yet).
        KafkaError: the brokers are unavailable.
    """
    consumer = kafka.reader(*topics)
    try:
        await consumer.start()
        missing = {topic.name for topic in topics} - {tp.topic for tp in consumer.assignment()}
        if missing:
            raise TopicsMissingError(missing)
        yield TopicReader(consumer)
    finally:
        await consumer.stop()


def _event(headers: tuple[tuple[str, bytes], ...], value: bytes | None) -> Event | None:
    if value is None:
        return None
    try:
        return read_event(readable_headers(headers), value)
    except (UnknownTypeError, UnreadableRecordError) as error:
        get_logger().warning("a record is left out", problem=type(error).__name__)
        return None
