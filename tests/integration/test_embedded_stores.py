"""The stores of the embedded stack keep what they acknowledged when they are killed."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition
from pymongo import MongoClient, WriteConcern

from deploy.embedded.stack import Stack

pytestmark = pytest.mark.integration
RECORDS = 5_000
PARTITIONS = 3


async def new_topic(stack: Stack) -> str:
    topic = f"embedded.{uuid.uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    finally:
        await admin.close()
    return topic


async def publish(stack: Stack, topic: str, values: Sequence[bytes], *, idempotent: bool = True) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap, enable_idempotence=idempotent, acks="all")
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topic, value, key=value) for value in values])
    finally:
        await producer.stop()


async def consume(stack: Stack, topic: str, group: str, count: int) -> list[bytes]:
    """Take `count` records or what there is, and commit exactly them."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=stack.kafka_bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    taken: list[bytes] = []
    try:
        silences = 0
        while len(taken) < count and silences < 10:
            batches = await consumer.getmany(timeout_ms=500, max_records=min(500, count - len(taken)))
            taken += [record.value for records in batches.values() for record in records]
            silences = 0 if batches else silences + 1
            if batches:
                await consumer.commit({part: records[-1].offset + 1 for part, records in batches.items()})
    finally:
        await consumer.stop()
    return taken


async def test_kafka_keeps_acknowledged_records_and_committed_offsets_through_sigkill(infrastructure: Stack) -> None:
    topic, group = await new_topic(infrastructure), f"group-{uuid.uuid4().hex}"
    values = [b"%d" % number for number in range(RECORDS)]
    await publish(infrastructure, topic, values)
    before = await consume(infrastructure, topic, group, RECORDS // 2)
    await asyncio.to_thread(infrastructure.restart, "kafka")
    after = await consume(infrastructure, topic, group, RECORDS)
    assert Counter(before + after) == Counter(values)


async def test_kafka_creates_no_topic_that_nobody_asked_for(infrastructure: Stack) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=infrastructure.kafka_bootstrap)
    await consumer.start()
    try:
        name = f"never.{uuid.uuid4().hex}"
        consumer.assign([TopicPartition(name, 0)])
        await consumer.getmany(timeout_ms=500)
        assert name not in await consumer.topics()
    finally:
        await consumer.stop()


def test_mongodb_keeps_acknowledged_writes_through_sigkill(infrastructure: Stack) -> None:
    with MongoClient[dict[str, Any]](infrastructure.mongo_url) as client:
        database = client[f"embedded-{uuid.uuid4().hex}"]
        collection = database.get_collection("c", write_concern=WriteConcern("majority", j=True))
        collection.insert_many([{"_id": number} for number in range(RECORDS)])
        infrastructure.restart("mongodb")
        assert collection.count_documents({}) == RECORDS
        client.drop_database(database.name)


def test_mongodb_takes_transactions(infrastructure: Stack) -> None:
    with MongoClient[dict[str, Any]](infrastructure.mongo_url) as client:
        database = client[f"embedded-{uuid.uuid4().hex}"]
        with client.start_session() as session, pytest.raises(ZeroDivisionError), session.start_transaction():
            database.c.insert_one({"_id": 1}, session=session)
            raise ZeroDivisionError
        assert database.c.count_documents({}) == 0
        client.drop_database(database.name)
