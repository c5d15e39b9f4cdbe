"""Reading topics from given places to their present ends, in no group: for whoever takes up what was published."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from libs.common.kafka import Kafka, TopicsMissingError
from libs.common.telemetry import get_logger
from libs.contracts.cloudevents import UnknownTypeError, UnreadableRecordError, read_event, readable_headers
from libs.contracts.events import Event
from libs.contracts.topics import Topic

_AT_ONCE = 500
_WAIT_MS = 1_000
# So many answers without a record, from all that are asked: where there is one, the first has it.
_EMPTY_ANSWERS = 3

Ends = dict[TopicPartition, int]
"""For each partition the offset of the record that comes next."""


class RecordsGoneError(OSError):
    """A topic ends before the place that it ended at a moment ago."""


class TopicReader:
    """Reads topics that are open for reading.

    Attributes:
        ids: of the topics, by name, as far as their brokers give any.
    """

    def __init__(self, consumer: AIOKafkaConsumer, ids: Mapping[str, str]) -> None:
        self._consumer = consumer
        self.ids = ids

    async def ends(self) -> Ends:
        """Return where the topics end now."""
        ends: Ends = await self._consumer.end_offsets(self._consumer.assignment())
        return ends

    async def events(self, since: Mapping[TopicPartition, int], ends: Ends) -> AsyncGenerator[list[Event]]:
        """Yield the events from `since` up to `ends`, some hundreds at once, those of a partition in their order.

        Tombstones are left out, and records that are none of ours: those are their consumers' dead letters.

        Raises:
            RecordsGoneError: as of `records_until`.
        """
        self._consumer.resume(*ends)
        first = await self._consumer.beginning_offsets(list(ends))
        for tp in ends:
            self._consumer.seek(tp, max(first[tp], since.get(tp, 0)))
        async for taken in records_until(self._consumer, ends, _AT_ONCE):
            events = [
                event
                for records in taken.values()
                for record in records
                if (event := _event(record.headers, record.value)) is not None
            ]
            if events:
                yield events

    async def has_any(self, since: Mapping[TopicPartition, int], ends: Ends) -> bool:
        """Return whether there is any event from `since` up to `ends`.

        Raises:
            RecordsGoneError: as of `events`.
        """
        async with aclosing(self.events(since, ends)) as some:
            return await anext(some, None) is not None


async def records_until(
    consumer: AIOKafkaConsumer, ends: Ends, at_once: int
) -> AsyncGenerator[dict[TopicPartition, list[ConsumerRecord]]]:
    """Yield the records from where a consumer stands up to these ends, by partition, no more than so many at once.

    Where the brokers have nothing between a place and the end (compaction took it, or they lost it), it ends there.

    Raises:
        RecordsGoneError: a topic ends before it did; it may have been made anew meanwhile.
    """
    left = {tp for tp, end in ends.items() if await consumer.position(tp) < end}
    silence = _Silence(consumer)
    while left:
        # What is behind the end would take the place of what is asked for.
        consumer.pause(*(ends.keys() - left))
        taken = await consumer.getmany(*left, timeout_ms=_WAIT_MS, max_records=at_once)
        if taken:
            yield {tp: [each for each in records if each.offset < ends[tp]] for tp, records in taken.items()}
            silence = _Silence(consumer)
        left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
        if not taken:
            left -= {tp for tp in left if silence.tells_of_the_end(tp, ends[tp])}


class _Silence:
    """What brokers answered in a row without any record, though the end is not reached."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._answers: dict[TopicPartition, set[int]] = {}

    def tells_of_the_end(self, tp: TopicPartition, end: int) -> bool:
        """Return whether nothing is left before the end of this partition.

        Raises:
            RecordsGoneError: it ends before.
        """
        answered_at = self._consumer.last_poll_timestamp(tp)
        answers = self._answers.setdefault(tp, set())
        if answered_at is not None:
            answers.add(answered_at)
        # The first may have been given before there was any question.
        if len(answers) <= _EMPTY_ANSWERS:
            return False
        if (self._consumer.highwater(tp) or 0) < end:
            raise RecordsGoneError(f"{tp.topic}, partition {tp.partition}, ends before it did")
        get_logger().warning("nothing is left before the end", topic=tp.topic, partition=tp.partition, end=end)
        return True


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
        # From its start on a consumer fetches what it stands at: a megabyte of each partition, though it may only be
        # asked for the ends. `events` resumes those that are read.
        consumer.pause(*consumer.assignment())
        # Before any offset is asked for: one that is made anew meanwhile is another one for the next reader.
        yield TopicReader(consumer, await kafka.topics.ids([topic.name for topic in topics]))
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
