"""The connection to Kafka (FastStream's broker): publishing that is keyed, idempotent, pipelined and confirmed."""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    KafkaUnavailableError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    UnknownError,
)
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.publisher.producer import AioKafkaFastProducerImpl

from libs.common import metrics
from libs.common.kafka_client import fetch_all_partitions, tasks_of
from libs.common.publishing import BATCH_BYTES, publish_records
from libs.common.settings import Settings
from libs.common.store_access import kafka_admin_options, kafka_options, kafka_security
from libs.common.telemetry import get_logger
from libs.common.topic_states import TopicStates
from libs.contracts import rights
from libs.contracts.cloudevents import Origin, Outgoing, encode
from libs.contracts.events import EVENTS, AuditEntryCopied, DeadLetter
from libs.contracts.topics import BROKER_CLOCK, LARGEST_LETTER_BYTES, Topic

RECORD_TOO_LARGE = (MessageSizeTooLargeError, RecordTooLargeError)
_TRANSIENT = (KafkaTimeoutError, KafkaUnavailableError, UnknownError)
_CONNECT_AGAIN_SECONDS = 1.0
# How soon partitions that were added, or topics that came back, are noticed; the library's own is five minutes.
_METADATA_MS = 15_000
# Fetching stops when a consumer has not asked for records for this long; a batch may wait for MongoDB longer
# than that, and then its offsets simply are not committed.
_MAX_POLL_INTERVAL_MS = 300_000
# Where consumers wait, the broker gives so many bytes, compressed, or what has come within the wait. A batch costs a
# transaction, some queries and a commit, however many records are in it.
_BULK_FETCH_BYTES = 64 * 1024
# Of other topics each record is given at once; this is how often the broker says that there is none. Each time costs
# the broker a millisecond, and both sides a third of what an idle installation takes.
_FETCH_WAIT_MS = 1_000
# How often a consumer's task looks around although nothing has happened.
_LOOK_AROUND_MS = 1_000
# Longer than it takes to learn which broker leads what, and to have a record confirmed while others are.
_CLOCK_SECONDS = 5.0
# Kafka's LogAppendTime, which aiokafka tells of a record whose time the broker has set.
_BY_BROKER = 1
# How long a rebalance waits for the batch in flight of each member.
REBALANCE_TIMEOUT_MS = 60_000
# How a group's partitions are given to its members. One way each: of several, aiokafka sends a request to join with the
# first, another with the first two, and so on; each begins a rebalance, and several members never come to an end of it.
_EVENLY = (RoundRobinPartitionAssignor,)
_TOGETHER = (RangePartitionAssignor,)


def is_transient(error: KafkaError) -> bool:
    """Whether the broker is only away, so that trying again can help.

    Everything else (a fenced producer, a broken sequence, refused authentication) needs a new connection, and with it
    a new process: nothing acknowledged is held in memory, so a restart is the one recovery to get right.
    """
    return bool(error.retriable) or isinstance(error, _TRANSIENT)


def _published_by(service: str) -> list[str]:
    """Return the types of the events that a service may publish."""
    written = rights.SERVICES[service].writes if service in rights.SERVICES else ()
    of_services = {DeadLetter, AuditEntryCopied}
    return [each.type for each in EVENTS if each in of_services or getattr(each, "topic", None) in written]


