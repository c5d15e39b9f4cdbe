"""How far one member of a consumer group is behind what brokers have, and since when they have told it nothing."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from time import time

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from libs.common import metrics

_ASKED_SECONDS = 1


class Lag:
    """Measures it; known from the start on, before any broker has answered."""

    def __init__(self, name: str, clock: Callable[[], float] = time) -> None:
        """Take the name of the member in metrics, and what tells the seconds since 1970."""
        self._name = name
        self._clock = clock
        # Whether partitions were ever assigned, if only none, and since when those of now are.
        self._is_assigned = False
        self._since = clock()
        self._last_fetch = metrics.LAST_FETCH.labels(name)
        self._last_fetch.set(self._since)

    def assigned(self) -> None:
        """Partitions have moved: what brokers answered about earlier ones counts no more."""
        self._is_assigned, self._since = True, self._clock()

    async def measure(
        self, consumer: AIOKafkaConsumer, taken: Mapping[TopicPartition, Sequence[ConsumerRecord]]
    ) -> None:
        """Set the metrics.

        Args:
            consumer: of the client library.
            taken: the batch in flight, by partition.
        """
        now = self._clock()
        oldest = min((batch[0].timestamp / 1000 for batch in taken.values()), default=now)
        metrics.LAG_SECONDS.labels(self._name).set(max(0.0, now - oldest))
        # One that stands by asks nobody.
        answers = [now if self._is_assigned else self._since]
        for tp in consumer.assignment():
            # Partitions may move while they are asked; then they are another member's to measure.
            with contextlib.suppress(IllegalStateError):
                answers.append(await self._measure_one(consumer, tp, taken.get(tp)) or now)
        self._last_fetch.set(min(answers))

    async def _measure_one(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, taken: Sequence[ConsumerRecord] | None
    ) -> float | None:
        """Return when brokers last answered about a partition; None where they are asked when more is taken."""
        end = consumer.highwater(tp)
        if end is None:
            return self._since
        try:
            async with asyncio.timeout(_ASKED_SECONDS):
                behind = end - (taken[0].offset if taken else await consumer.position(tp))
        except TimeoutError:
            return self._since
        metrics.LAG_RECORDS.labels(self._name, tp.topic, str(tp.partition)).set(max(0, behind))
        return None if behind > 0 else float(consumer.last_poll_timestamp(tp)) / 1000
