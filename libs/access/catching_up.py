"""What is read of keys before anybody is let in by one: the database may be of an earlier moment.

A key that was withdrawn since that moment works in it again, and one that was granted is not known. Both stand on
their topic, behind the position that the database keeps.
"""

from libs.access.worker import AccessWorker
from libs.common.kafka import Kafka
from libs.common.positions import Positions
from libs.common.topic_reading import reading
from libs.contracts import topics
from libs.contracts.events import ApiKeyGranted, ApiKeyWithdrawn


class CatchingUp:
    """Reads grants and withdrawals up to the end that their topic has at the start of a process.

    Attributes:
        done: whether that was done.
    """

    def __init__(self, kafka: Kafka, positions: Positions, group: str, worker: AccessWorker) -> None:
        """Take the group whose position says what the database has, and what stores the rest."""
        self._kafka = kafka
        self._positions = positions
        self._group = group
        self._worker = worker
        self.done = False

    async def run(self) -> None:
        """Return when the database has what stands on the topic.

        Raises:
            KafkaError: the brokers are unavailable.
            PyMongoError: the database is unavailable.
            OSError: the topic is missing.
        """
        async with reading(self._kafka, topics.ACCESS_KEYS) as reader:
            ends = await reader.ends()
            kept = await self._positions.read(self._group, list(ends))
            since = {tp: each.offset for tp, each in kept.items() if each.is_within(ends[tp], reader.ids.get(tp.topic))}
            async for events in reader.events(since, ends):
                await self._worker.store([each for each in events if isinstance(each, ApiKeyGranted | ApiKeyWithdrawn)])
        self.done = True
