"""Connections to Kafka that are reset, under uvloop: every client recovers, an ended task is reported."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiokafka.client
import pytest
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from deploy.embedded.stack import Stack
from libs.common import kafka_client
from libs.common.consumer import Consumer
from libs.common.kafka import Kafka, is_transient
from libs.common.settings import Settings
from libs.common.telemetry import new_trace
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import LearnerContact
from tests.connection_resets import Proxy, as_a_service
from tests.ids import IDS
from tests.positions_in_memory import MemoryPositions

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
GROUPS = 4
RESETS = 60


@pytest.fixture
def settings(infrastructure: Stack) -> Settings:
    return Settings(kafka_bootstrap=infrastructure.kafka_bootstrap)


@asynccontextmanager
async def consuming(settings: Settings) -> AsyncIterator[tuple[Kafka, list[set[str]]]]:
    """Groups of one process, each with the keys that it was given so far; a loop that ends by itself fails the test."""
    kafka = Kafka(settings, "notifier", IDS.event_id)
    heard: list[set[str]] = [set() for _ in range(GROUPS)]

    def consumer(keys: set[str]) -> Consumer[LearnerContact]:
        async def handle(batch: Sequence[Received[LearnerContact]]) -> Sequence[Outgoing]:
            await asyncio.sleep(0)
            keys.update(received.key for received in batch)
            return []

        return Consumer(
            kafka,
            service="notifier",
            name=f"reset-{uuid4().hex}",
            topics=[topics.LEARNER_CONTACTS],
            contracts=[LearnerContact],
            handle=handle,
            max_records=50,
            positions=MemoryPositions(),
        )

    consumers = [consumer(keys) for keys in heard]
    await kafka.start()
    tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
    try:
        yield kafka, heard
        assert [task for task in tasks if task.done()] == []
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await kafka.stop()


async def publish_patiently(kafka: Kafka, outgoing: Sequence[Outgoing]) -> None:
    """As every loop does: again where the broker was unavailable."""
    while True:
        try:
            return await kafka.publish(outgoing)
        except KafkaError as error:
            if not is_transient(error):
                raise
            await asyncio.sleep(0.05)


def test_consumers_and_producer_go_on_after_their_connections_were_reset_again_and_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(settings.kafka_bootstrap) as proxy:

        async def through_the_proxy(host: str, _port: int, **options: Any) -> AIOKafkaConnection:
            return await create_conn(host, proxy.port, **options)

        monkeypatch.setattr(aiokafka.client, "create_conn", through_the_proxy)

        async def work() -> None:
            sent: set[str] = set()
            chance = random.Random(20261126)
            async with asyncio.timeout(240), consuming(settings) as (kafka, heard):
                for _ in range(RESETS):
                    contacts = [LearnerContact(learner_id=uuid4(), issuer_id="reset", changed_at=NOW) for _ in range(5)]
                    await publish_patiently(kafka, [Outgoing(each, new_trace()) for each in contacts])
                    sent |= {each.key for each in contacts}
                    proxy.reset()
                    await asyncio.sleep(chance.uniform(0.01, 0.1))
                give_up_at = time.monotonic() + 120
                while any(sent - keys for keys in heard):
                    missing = [len(sent - keys) for keys in heard]
                    assert time.monotonic() < give_up_at, f"of {len(sent)} the groups miss {missing}"
                    await asyncio.sleep(0.1)
                assert kafka.problem() is None

        as_a_service(work)


def test_what_is_sent_on_a_connection_that_is_gone_says_that_the_broker_is_away(settings: Settings) -> None:
    async def work() -> None:
        host, _, port = settings.kafka_bootstrap.partition(":")
        connection = await create_conn(host, int(port))
        connection._writer.transport.abort()
        with pytest.raises(KafkaConnectionError) as caught:
            await connection.send(MetadataRequest([]))
        assert is_transient(caught.value)
        assert not connection.connected()

    as_a_service(work)


def test_a_task_of_the_client_library_that_has_ended_is_a_problem_that_names_it(settings: Settings) -> None:
    async def work() -> None:
        async with consuming(settings) as (kafka, _heard):
            assert kafka.problem() is None
            group, consumer = kafka._consumers[0]
            tasks = kafka_client.tasks_of(consumer())
            for task in tasks.values():
                task.cancel()
            await asyncio.wait(tasks.values())
            told = {f"aiokafka's task for {purpose} of {group} has ended" for purpose in tasks}
            assert set((kafka.problem() or "").split("; ")) == told

    as_a_service(work)