class TopicsMissingError(OSError):
    """Topics do not exist (yet)."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(f"topics missing, run `bowerbird setup`: {', '.join(sorted(names))}")


class Kafka:
    """One process's connection: publishes for all of it, and opens its consumers.

    Attributes:
        topics: asks about topics.
    """

    def __init__(self, settings: Settings, service: str, event_id: Callable[[str, str], str]) -> None:
        """Take the settings, the service that publishes, and how its events' ids are derived (`libs.contracts.ids`)."""
        self._origin = Origin(settings.public_base, service, event_id)
        metrics.from_zero(metrics.PUBLISHED, _published_by(service))
        self._bootstrap = settings.kafka_bootstrap
        self._access = kafka_options(settings)
        self.topics = TopicStates(kafka_admin_options(settings))
        security = kafka_security(settings)
        made = [self._access.get("ssl_context"), None if security is None else security.ssl_context]
        self.contexts: list[ssl.SSLContext] = [each for each in made if each is not None]
        self._session_ms = int(settings.kafka_session_seconds * 1000)
        self._consumed: set[str] = set()
        self._consumers: list[tuple[str, Callable[[], AIOKafkaConsumer]]] = []
        self._broker = KafkaBroker(
            settings.kafka_bootstrap.split(","),
            client_id=f"bowerbird-{service}",
            enable_idempotence=settings.kafka_idempotence,
            acks="all",
            allow_auto_create_topics=False,
            max_batch_size=BATCH_BYTES,
            max_request_size=LARGEST_LETTER_BYTES,
            request_timeout_ms=30_000,
            metadata_max_age_ms=_METADATA_MS,
            security=security,
            logger=logging.getLogger("bowerbird.kafka"),
            log_level=logging.DEBUG,
        )
        self._connected = False
        self.failed: asyncio.Future[KafkaError] = asyncio.get_running_loop().create_future()

    def declare_consumer(
        self, group: str, topics: Sequence[Topic], listener: ConsumerRebalanceListener, in_lanes: bool = False
    ) -> Callable[[], AIOKafkaConsumer]:
        """Declare a consumer of `topics` in `group`; what is returned gives the consumer once `start` has returned.

        With `in_lanes` it takes the records of some topics before those of others, and has the partitions of one number
        of all of them: what has one key comes to one member, whatever its topic.
        """
        self._consumed.update(topic.name for topic in topics)
        wait_ms = min(topic.wait for topic in topics) // timedelta(milliseconds=1)
        subscriber = self._broker.subscriber(
            *(topic.name for topic in topics),
            group_id=group,
            # Without this aiokafka commits on a timer whatever was handed out: offsets are committed by us alone.
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            listener=listener,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=_MAX_POLL_INTERVAL_MS,
            session_timeout_ms=self._session_ms,
            heartbeat_interval_ms=self._session_ms // 5,
            consumer_timeout_ms=_LOOK_AROUND_MS,
            fetch_max_wait_ms=wait_ms or _FETCH_WAIT_MS,
            fetch_min_bytes=_BULK_FETCH_BYTES if wait_ms else 1,
            partition_assignment_strategy=_TOGETHER if in_lanes else _EVENLY,
        )

        def consumer() -> AIOKafkaConsumer:
            # A subscriber without a handler starts no loop of its own and leaves its consumer to us.
            assert subscriber.consumer is not None, "Kafka.start() comes first"  # noqa: S101  # canary: FastStream's
            return subscriber.consumer

        self._consumers.append((group, consumer))
        return consumer

    def reader(self, *topics: Topic) -> AIOKafkaConsumer:
        """Return a consumer of all partitions of these topics, in no group, which its caller starts and stops."""
        return AIOKafkaConsumer(
            *(topic.name for topic in topics),
            bootstrap_servers=self._bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            **self._access,
        )

    def observer(self, group: str) -> AIOKafkaConsumer:
        """Return a consumer that can ask what this group has committed, and joins no group; its caller starts it."""
        return AIOKafkaConsumer(
            group_id=group,
            bootstrap_servers=self._bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            **self._access,
        )

    async def require_topics(self, names: Collection[str]) -> None:
        """Return if these topics are there: some brokers make what is asked for, in their own form.

        Raises:
            TopicsMissingError: they are not.
            KafkaError: the brokers are unavailable.
        """
        missing = set(names) - await self._existing_topics()
        if missing:
            raise TopicsMissingError(missing)

    async def start(self) -> None:
        """Connect, waiting for the brokers and for the topics that are consumed for as long as it takes."""
        while not self._connected:
            try:
                await self.connect()
            except TopicsMissingError as error:
                problem = str(error)
            except (KafkaError, OSError) as error:
                problem = type(error).__name__
            else:
                return
            get_logger().warning("waiting for kafka", problem=problem)
            await asyncio.sleep(_CONNECT_AGAIN_SECONDS)

    async def connect(self) -> None:
        """Connect now or not at all, as a command does: whoever runs it is to know, and sees to it.

        Raises:
            TopicsMissingError: a topic that is consumed is not there.
            KafkaError, OSError: the brokers are away, or refuse.
        """
        try:
            await self.require_topics(self._consumed)
            await self._join_groups()
        except (KafkaError, OSError):
            await self._broker.stop()
            raise
        self._connected = True

    async def _join_groups(self) -> None:
        """Start all consumers side by side: a broker holds each group's first member for some seconds."""
        await self._broker.connect()
        starts = (subscriber.start() for subscriber in self._broker.subscribers)
        for outcome in await asyncio.gather(*starts, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        for _, consumer in self._consumers:
            fetch_all_partitions(consumer())

    async def _existing_topics(self) -> set[str]:
        async with self._admin() as admin:
            return set(await admin.list_topics())

    async def committed(self, group: str, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets that a group has committed of those of these partitions that it has.

        Raises:
            KafkaError: the brokers are unavailable.
        """
        async with self._admin() as admin:
            found = await admin.list_consumer_group_offsets(group, partitions=partitions)
        if not found.keys() >= set(partitions):
            # aiokafka passes over that the group's coordinator moves or loads, and returns nothing (OffsetFetch v2).
            raise GroupCoordinatorNotAvailableError(f"the coordinator of {group} does not say what it has committed")
        return {tp: each.offset for tp, each in found.items() if each.offset >= 0}

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, **self._access)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()

    async def stop(self) -> None:
        """Leave the groups and close the connections."""
        self._connected = False
        await self._broker.stop()

    @property
    def connected(self) -> bool:
        """Whether `start` has returned and `stop` was not called: consumers can be asked for."""
        return self._connected

    async def probe(self) -> str | None:
        """None where the brokers answered, else what is wrong."""
        return None if self._connected and await self._broker.ping(timeout=2.0) else "no connection to a broker"

    def problem(self) -> str | None:
        """Which tasks of the client library have ended, so that it receives or sends nothing; None while all run."""
        if not self._connected:
            return None
        clients: list[tuple[str, AIOKafkaConsumer | AIOKafkaProducer]] = [("the producer", self._producer())]
        clients += [(group, consumer()) for group, consumer in self._consumers]
        ended = [
            f"aiokafka's task for {purpose} of {name} has ended"
            for name, client in clients
            for purpose, task in tasks_of(client).items()
            if task.done()
        ]
        return "; ".join(ended) or None

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Publish all of these and return when the broker has confirmed every one.

        Raises:
            KafkaError: at least one was not confirmed; publishing all of them again is safe, their ids are the same.
        """
        if not self._connected:
            raise KafkaConnectionError("this process has no connection to Kafka yet")
        try:
            await publish_records(self._producer(), [encode(each, self._origin) for each in outgoing])
        except KafkaError as error:
            self._give_up_unless_away(error)
            raise
        for event_type, count in Counter(each.event.type for each in outgoing).items():
            metrics.PUBLISHED.labels(event_type).inc(count)

    async def oldest(self, topic: Topic) -> datetime | None:
        """Return when the oldest record was written that a topic still has; None where it has none.

        It asks for the first record since 1970, which takes no right to read.

        Raises:
            KafkaError: the broker is away, or knows no such question.
        """
        _, any_consumer = self._consumers[0]
        begin = {TopicPartition(topic.name, number): 0 for number in range(topic.partitions)}
        firsts = await any_consumer().offsets_for_times(begin)
        moments = [first.timestamp for first in firsts.values() if first is not None and first.timestamp >= 0]
        return datetime.fromtimestamp(min(moments) / 1000, UTC) if moments else None

    async def clocks(self) -> dict[str, Callable[[], Awaitable[datetime | None]]]:
        """Return what asks each broker for its time, by a name for it; none before there is a connection."""
        if not self._connected:
            return {}
        producer, topic = self._producer(), BROKER_CLOCK.name
        try:
            async with asyncio.timeout(_CLOCK_SECONDS):
                partitions = sorted(await producer.partitions_for(topic))
        except (KafkaError, TimeoutError) as error:
            get_logger().warning("no broker tells its time", problem=type(error).__name__)
            return {}
        led = {producer.client.cluster.leader_for_partition(TopicPartition(topic, each)): each for each in partitions}
        return {
            f"kafka-{broker}": partial(_time_of, producer, partition)
            for broker, partition in led.items()
            if broker is not None and broker >= 0
        }

    def _producer(self) -> AIOKafkaProducer:
        producer = self._broker.config.producer
        assert isinstance(producer, AioKafkaFastProducerImpl)  # noqa: S101  # canary: FastStream's
        return producer._producer.producer  # noqa: SLF001  # as above

    def _give_up_unless_away(self, error: KafkaError) -> None:
        if not (is_transient(error) or isinstance(error, RECORD_TOO_LARGE) or self.failed.done()):
            self.failed.set_result(error)


async def _time_of(producer: AIOKafkaProducer, partition: int) -> datetime | None:
    """Return the time at which the broker that leads this partition took a record; None where it does not say."""
    try:
        async with asyncio.timeout(_CLOCK_SECONDS):
            sent = await producer.send(BROKER_CLOCK.name, b"", partition=partition)
            # Shielded: the future is the producer's own, which confirms it later.
            confirmed = await asyncio.shield(sent)
    except (KafkaError, TimeoutError) as error:
        get_logger().warning("a broker does not tell its time", partition=partition, problem=type(error).__name__)
        return None
    return datetime.fromtimestamp(confirmed.timestamp / 1000, UTC) if confirmed.timestamp_type == _BY_BROKER else None
