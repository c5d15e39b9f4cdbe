"""Which records a consumer takes first: those on its topic for bulk yield to all others (docs/adr/0029-fair-lanes.md).

After an assignment it is the other way round, up to where bulk may have been processed before: what looks at earlier
decisions stands on the other topics, and finds again all that it could find then.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from libs.common.kafka_client import fetch_all_partitions, fetch_beside
from libs.contracts.topics import Topic

BULK_RECORDS: Final = 100
"""So many records of bulk are taken at once while others come, which wait for no more than these."""
_TURNS: Final = 10
# When none of others has come for so long, as many of bulk are taken at once as of others: small batches cost it more
# than half of its pace. The next of others may find a large one in work, once.
_QUIET_SECONDS: Final = 10.0
_ASKED_SECONDS: Final = 1.0

Taken = dict[TopicPartition, list[ConsumerRecord]]


class Lanes:
    """Takes records for one member of a group."""

    def __init__(self, bulk: Topic | None, max_records: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the topic that yields, where there is one, and how many records are taken at once of the others."""
        self._clock = clock
        self._bulk = None if bulk is None else bulk.name
        self._max_records = max_records
        # How far each partition of bulk is read before anything else.
        self._first: dict[TopicPartition, int] = {}
        # How many batches of others were taken since bulk had its turn, and when the last one was.
        self._turns = 0
        self._others_at = -math.inf

    def assigned(self, known: Mapping[TopicPartition, int]) -> None:
        """Partitions were assigned, and up to these offsets records of theirs may have been processed before."""
        self._first = {tp: until for tp, until in known.items() if tp.topic == self._bulk}

    async def take(self, consumer: AIOKafkaConsumer, timeout_ms: int) -> Taken:
        """Return what is to be processed next; nothing where nothing comes within the time."""
        bulk = {tp for tp in consumer.assignment() if tp.topic == self._bulk} if self._bulk else set()
        if not bulk:
            return await _getmany(consumer, timeout_ms, self._max_records)
        if behind := [tp for tp in list(self._first) if await self._is_behind(consumer, tp)]:
            return await _getmany(consumer, timeout_ms, self._max_records, *behind)
        others = consumer.assignment() - bulk
        # Bulk has a turn now and then, however much comes of others.
        if others and self._turns < _TURNS and (taken := await _getmany(consumer, 0, self._max_records, *others)):
            self._turns += 1
            self._others_at = self._clock()
            return taken
        self._turns = 0
        quiet = self._clock() - self._others_at > _QUIET_SECONDS
        if taken := await _getmany(consumer, 0, self._max_records if quiet else BULK_RECORDS, *bulk):
            # More of it is there in most cases, which must not keep the others from being heard of.
            fetch_beside(consumer)
            return taken
        fetch_all_partitions(consumer)
        taken = await _getmany(consumer, timeout_ms, BULK_RECORDS)
        if taken.keys() - bulk:
            self._others_at = self._clock()
        return taken

    async def _is_behind(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> bool:
        """Return whether this partition is to be read first still; once it is not, it never is again."""
        # Where partitions move, what is taken meanwhile is taken again.
        with suppress(IllegalStateError):
            try:
                async with asyncio.timeout(_ASKED_SECONDS):
                    if await consumer.position(tp) < self._first[tp]:
                        return True
            except TimeoutError:
                return True
        del self._first[tp]
        return False


async def _getmany(consumer: AIOKafkaConsumer, timeout_ms: int, records: int, *of: TopicPartition) -> Taken:
    taken: Taken = await consumer.getmany(*of, timeout_ms=timeout_ms, max_records=records)
    return taken
