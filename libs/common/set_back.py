"""Whether a database was set back before this process began: what it says of itself, held against a record at Kafka.

Each process raises its counter in the database every other second (`fence.py`). When that was last done is published a
few seconds later on `store.moments`. So a database that is of an earlier moment knows less than the record, whoever put
it back, whether or not a process ran meanwhile, and wherever the offsets of the service's groups stand.

Where those offsets are lower than what is kept, or gone, somebody has reset them or lost them with Kafka's disk: then
nothing tells how far the database had come, and it counts as set back.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from libs.common.fence import Fence
from libs.common.kafka import Kafka
from libs.common.positions import Place, Positions
from libs.common.telemetry import get_logger, new_trace
from libs.common.topic_reading import reading
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import StoreMoment
from libs.contracts.topics import STORE_MOMENTS, Topic

_EVERY_SECONDS = 5.0
# What was published longer after the record cannot have been processed by the database that it speaks of: by then the
# next record was due several times, and the clocks of those who write are held together.
_MARGIN: Final = timedelta(minutes=1)
# The records of a few services, of which each writes one every few seconds: the last of each is among so many.
_LAST_RECORDS = 1_000


class StoreMoments:
    """Of which moment the database of one service is; any of its processes publishes it."""

    def __init__(self, kafka: Kafka, positions: Positions, fence: Fence, service: str, *, is_kept: bool = True) -> None:
        """Take what it asks, the service, and whether the broker keeps what is published: one in memory does not."""
        self._kafka = kafka
        self._positions = positions
        self._fence = fence
        self._service = service
        self._is_kept = is_kept
        self._published: datetime | None = None

    async def publish(self) -> float:
        """Publish when a counter was last raised in the database; return the seconds until the next time.

        Raises:
            KafkaError: the brokers are unavailable.
            PyMongoError: the database is unavailable.
        """
        raised_at = await self._fence.last_raised() if self._is_kept else None
        # A database that was set back beneath this process must not hide it.
        if raised_at is not None and (self._published is None or raised_at > self._published):
            moment = StoreMoment(service=self._service, used_at=raised_at)
            await self._kafka.publish([Outgoing(moment, new_trace())])
            self._published = raised_at
        return _EVERY_SECONDS

    async def close(self) -> None:
        """Publish it for the last time."""
        try:
            await self.publish()
        except (KafkaError, PyMongoError) as error:
            get_logger().warning("not published at the end", problem=type(error).__name__)

    async def tells_of_set_back(self, consumed: Mapping[str, Topic]) -> bool:
        """Return whether the database is, or may be, of an earlier moment than what was published of it.

        If it is, what is on these topics from before that moment counts as processed before, wherever the offsets of
        the groups stand: they may have been reset to the very moment of the database.

        Args:
            consumed: by the name of a consumer of the service, the topic whose records have effects outside of it.

        Raises:
            KafkaError: the brokers are unavailable.
            PyMongoError: the database is unavailable.
        """
        self._published, raised_at = await self._last_published(), await self._fence.last_raised()
        groups = {f"{self._service}-{name}": topic for name, topic in consumed.items()}
        places = {group: await self._places(group, topic) for group, topic in groups.items()}
        if self._published is None or (raised_at is not None and raised_at >= self._published):
            return any(place.is_reset for each in places.values() for place in each.values())
        for group, each in places.items():
            await self._read_again(group, each, self._published + _MARGIN)
        return True

    async def lost_offsets(self, consumed: Mapping[str, Topic]) -> bool:
        """Return whether offsets of these groups were reset, or lost with Kafka's disk, since the database was written.

        Where neither it nor Kafka knows any, nothing tells that they were not: it may be from before the first.
        To be asked before `tells_of_set_back`, which keeps where the groups begin anew.

        Args:
            consumed: as there.

        Raises:
            KafkaError: the brokers are unavailable.
            PyMongoError: the database is unavailable.
        """
        groups = [await self._places(f"{self._service}-{name}", topic) for name, topic in consumed.items()]
        places = [place for each in groups for place in each.values()]
        nothing_known = all(each.kept is None and each.committed is None for each in places)
        return nothing_known or any(each.is_reset for each in places)

    async def _last_published(self) -> datetime | None:
        if not self._is_kept:
            return None
        async with reading(self._kafka, STORE_MOMENTS) as reader:
            ends = await reader.ends()
            since = {tp: max(0, end - _LAST_RECORDS) for tp, end in ends.items()}
            moments = [
                each.used_at
                async for events in reader.events(since, ends)
                for each in events
                if isinstance(each, StoreMoment) and each.service == self._service
            ]
        return max(moments, default=None)

    async def _places(self, group: str, topic: Topic) -> dict[TopicPartition, Place]:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        ids = await self._kafka.topics.ids([topic.name])
        kept, committed = await self._positions.read(group, partitions), await self._kafka.committed(group, partitions)
        consumer = self._kafka.observer(group)
        await consumer.start()
        try:
            first, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        finally:
            await consumer.stop()
        return {tp: Place(first[tp], ends[tp], committed.get(tp), kept.get(tp), ids.get(tp.topic)) for tp in partitions}

    async def _read_again(self, group: str, places: Mapping[TopicPartition, Place], until: datetime) -> None:
        """Keep that this group has everything to read again that was published until then."""
        consumer = self._kafka.observer(group)
        await consumer.start()
        try:
            later = await consumer.offsets_for_times({tp: int(until.timestamp() * 1000) for tp in places})
        finally:
            await consumer.stop()
        begins = {tp: place.begin(doubtful=False) for tp, place in places.items()}
        ends = {tp: place.end if (after := later.get(tp)) is None else after.offset for tp, place in places.items()}
        again = {tp: each._replace(known_until=max(each.known_until, ends[tp])) for tp, each in begins.items()}
        await self._positions.keep(group, {tp: each for tp, each in again.items() if each.offset < each.known_until})
