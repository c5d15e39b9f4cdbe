"""Whether a database was set back before this process began: what it says of itself, held against a note at Kafka.

Each process raises its counter in the database every other second (`fence.py`). When that was last done is noted at
Kafka a few seconds later, beside an offset that a group of this purpose commits. So a database that is of an earlier
moment knows less than the note, whoever put it back, whether or not a process ran meanwhile.

Where offsets of the service's groups are lower than what is kept, or gone, somebody has reset them or lost them with
Kafka's disk: then nothing tells how far the database had come, and it counts as set back.
"""

from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from pymongo.errors import PyMongoError

from libs.common.fence import Fence
from libs.common.kafka import Kafka
from libs.common.positions import Place, Positions
from libs.common.telemetry import get_logger
from libs.contracts.topics import SENT_AGAIN, Topic

FENCE_GROUP: Final = "fence"
"""What the name of the group ends with whose offset carries the note; it consumes nothing."""

_EVERY_SECONDS = 5.0


class FenceNote:
    """The note of one service: any of its processes writes it."""

    def __init__(self, kafka: Kafka, positions: Positions, fence: Fence, service: str) -> None:
        self._kafka = kafka
        self._positions = positions
        self._fence = fence
        self._service = service
        self._group = f"{service}-{FENCE_GROUP}"
        # Of a topic that is nearly always empty: what is committed here says nothing of it.
        self._place = TopicPartition(SENT_AGAIN[service].name, 0)
        self._consumer: AIOKafkaConsumer | None = None

    async def write(self) -> float:
        """Note when a counter was last raised in the database; return the seconds until the next time.

        Raises:
            KafkaError: the brokers are unavailable.
            PyMongoError: the database is unavailable.
        """
        raised_at = await self._fence.last_raised()
        if raised_at is not None:
            consumer = await self._connected()
            ends = await consumer.end_offsets([self._place])
            await consumer.commit({self._place: OffsetAndMetadata(ends[self._place], raised_at.isoformat())})
        return _EVERY_SECONDS

    async def close(self) -> None:
        """Note it for the last time, and close the connection."""
        if self._consumer is None:
            return
        try:
            await self.write()
        except (KafkaError, PyMongoError) as error:
            get_logger().warning("not noted at the end", problem=type(error).__name__)
        finally:
            await self._consumer.stop()

    async def tells_of_set_back(self, name: str, topic: Topic) -> bool:
        """Return whether the database is of an earlier moment than the note.

        Args:
            name: of a consumer of the service, whose offsets are held against what is kept of them.
            topic: that it consumes.

        Raises:
            KafkaError: the brokers are unavailable.
            PyMongoError: the database is unavailable.
        """
        noted, raised_at = await self._noted(), await self._fence.last_raised()
        if noted is not None and (raised_at is None or raised_at < noted):
            return True
        return await self._is_reset(f"{self._service}-{name}", topic)

    async def _noted(self) -> datetime | None:
        committed = (await self._kafka.committed(self._group, [self._place])).get(self._place)
        try:
            noted = None if committed is None else datetime.fromisoformat(committed.metadata)
        except ValueError:
            return None
        return noted if noted is None or noted.tzinfo is not None else noted.replace(tzinfo=UTC)

    async def _is_reset(self, group: str, topic: Topic) -> bool:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        kept, committed = await self._positions.read(group, partitions), await self._kafka.committed(group, partitions)
        consumer = self._kafka.observer(group)
        await consumer.start()
        try:
            first, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        finally:
            await consumer.stop()
        offsets = {tp: found.offset for tp, found in committed.items()}
        return any(Place(first[tp], ends[tp], offsets.get(tp), kept.get(tp)).is_reset for tp in partitions)

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = self._kafka.observer(self._group)
            try:
                await consumer.start()
                consumer.assign([self._place])
                consumer.pause(self._place)
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer
