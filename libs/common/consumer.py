"""The consumer loop, written once: take a batch, judge each record, do the effects, publish, commit its offsets.

What a crash does between the steps (docs/adr/0005-the-consumer-pattern.md has the argument for each):

1. take a batch of raw records            nothing happened yet
2. parse each record on its own           nothing happened yet
3. do the effects, idempotent             they are done again, and change nothing
4. publish what follows, dead letters     published again, with the same event ids
5. commit the exact offsets of the batch  the batch is done
"""

import asyncio
import random
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from gzip import BadGzipFile
from time import monotonic
from typing import Generic

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, CorruptRecordException, IllegalStateError, KafkaError
from pymongo.errors import PyMongoError

from libs.common import metrics
from libs.common.assignments import Partition
from libs.common.batches import account, start_counting, waiting_fields
from libs.common.dead_letters import dead_letter
from libs.common.failpoints import failpoint
from libs.common.health import Heartbeat
from libs.common.kafka import REBALANCE_TIMEOUT_MS, RECORD_TOO_LARGE, Kafka, is_transient
from libs.common.kafka_client import member_id_of
from libs.common.lag import Lag
from libs.common.lanes import Lanes
from libs.common.mongo import is_permanent
from libs.common.positions import Places, PositionStore
from libs.common.record_reading import FailedRecord, ReadRecord, RecordReader
from libs.common.telemetry import get_logger
from libs.contracts.cloudevents import EventT, Outgoing, Received
from libs.contracts.topics import Topic

Handler = Callable[[Sequence[Received[EventT]]], Awaitable[Sequence[Outgoing]]]

_POLL_MS = 500
_TAKE_MS = 1_000
_FIRST_PAUSE_SECONDS = 0.1
# The partitions are, or will be, another member's.
_MOVED = (CommitFailedError, IllegalStateError)
# What the client library raises at records that it cannot unpack: damaged data, a checksum that is not theirs.
_UNREADABLE = (ValueError, EOFError, zlib.error, BadGzipFile, CorruptRecordException)
_LONGEST_PAUSE_SECONDS = 5.0
# A record that fails alone this often, with everything it needs at hand, is the record's fault.
_ATTEMPTS_ALONE = 3


class _AbandonedError(Exception):
    """The batch in flight was given up, uncommitted: its partitions moved, or the process stops."""


