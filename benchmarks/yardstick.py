"""FastStream's own loop under the same limits: one handler that takes a record and publishes one, nothing between.

It stands beside the figures of the whole way: what the framework alone would take for the first of its many steps.
"""

import asyncio
import logging
from dataclasses import dataclass
from time import monotonic, process_time
from typing import Any
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.publisher.producer import AioKafkaFastProducerImpl

from benchmarks import tenant
from libs.common.publishing import publish_records
from libs.contracts.cloudevents import Record
from libs.contracts.topics import PARTITIONS

_RECORDS = 10_000
_PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Records consumed and published by FastStream's loop.

    Attributes:
        per_second: by the clock.
        ratio_to_ed25519: the same per signature of one core.
        cpu_ms_per_record: of this process alone, the broker's not counted.
    """

    records: int
    per_second: float
    ratio_to_ed25519: float
    cpu_ms_per_record: float


async def faststream_loop(bootstrap: str, ed25519_per_second: float, records: int = _RECORDS) -> Yardstick:
    """Return how fast FastStream's loop takes so many records and publishes as many, on topics of its own.

    Raises:
        TimeoutError: it did not get through.
    """
    source, target = (f"bench.{part}.{uuid4().hex[:8]}" for part in ("source", "target"))
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (source, target)])
        seconds, cpu = await _measured(bootstrap, source, target, records)
    finally:
        await admin.delete_topics([source, target])
        await admin.close()
    per_second = records / seconds
    return Yardstick(
        records, round(per_second, 1), round(per_second / ed25519_per_second, 4), round(cpu * 1000 / records, 3)
    )


async def _measured(bootstrap: str, source: str, target: str, records: int) -> tuple[float, float]:
    broker = KafkaBroker(
        bootstrap,
        enable_idempotence=True,
        acks="all",
        compression_type="lz4",
        linger_ms=5,
        max_batch_size=512 * 1024,
        logger=logging.getLogger("bowerbird.bench"),
        log_level=logging.DEBUG,
    )
    done = asyncio.Event()
    passed = 0

    @broker.subscriber(
        source, group_id=source, auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR, max_records=500
    )
    async def handle(piece: dict[str, Any]) -> None:
        nonlocal passed
        await broker.publish(piece, target, key=str(piece["learner_id"]).encode(), no_confirm=True)
        passed += 1
        if passed == records:
            done.set()

    await broker.connect()
    producer = broker.config.producer
    assert isinstance(producer, AioKafkaFastProducerImpl)  # noqa: S101  # canary: FastStream's
    lines = [Record(source, line[:36], line, []) for line in tenant.evidence(0, records)]
    await publish_records(producer._producer.producer, lines)  # noqa: SLF001  # as above
    started, cpu = monotonic(), process_time()
    try:
        await broker.start()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await done.wait()
        return monotonic() - started, process_time() - cpu
    finally:
        await broker.stop()
