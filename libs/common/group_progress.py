"""How far a consumer group, all its members together, has come on a topic."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka import TopicPartition

from libs.common.errors import UnavailableError
from libs.common.kafka import Kafka
from libs.contracts.topics import Topic

_PATIENCE_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.2


class GroupProgress:
    """Asks the brokers; whoever asks need not be in the group."""

    def __init__(self, kafka: Kafka, group: str, topic: Topic) -> None:
        self._kafka = kafka
        self._group = group
        self._partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        self._one_at_a_time = asyncio.Lock()

    async def ends(self) -> dict[TopicPartition, int]:
        """Return where each partition of the topic ends now.

        Raises:
            KafkaError: the brokers are unavailable.
        """
        consumer = self._kafka.observer(self._group)
        try:
            # Within, for whoever gives up waiting closes it too.
            await consumer.start()
            return dict(await consumer.end_offsets(self._partitions))
        finally:
            await consumer.stop()

    async def has_reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Return whether the group has processed everything before these ends.

        Raises:
            KafkaError: the brokers are unavailable.
        """
        committed = await self._kafka.committed(self._group, list(ends))
        return all(committed.get(partition, 0) >= end for partition, end in ends.items())

    async def catch_up(self) -> None:
        """Return when the group has processed everything that is on the topic now; one caller waits after the other.

        Raises:
            UnavailableError: it has not within ten seconds.
            KafkaError: the brokers are unavailable.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._one_at_a_time:
                ends = await self.ends()
                while not await self.has_reached(ends):  # noqa: ASYNC110  # what is waited for happens elsewhere
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise UnavailableError("what was sent lately is still being read; try again") from None