class Consumer(ConsumerRebalanceListener, Generic[EventT]):  # type: ignore[misc]  # aiokafka publishes no types
    """One consumer group member; `handle` does the effects of a batch and returns what is to be published.

    `handle` must be idempotent, and may be given any part of a batch again. It raises PyMongoError or OSError where
    something is away, which is waited for; any other error is narrowed down to the record that causes it, and that
    record goes to the dead letters. What is on the topic `bulk`, where there is one, yields to the others.
    """

    def __init__(
        self,
        kafka: Kafka,
        *,
        service: str,
        name: str,
        topics: Sequence[Topic],
        contracts: Sequence[type[EventT]],
        handle: Handler[EventT],
        max_records: int,
        positions: PositionStore,
        member: int = 1,
        tombstones: bool = False,
        bulk: Topic | None = None,
    ) -> None:
        topics = [*topics, *([] if bulk is None else [bulk])]
        self.group = f"{service}-{name}"
        # What its own loop is known by in metrics and logs.
        self.name = self.group if member == 1 else f"{self.group}-{member}"
        self.topics = frozenset(topic.name for topic in topics)
        self.heartbeat = Heartbeat()
        self._kafka = kafka
        self._service = service
        self._handle = handle
        self._max_records = max_records
        self._lanes = Lanes(bulk, max_records)
        self._places = Places(positions, self.group, self.name, kafka.topics.ids)
        self._reader = RecordReader(self.group, contracts, tombstones=tombstones, is_known=self._places.is_known)
        # How often partitions were assigned, and for which of these times each stands in its place.
        self._assigned = self._placed = 0
        self._in_flight = asyncio.Lock()
        self._taken: dict[TopicPartition, list[ConsumerRecord]] = {}
        self._abandon = asyncio.Event()
        self._stopping = asyncio.Event()
        start_counting(self.name)
        self._lag = Lag(self.name)
        self._consumer: Callable[[], AIOKafkaConsumer] = kafka.declare_consumer(
            self.group, topics, self, bulk is not None
        )

    @property
    def member_id(self) -> str:
        """What the group's coordinator calls this member; empty before it has joined."""
        return member_id_of(self._consumer())

    @property
    def assigned(self) -> frozenset[Partition]:
        """The partitions that this member fetches."""
        return frozenset(Partition(tp.topic, tp.partition) for tp in self._consumer().assignment())

    async def run(self) -> None:
        """Consume until `stop` is called. Any error that leaves this method is a defect and must end the process."""
        consumer = self._consumer()
        while not self._stopping.is_set():
            self.heartbeat.beat()
            if not await self._in_place(consumer):
                continue
            assigned = self._assigned
            try:
                by_partition = await self._lanes.take(consumer, _POLL_MS)
            except _UNREADABLE as error:
                async with self._in_flight:
                    if assigned == self._assigned:
                        await self._pass_unreadable(consumer, error)
                continue
            except KafkaError as error:
                if not is_transient(error):
                    raise
                get_logger().warning("waiting for kafka", consumer=self.name, problem=type(error).__name__)
                await self._pause(_LONGEST_PAUSE_SECONDS)
                continue
            if by_partition:
                async with self._in_flight:
                    # What was taken while partitions were assigned is taken again, from its place.
                    if assigned == self._assigned:
                        await self._one_batch(consumer, by_partition)

    async def _in_place(self, consumer: AIOKafkaConsumer) -> bool:
        """See to it that every partition stands in its place; False where partitions have moved meanwhile."""
        assigned = self._assigned
        if self._placed != assigned:
            try:
                await self._persist(lambda: self._places.begin(consumer))
            except (_AbandonedError, *_MOVED):
                await asyncio.sleep(_FIRST_PAUSE_SECONDS)
                return False
            self._lanes.assigned(self._places.known(self._max_records))
            self._placed = assigned
        return True

    async def probe(self) -> str | None:
        """Return that what the database lacks is being read again; None where it lacks nothing."""
        return f"reads {self._places.left} records again" if self._places.left else None

    async def keep_positions(self) -> None:
        """Write down how far this member has come (`libs.common.positions`)."""
        await self._places.keep()

    async def _keep_at_last(self) -> None:
        """Write it down before partitions are given back; if that fails, their next member reads some seconds again."""
        try:
            async with asyncio.timeout(_LONGEST_PAUSE_SECONDS):
                await self._places.keep()
        except (PyMongoError, OSError) as error:
            get_logger().warning("positions not kept", consumer=self.name, problem=type(error).__name__)

    async def _pass_unreadable(self, consumer: AIOKafkaConsumer, error: Exception) -> None:
        """Get past a record that the client library cannot unpack (a wrong checksum, a header whose name is not UTF-8).

        The call that failed has dropped what it had of other partitions and moved their positions on: everything is
        taken again from behind what is committed, one partition at a time, and record by record in the one that fails.
        """
        get_logger().error("a record cannot be unpacked", consumer=self.name, error=type(error).__name__)
        try:
            # All at once: going on before every partition is back would commit past what the failed call dropped.
            for tp in consumer.assignment():
                consumer.seek(tp, self._places.offset(tp))
            for tp in consumer.assignment():
                if not await self._take(consumer, tp, self._max_records):
                    await self._pass_one(consumer, tp)
        except (_AbandonedError, KafkaError) as gone:
            if isinstance(gone, KafkaError) and not (is_transient(gone) or isinstance(gone, _MOVED)):
                raise
            get_logger().warning("batch will be redelivered", consumer=self.name, problem=type(gone).__name__)

    async def _pass_one(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        """Record by record up to the one that cannot be unpacked, and past it."""
        consumer.seek(tp, self._places.offset(tp))
        while await self._take(consumer, tp, 1):
            if await consumer.position(tp) >= (consumer.highwater(tp) or 0):
                return  # it is not there any more: its time on the topic was over
        await self._set_aside(consumer, tp)

    async def _take(self, consumer: AIOKafkaConsumer, tp: TopicPartition, records: int) -> bool:
        """Process up to so many records of one partition; False where the next one cannot be unpacked."""
        self.heartbeat.beat()
        if self._placed != self._assigned:
            raise _AbandonedError
        try:
            taken = await consumer.getmany(tp, timeout_ms=_TAKE_MS, max_records=records)
        except _UNREADABLE:
            return False
        if taken:
            await self._one_batch(consumer, taken)
        return True

    async def _set_aside(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        """A dead letter that tells where the record stands, and on behind it."""
        offset = await consumer.position(tp)
        place = ConsumerRecord(tp.topic, tp.partition, offset, 0, 0, None, None, None, 0, 0, ())
        letter = self._dead_letter(place, "cannot_be_unpacked", "the client library cannot unpack the record", 1)
        await self._persist(lambda: self._kafka.publish([letter]))
        consumer.seek(tp, offset + 1)
        await self._commit(consumer, {tp: offset + 1})
        metrics.RECORDS.labels(self.name, "dead_letter").inc()

    async def stop(self, patience_seconds: float) -> None:
        """Finish the batch in flight if it takes no longer than this, then end the loop."""
        self._stopping.set()
        try:
            async with asyncio.timeout(patience_seconds), self._in_flight:
                await self._keep_at_last()
        except TimeoutError:
            self._abandon.set()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let the batch in flight finish before its partitions move; one that cannot is given up, uncommitted."""
        try:
            async with asyncio.timeout(REBALANCE_TIMEOUT_MS / 1000 / 2), self._in_flight:
                await self._keep_at_last()
        except TimeoutError:
            self._abandon.set()
        for tp in revoked:
            metrics.LAG_RECORDS.labels(self.name, tp.topic, str(tp.partition)).set(0)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing of an earlier batch is in flight; the loop sets each partition to its place before it takes any."""
        self._abandon.clear()
        self._assigned += 1
        self._lag.assigned()

    async def _one_batch(
        self, consumer: AIOKafkaConsumer, by_partition: dict[TopicPartition, list[ConsumerRecord]]
    ) -> None:
        started = monotonic()
        records = [record for partition in by_partition.values() for record in partition]
        self._taken = by_partition
        outcomes: Counter[str] = Counter()
        good, dead = self._reader.read(records, outcomes)
        try:
            dead += await self._do(good, outcomes)
            await self._persist(lambda: self._kafka.publish([self._dead_letter(*letter) for letter in dead]))
            failpoint("consumer.4", self.group)
            await self._commit(consumer, {tp: batch[-1].offset + 1 for tp, batch in by_partition.items()})
        except (_AbandonedError, *_MOVED) as error:
            outcomes = Counter({"redelivered": len(records)})
            get_logger().warning("batch will be redelivered", consumer=self.name, problem=type(error).__name__)
            self._rewind(consumer, by_partition)
        except KafkaError as error:
            if not is_transient(error):
                raise
            # The work is done and only its offsets are not committed: the next commit covers them.
            get_logger().warning("commit waits for kafka", consumer=self.name, problem=type(error).__name__)
        self._taken = {}
        traces = [parsed.received.trace for parsed in good]
        account(self.name, records, outcomes, traces, monotonic() - started)

    async def _commit(self, consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
        await consumer.commit(offsets)
        self._places.committed(offsets)

    def _rewind(self, consumer: AIOKafkaConsumer, by_partition: dict[TopicPartition, list[ConsumerRecord]]) -> None:
        """Stand before the batch again where its partitions are still ours, or a later commit would pass over it."""
        for tp, batch in by_partition.items():
            if tp in consumer.assignment():
                consumer.seek(tp, batch[0].offset)

    async def _do(self, batch: Sequence[ReadRecord[EventT]], outcomes: "Counter[str]") -> list[FailedRecord]:
        """Effects and publishing of these records; returns the ones whose own fault it is that they cannot be done."""
        if not batch:
            return []
        try:
            await self._persist(lambda: self._effects(batch), batch)
        except (_AbandonedError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001  # a defect met by one record must not stop its partition
            if len(batch) > 1:
                middle = len(batch) // 2
                return await self._do(batch[:middle], outcomes) + await self._do(batch[middle:], outcomes)
            return await self._alone(batch[0], error, outcomes)
        outcomes["done"] += len(batch)
        return []

    async def _alone(
        self, parsed: ReadRecord[EventT], error: Exception, outcomes: "Counter[str]"
    ) -> list[FailedRecord]:
        for _attempt in range(1, _ATTEMPTS_ALONE):
            await self._pause(_FIRST_PAUSE_SECONDS)
            try:
                await self._persist(lambda: self._effects([parsed]), [parsed])
            except (_AbandonedError, asyncio.CancelledError):
                raise
            except Exception as again:  # noqa: BLE001  # as above
                error = again
            else:
                outcomes["done"] += 1
                return []
        get_logger().error(
            "record cannot be processed",
            consumer=self.name,
            topic=parsed.record.topic,
            partition=parsed.record.partition,
            offset=parsed.record.offset,
            error=type(error).__name__,
        )
        outcomes["dead_letter"] += 1
        return [FailedRecord(parsed.record, "processing_failed", type(error).__name__, _ATTEMPTS_ALONE)]

    async def _effects(self, batch: Sequence[ReadRecord[EventT]]) -> None:
        outgoing = await self._handle([parsed.received for parsed in batch])
        failpoint("consumer.3", self.group)
        await self._kafka.publish(outgoing)

    async def _persist(self, work: Callable[[], Awaitable[None]], batch: Sequence[ReadRecord[EventT]] = ()) -> None:
        """Do `work` (for these records), again and again with capped backoff while something it needs is away."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            if self._abandon.is_set():
                raise _AbandonedError
            self.heartbeat.beat()
            try:
                return await work()
            except PyMongoError as error:
                if is_permanent(error):
                    raise
                problem: Exception = error
            except KafkaError as error:
                if isinstance(error, RECORD_TOO_LARGE):
                    raise
                if not is_transient(error):
                    raise _AbandonedError from error  # the process ends: see Kafka.failed
                problem = error
            except OSError as error:
                problem = error
            metrics.RETRIES.labels(self.name).inc()
            fields = waiting_fields(problem, [each.record for each in batch], _issuers(batch))
            get_logger().warning("batch waits", consumer=self.name, seconds=pause, **fields)
            await self._pause(pause * random.uniform(0.8, 1.2))  # noqa: S311  # jitter, not secrecy
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._abandon.wait()
        except TimeoutError:
            return

    def _dead_letter(self, record: ConsumerRecord, reason: str, detail: str, attempt: int) -> Outgoing:
        return dead_letter(
            record, service=self._service, consumer=self.group, reason=reason, detail=detail, attempt=attempt
        )

    async def measure_lag(self) -> None:
        """Measure how far the committed offsets are behind (`libs.common.lag`); also while a batch waits."""
        await self._lag.measure(self._consumer(), self._taken)


def _issuers(batch: Sequence[ReadRecord[EventT]]) -> list[str]:
    """Return the issuer of each record whose event names one."""
    events = (parsed.received.event for parsed in batch)
    return [issuer for event in events if (issuer := getattr(event, "issuer_id", None)) is not None]
