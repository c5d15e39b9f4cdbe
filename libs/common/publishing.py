"""Records built into batches per partition and sent as such: confirmed, idempotent, in order within a key.

aiokafka's `send` costs several times what `send_batch` costs a record (a future and a hash in Python for each), and
both go through the same accumulator: a batch is numbered for the idempotent producer when it leaves the accumulator,
and one that is retried keeps its numbers. tests/integration/test_publishing.py holds that nothing is lost, doubled or
put out of order while connections are reset.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import Struct

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from libs.contracts.cloudevents import Record
from libs.contracts.topics import LARGEST_LETTER_BYTES, TOPICS

_Partition = tuple[str, int]

BATCH_BYTES = 512 * 1024
"""Most bytes of a batch before it is compressed: half of what a topic takes."""

# The attribute bits of a record batch that name its codec (Kafka's message format, version 2).
_UNCOMPRESSED, _ZSTD = 0, 4
# To compress anything at all takes as long as to compress some kilobytes; small uploads make such batches.
_SMALL_BYTES = 4096
# The broker compresses what partners read; it would have to unpack what we had compressed otherwise.
_PLAIN = frozenset(topic.name for topic in TOPICS if topic.for_partners)


async def publish_records(producer: AIOKafkaProducer, records: Iterable[Record]) -> None:
    """Publish all of these and return when the broker has confirmed every one.

    The records of a partition are sent in their order, each batch once the one before it is confirmed.

    Raises:
        MessageSizeTooLargeError: a record is larger than any topic takes; none of these records was sent.
        KafkaError: at least one record was not confirmed; of its partition none behind its batch was sent.
    """
    by_partition: dict[_Partition, list[Record]] = {}
    partitions: dict[str, int] = {}
    for record in records:
        count = partitions.get(record.topic)
        if count is None:
            count = partitions[record.topic] = len(await producer.partitions_for(record.topic))
        by_partition.setdefault((record.topic, partition_of(record.key, count)), []).append(record)
    now = int(time.time() * 1000)
    batches = {place: _batches(place[0], of_place, now) for place, of_place in by_partition.items()}
    sending = [_send_in_order(producer, place, of_place) for place, of_place in batches.items()]
    for outcome in await asyncio.gather(*sending, return_exceptions=True):
        if outcome is not None:
            raise outcome


def _batches(topic: str, records: Sequence[Record], now: int) -> list[BatchBuilder]:
    # The producer's own `create_batch` knows one codec for all.
    plain = topic in _PLAIN or sum(len(record.value) for record in records) < _SMALL_BYTES
    codec = _UNCOMPRESSED if plain else _ZSTD
    batch = BatchBuilder(BATCH_BYTES, codec)
    batches = [batch]
    for record in records:
        added = batch.append(timestamp=now, key=record.key, value=record.value, headers=record.headers)
        if added is None:
            # A new batch takes its first record whatever its size.
            batch = BatchBuilder(BATCH_BYTES, codec)
            batches.append(batch)
            added = batch.append(timestamp=now, key=record.key, value=record.value, headers=record.headers)
        if added.size > LARGEST_LETTER_BYTES:
            raise MessageSizeTooLargeError(f"a record of {added.size} bytes is larger than any topic takes")
    for each in batches:
        each.close()  # it waits for no more records, from nobody
    return batches


async def _send_in_order(producer: AIOKafkaProducer, place: _Partition, batches: Sequence[BatchBuilder]) -> None:
    topic, partition = place
    for batch in batches:
        confirmed = await producer.send_batch(batch, topic, partition=partition)
        await confirmed


# Every event about a credential, and every event about a learner, goes to the same partition of its topic.
@lru_cache(maxsize=8192)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's own clients choose for this key: murmur2, positive, modulo."""
    return (murmur2(key) & 0x7FFF_FFFF) % partitions


_SEED, _M, _WORD = 0x9747_B28C, 0x5BD1_E995, 0xFFFF_FFFF


def murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 of `data` under the seed of Kafka's clients.

    aiokafka's own takes three times as long, and this is needed for each record.
    """
    length = len(data)
    whole = length >> 2
    h = _SEED ^ length
    for word in _words(whole).unpack_from(data):
        k = word * _M & _WORD
        h = h * _M & _WORD ^ (k ^ k >> 24) * _M & _WORD
    rest = data[whole << 2 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _WORD
    h = (h ^ h >> 13) * _M & _WORD
    return h ^ h >> 15


@lru_cache(maxsize=256)
def _words(count: int) -> Struct:
    return Struct(f"<{count}I")
