"""Whether a database was set back before this process began: what Kafka says of a group, held against its positions.

Each process raises its counter in the database every other second (`fence.py`). Where a group has committed records
that came long after anybody raised one, the database is of an earlier moment than the commits. So it is where the
group's offsets are lower than what is kept, or gone: somebody has reset them, which hides how far it had come.

A database that was set back without any record consumed since looks like one whose process was stopped.
"""

from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.common.fence import Fence
from libs.common.kafka import Kafka
from libs.common.positions import Place, Positions
from libs.contracts.topics import Topic

_WAIT_MS = 5_000
# More than the seconds between two counters, and than clocks may differ by.
_RAISED_WITHIN = timedelta(seconds=30)


async def was_set_back(kafka: Kafka, positions: Positions, fence: Fence, group: str, topic: Topic) -> bool:
    """Return whether this group of a service has come further than its database knows.

    Raises:
        KafkaError: the brokers are unavailable.
        PyMongoError: the database is unavailable.
    """
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    kept, raised_at = await positions.read(group, partitions), await fence.last_raised()
    consumer = kafka.observer(group)
    await consumer.start()
    try:
        consumer.assign(partitions)
        first, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for tp in partitions:
            place = Place(first[tp], ends[tp], await consumer.committed(tp), kept.get(tp))
            if place.is_reset:
                return True
            known = 0 if place.kept is None else place.kept.offset
            if place.committed is not None and place.committed > known:
                came = await _time_of(consumer, tp, place.committed - 1)
                if came is not None and (raised_at is None or came > raised_at + _RAISED_WITHIN):
                    return True
    finally:
        await consumer.stop()
    return False


async def _time_of(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> datetime | None:
    """Return when this record, or the first behind it, came to its topic; None where there is none any more."""
    consumer.seek(tp, offset)
    taken = await consumer.getmany(tp, timeout_ms=_WAIT_MS, max_records=1)
    records = [record for some in taken.values() for record in some]
    return datetime.fromtimestamp(records[0].timestamp / 1000, UTC) if records else None
