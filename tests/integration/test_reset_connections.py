"""Connections to Kafka that are reset, under the services' event loop: nobody goes deaf, and a dead task is told."""

import asyncio
import contextlib
import random
import select
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

import aiokafka.client
import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from deploy.embedded.stack import Stack
from libs.common import kafka_client
from libs.common.consumer import Consumer
from libs.common.kafka import Kafka, is_away
from libs.common.settings import Settings
from libs.common.telemetry import new_trace
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import LearnerContact

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
GROUPS = 4
RESETS = 60
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, none; closing then sends RST instead of FIN


class Proxy(threading.Thread):
    """Stands before the broker and resets every connection at once, as a broker that dies does to its busy clients."""

    def __init__(self, broker: str) -> None:
        super().__init__(daemon=True)
        host, _, port = broker.partition(":")
        self._broker = host, int(port)
        self._door = socket.create_server((host, 0))
        self.port: int = self._door.getsockname()[1]
        self._peers: dict[socket.socket, socket.socket] = {}
        self._wanted = threading.Event()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(10)
        self._door.close()

    def reset(self) -> None:
        """Reset every connection within some milliseconds."""
        self._wanted.set()

    def run(self) -> None:
        while not self._over.is_set():
            for ready in select.select([self._door, *self._peers], [], [], 0.005)[0]:
                if ready is self._door:
                    client, broker = self._door.accept()[0], socket.create_connection(self._broker)
                    self._peers |= {client: broker, broker: client}
                elif ready in self._peers:
                    self._pass_on(ready)
            if self._wanted.is_set():
                self._wanted.clear()
                self._drop(*self._peers)
        self._drop(*self._peers)

    def _pass_on(self, ready: socket.socket) -> None:
        try:
            content = ready.recv(65536)
            self._peers[ready].sendall(content)
        except OSError:
            content = b""
        if not content:
            self._drop(ready, self._peers[ready])

    def _drop(self, *ends: socket.socket) -> None:
        for end in ends:
            self._peers.pop(end, None)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()


def as_a_service(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it on uvloop, as the services run; in a thread, since this one has the tests' own loop."""

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work())

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()


@pytest.fixture
def settings(infrastructure: Stack) -> Settings:
    return Settings(kafka_bootstrap=infrastructure.kafka_bootstrap)


@asynccontextmanager
async def consuming(settings: Settings) -> AsyncIterator[tuple[Kafka, list[set[str]]]]:
    """Groups of one process, each with the keys that it was given so far; a loop that ends by itself fails the test."""
    kafka = Kafka(settings, "notifier")
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
    """As every loop does: again where the broker was away."""
    while True:
        try:
            return await kafka.publish(outgoing)
        except KafkaError as error:
            if not is_away(error):
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
        assert is_away(caught.value)
        assert not connection.connected()

    as_a_service(work)


def test_a_task_of_the_client_library_that_has_ended_is_a_problem_that_names_it(settings: Settings) -> None:
    async def work() -> None:
        async with consuming(settings) as (kafka, _heard):
            assert kafka.problem() is None
            group, consumer = next(iter(kafka._consumers.items()))
            tasks = kafka_client.tasks_of(consumer())
            for task in tasks.values():
                task.cancel()
            await asyncio.wait(tasks.values())
            told = {f"aiokafka's task for {purpose} of {group} has ended" for purpose in tasks}
            assert set((kafka.problem() or "").split("; ")) == told

    as_a_service(work)
