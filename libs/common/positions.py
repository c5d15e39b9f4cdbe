"""How far each consumer group has come, kept in the service's own database beside Kafka's committed offsets.

A database that is set back to an earlier moment is set back with its positions, and Kafka is not. So a member begins
each partition at the lower of the two, and what the database lacks is read again
(docs/adr/0024-what-was-published-is-the-truth.md).

Every handler may be given any record again, so it does not matter that the database lags some seconds behind.

What is kept is never ahead of the effects: a position is written after the commit of its batch, and that comes after
the effects.

Beside each position stands the id of the topic that it was taken in. A topic that was deleted and made anew has another
one, and nothing of it was read, however far it has grown since.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from pymongo import UpdateOne

from libs.common import metrics
from libs.common.fence import Fence
from libs.common.mongo import Client, Database, Document, find_by_ids, update_together
from libs.common.stored import all_readable
from libs.common.telemetry import get_logger

_CONFLICT_SECONDS = 0.1


class Position(NamedTuple):
    """Where a group stands in one partition.

    Attributes:
        offset: of the next record to process.
        known_until: a record below this offset may have been processed before, by this database or by one that it took
            the place of.
        topic_id: of the topic that both are offsets in; None where the brokers had none.
    """

    offset: int
    known_until: int = 0
    topic_id: str | None = None

    def is_within(self, end: int, topic_id: str | None) -> bool:
        """Return whether it is a place in the topic that has this end and id, rather than in one that is gone.

        Where brokers give no ids, one that is gone is known by a position behind the present end.
        """
        return self.offset <= end and self.is_of(topic_id)

    def is_of(self, topic_id: str | None) -> bool:
        """Return whether it may have been taken in the topic of this id: where one is not known, any may be the one."""
        return self.topic_id is None or topic_id is None or self.topic_id == topic_id


TopicIds = Callable[[Collection[str]], Awaitable[Mapping[str, str]]]
"""Returns the ids of those of these topics that have one."""


class PositionStore(Protocol):
    """Keeps positions where the effects are."""

    async def read(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Position]:
        """Return the positions of those of these partitions that have one."""
        ...

    async def keep(self, group: str, positions: Mapping[TopicPartition, Position]) -> None:
        """Keep these."""
        ...


class Positions:
    """The collection `positions` of a service's database: a document for each group and partition."""

    def __init__(self, client: Client, database: Database, fence: Fence) -> None:
        self._client = client
        self._positions = database["positions"]
        self._fence = fence

    async def read(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Position]:
        """See `PositionStore`."""
        names = {_id(group, tp): tp for tp in partitions}
        found = await find_by_ids(self._positions, "_id", names)
        return dict(all_readable(lambda each: (names[each["_id"]], _position(each)), found, self._positions))

    async def keep(self, group: str, positions: Mapping[TopicPartition, Position]) -> None:
        """See `PositionStore`.

        Raises:
            WentBackError: the database was set back beneath this process, whose positions mean nothing in it.
        """
        kept_at = datetime.now(UTC)
        updates = [
            UpdateOne(
                {"_id": _id(group, tp)}, {"$set": {"schema": 1, **each._asdict(), "kept_at": kept_at}}, upsert=True
            )
            for tp, each in positions.items()
        ]
        while updates and not await self._written(updates):  # noqa: ASYNC110  # the database sets no event
            # Another process is writing some of them: partitions have just moved.
            await asyncio.sleep(_CONFLICT_SECONDS)

    async def _written(self, updates: Sequence[UpdateOne]) -> bool:
        return await update_together(self._client, self._positions, updates, first=self._fence.prove)


def _position(stored: Document) -> Position:
    offset, known_until, topic_id = stored["offset"], stored["known_until"], stored.get("topic_id")
    if not (isinstance(offset, int) and isinstance(known_until, int) and isinstance(topic_id, str | None)):
        raise TypeError("a position that is none")
    return Position(offset, known_until, topic_id)


def _id(group: str, tp: TopicPartition) -> str:
    return f"{group}/{tp.topic}/{tp.partition}"


class Place(NamedTuple):
    """What is known of one partition when it is assigned: its first offset and its end, the two positions, its id."""

    first: int
    end: int
    committed: int | None
    kept: Position | None
    topic_id: str | None = None

    @property
    def is_another_topic(self) -> bool:
        """Whether the topic was made anew since the position was kept."""
        return self.kept is not None and not self.kept.is_within(self.end, self.topic_id)

    @property
    def is_reset(self) -> bool:
        """Whether the group's offsets were set back or removed: what is kept is never ahead of them otherwise."""
        if self.kept is None:
            return False
        return self.is_another_topic or self.committed is None or self.committed < self.kept.offset

    def begin(self, *, doubtful: bool) -> Position:
        """Return where to begin, and up to where records may have been processed before.

        Args:
            doubtful: the group was reset, here or in another partition, so that nothing tells how far it had come.
        """
        committed = None if self.committed is None or self.committed > self.end else self.committed
        kept = None if self.is_another_topic else self.kept
        lower = min(self.first if committed is None else committed, self.first if kept is None else kept.offset)
        known = self.end if doubtful else max(committed or 0, 0 if kept is None else kept.known_until)
        return Position(max(self.first, lower), known, self.topic_id)


class Places:
    """Where one member of a group stands in each of its partitions."""

    def __init__(self, store: PositionStore, group: str, name: str, ids: TopicIds) -> None:
        """Take the group, the name of its member in metrics and logs, and what knows the ids of topics."""
        self._store = store
        self._ids = ids
        self._group = group
        self._name = name
        self._positions: dict[TopicPartition, Position] = {}
        self._changed: set[TopicPartition] = set()
        # Where partitions ended when they were assigned.
        self._ends: dict[TopicPartition, int] = {}

    async def begin(self, consumer: AIOKafkaConsumer) -> None:
        """Let the consumer stand where its records are to be read from next, in every partition that is assigned.

        Raises:
            KafkaError: Kafka is unavailable, or a partition was taken away meanwhile; to be done again.
            PyMongoError: the database is unavailable; likewise.
        """
        partitions = list(consumer.assignment())
        # Before any offset is asked for: one that is made anew meanwhile is another one at the next start.
        ids = await self._ids({tp.topic for tp in partitions})
        first, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        kept = await self._store.read(self._group, partitions)
        places = {
            tp: Place(first[tp], ends[tp], await consumer.committed(tp), kept.get(tp), ids.get(tp.topic))
            for tp in partitions
        }
        doubtful = any(each.is_reset for each in places.values())
        positions = {tp: each.begin(doubtful=doubtful) for tp, each in places.items()}
        again = {tp: each for tp, each in positions.items() if each.offset < each.known_until}
        reset = {tp: positions[tp] for tp, each in places.items() if each.is_reset}
        # Before anything is committed below them: it would be forgotten with the next crash.
        await self._store.keep(self._group, again | reset)
        if reset:
            # A partition in which nothing comes for long would go on telling of it, and what has come since be doubted.
            await consumer.commit({tp: each.offset for tp, each in reset.items()})
        for tp, position in positions.items():
            consumer.seek(tp, position.offset)
        self._positions, self._changed, self._ends = positions, set(), ends
        for tp, position in again.items():
            metrics.REREAD.labels(self._name).inc(position.known_until - position.offset)
            get_logger().warning(
                "reads again",
                consumer=self._name,
                topic=tp.topic,
                partition=tp.partition,
                offset=position.offset,
                until=position.known_until,
            )

    def offset(self, tp: TopicPartition) -> int:
        """Return the offset of the next record to process: all before it are processed and committed."""
        return self._positions[tp].offset

    @property
    def left(self) -> int:
        """How many records are left that are read again."""
        return sum(max(0, each.known_until - each.offset) for each in self._positions.values())

    def known(self, in_flight: int) -> dict[TopicPartition, int]:
        """Return up to where records may have been processed before, those in flight when a member died among them."""
        return {
            tp: min(self._ends[tp], max(each.known_until, each.offset + in_flight))
            for tp, each in self._positions.items()
        }

    def is_known(self, record: ConsumerRecord) -> bool:
        """Return whether this record may have been processed before the database was set back."""
        position = self._positions.get(TopicPartition(record.topic, record.partition))
        return position is not None and record.offset < position.known_until

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Note what was processed and committed."""
        for tp, offset in offsets.items():
            if tp in self._positions:
                self._positions[tp] = self._positions[tp]._replace(offset=offset)
                self._changed.add(tp)

    async def keep(self) -> None:
        """Write down what has changed.

        Raises:
            PyMongoError: the database is unavailable; the next call writes it.
        """
        changed = {tp: self._positions[tp] for tp in self._changed}
        await self._store.keep(self._group, changed)
        self._changed -= {tp for tp, written in changed.items() if self._positions.get(tp) == written}
