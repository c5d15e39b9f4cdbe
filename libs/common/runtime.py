"""The life of a service process: wait for what is missing, run its loops and its HTTP server, stop in order."""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any

import uvloop
from aiokafka.errors import KafkaError
from fastapi import FastAPI
from pymongo.errors import PyMongoError

from libs.access.audited import record_refusals
from libs.audit.copies import AuditCopies
from libs.audit.log import AuditLog
from libs.audit.refusals import Refusals
from libs.common import build as build_info
from libs.common import clock, mongo
from libs.common.assignments import Assignments, Brokers
from libs.common.authority_secret import AuthoritySecret, AuthoritySettings, require_same
from libs.common.canary import CanaryStages, Stage
from libs.common.clock_check import Ask, ClockCheck
from libs.common.consumer import Consumer, Handler
from libs.common.fence import Fence, WentBackError
from libs.common.health import Health, Heartbeat, end_where_dead
from libs.common.http import create_app, metrics_app, start_counting
from libs.common.http_server import Server
from libs.common.interpreter import allow_many_files, change_threads_often, collect_seldom
from libs.common.kafka import Kafka
from libs.common.positions import Positions
from libs.common.preparation import Preparation
from libs.common.reloads import Reloads, certificate_files, observe_certificates
from libs.common.retention import topic_watch
from libs.common.settings import PREFIX, Settings
from libs.common.store_access import mongo_options, trust_anew
from libs.common.telemetry import configure_logging, get_logger
from libs.common.tls import renew, server_context
from libs.common.topic_reading import reading
from libs.contracts.cloudevents import EventT
from libs.contracts.ids import Ids, unkeyed_event_id
from libs.contracts.rights import SERVICES
from libs.contracts.topics import AUDIT_ENTRIES, DEAD_LETTERS, SENT_AGAIN, Topic

UNAVAILABLE = (PyMongoError, KafkaError, OSError)

# A loop sleeps in pieces no longer than this, so that its heartbeat stays fresh.
_LONGEST_SLEEP_SECONDS = 15.0
_LAG_SECONDS = 2.0
_POSITIONS_SECONDS = 2.0
_RETRY_SECONDS = 2.0
# For each of the last steps, where the ones before them took all the time.
_LEAST_PATIENCE_SECONDS = 0.5


class Plumbing:
    """What a service builds upon; it registers its routes, consumers and loops here, and `run_service` runs them."""

    def __init__(self, service: str, settings: Settings) -> None:
        self.service = service
        self.settings = settings
        self.health = Health()
        self.app: FastAPI = create_app(f"Bowerbird {service}", self.health, settings.rates, docs=settings.http_docs)
        self.secret: AuthoritySecret | None = None
        event_id = unkeyed_event_id
        if isinstance(settings, AuthoritySettings):
            self.secret = AuthoritySecret.load(settings.authority_secret_file)
            self._ids = Ids(self.secret.key)
            event_id = self._ids.event_id
        self.client = mongo.connect(
            settings.mongo_url.get_secret_value(), f"bowerbird-{service}", mongo_options(settings)
        )
        self.database: mongo.Database = self.client[service]
        self.fence = Fence(self.client, self.database)
        self.positions = Positions(self.client, self.database, self.fence)
        self.canary = CanaryStages(self.database, clock.now, settings.canary_seconds)
        self.audit = AuditLog(self.database)
        self.refusals = Refusals(self.audit, service)
        record_refusals(self.app, self.refusals)
        self.kafka = Kafka(settings, service, event_id)
        self.consumers: list[Consumer[Any]] = []
        self.loops: dict[str, Callable[[], Awaitable[None]]] = {}
        self._heartbeats: list[Heartbeat] = []
        self.preparation = Preparation(self._heartbeats)
        read = {topic.name for topic in SERVICES[service].reads}
        self.preparation.add("topics", partial(self.kafka.require_topics, read))
        self.preparation.add("fence", self.fence.raise_count)
        self.preparation.add("canary", self.canary.recall)
        self.health.depend("preparation", self.preparation.probe)
        self.closers: list[Callable[[], Awaitable[None]]] = []
        self.requirements: list[Callable[[], Awaitable[None]]] = [self.fence.require_restored]
        if self.secret is not None:
            self.require(partial(require_same, self.database, self.secret))
        self.repeat("audit-refusals", self.refusals.flush)
        copies = AuditCopies(
            service,
            self.audit,
            self.positions,
            reading=partial(reading, self.kafka, AUDIT_ENTRIES[service]),
            publish=self.kafka.publish,
        )
        self.audit.copied_by(copies.copy)
        self.repeat("audit-copies", copies.tick)
        self.at_stop(self.refusals.stop)
        self.clock = ClockCheck(self._other_clocks, settings.clock_tolerance_seconds)
        self.repeat("clock", self.clock.tick)
        self.health.depend("clock", self.clock.probe)
        self.reloads = Reloads()
        self.reloads.add("connection-to-brokers", self.kafka.topics.reload)
        self.assignments = Assignments(self.consumers, Brokers(self.kafka.topics, self.consumers).look)
        self.repeat("assignments", self.assignments.tick)
        self.repeat("dead-letters", topic_watch("dead_letters", DEAD_LETTERS[service], self.kafka.oldest, clock.now))
        self.health.watch("kafka-client", self.kafka)
        self.health.watch("kafka-assignments", self.assignments)
        self.health.depend("kafka", self.kafka.probe)
        self.health.depend("partitions", self._probe_partitions)
        self.health.depend("mongodb", lambda: mongo.ping(self.client))

    @property
    def ids(self) -> Ids:
        """What derives ids, of a service that has the authority's secret."""
        return self._ids

    def authority_key(self, label: str) -> bytes:
        """Return the authority's key of this purpose, of a service that has the authority's secret."""
        assert self.secret is not None, "a service whose settings name the secret"  # noqa: S101  # the caller's promise
        return self.secret.key(label)

    async def _other_clocks(self) -> Mapping[str, Ask]:
        return {"mongodb": lambda: mongo.time_of(self.client), **await self.kafka.clocks()}

    async def _probe_partitions(self) -> str | None:
        return await self.assignments.probe() if self.kafka.connected else "no connection to a broker"

    def consume(
        self,
        *,
        name: str,
        topics: Sequence[Topic],
        contracts: Sequence[type[EventT]],
        handle: Handler[EventT],
        members: int = 1,
        tombstones: bool = False,
        canary: Stage | None = None,
        bulk: Topic | None = None,
    ) -> None:
        """Consume these contracts of these topics in the group SERVICE-NAME.

        Each of several members takes its share of the partitions, as replicas do: while one waits for the database,
        another computes. `handle` is called by all of them; synthetic learners are for `canary` alone.
        What is on `bulk` yields to what is on the topics.
        """
        taken: list[type[Any]] = list(contracts)
        if canary is not None:
            taken.append(canary.event)
            handle = self.canary.beside(canary, handle)
        for member in range(1, members + 1):
            consumer = Consumer(
                self.kafka,
                service=self.service,
                name=name,
                topics=[*topics, SENT_AGAIN[self.service]],
                contracts=taken,
                handle=handle,
                max_records=self.settings.kafka_batch_records,
                positions=self.positions,
                member=member,
                tombstones=tombstones,
                bulk=bulk,
            )
            self.health.watch(consumer.name, consumer.heartbeat)
            self.health.depend(f"{consumer.name} has read again", consumer.probe)
            self._heartbeats.append(consumer.heartbeat)
            self.consumers.append(consumer)

    def repeat(self, name: str, tick: Callable[[], Awaitable[float]]) -> None:
        """Run `tick` again and again; it returns the seconds until the next one (0 if there is more to do).

        A tick that fails because MongoDB, Kafka or the network is unavailable is repeated a second later; any other
        error is a defect and ends the process.
        """
        heartbeat = Heartbeat()
        self.health.watch(name, heartbeat)
        self._heartbeats.append(heartbeat)

        async def loop() -> None:
            while True:
                heartbeat.beat()
                try:
                    delay = await tick()
                except UNAVAILABLE as error:
                    get_logger().warning("tick failed", loop=name, problem=type(error).__name__)
                    delay = 1.0
                while delay > _LONGEST_SLEEP_SECONDS:
                    await asyncio.sleep(_LONGEST_SLEEP_SECONDS)
                    delay -= _LONGEST_SLEEP_SECONDS
                    heartbeat.beat()
                await asyncio.sleep(delay)

        self.loops[name] = loop

    def require(self, requirement: Callable[[], Awaitable[None]]) -> None:
        """Await `requirement` before this process connects to Kafka: until then it publishes and signs nothing.

        It is asked again while MongoDB is unavailable; any other error ends the process.
        """
        self.requirements.append(requirement)

    def reload(self, name: str, work: Callable[[], None]) -> None:
        """Do `work` on SIGHUP; where what it reads cannot be used, it raises SettingsError or OSError."""

        async def do() -> None:
            work()

        self.reloads.add(name, do)

    def at_stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Await `close` when the process stops, after the loops have ended and while MongoDB is still connected."""
        self.closers.append(close)


def run_service(service: str, settings: Settings, build: Callable[[Plumbing], None]) -> int:
    """Run one service until it is asked to stop (SIGTERM, SIGINT); returns the process's exit status.

    `build` registers the service's routes, consumers and loops.

    Raises:
        OSError: the HTTP port, or that of the metrics, is not available.
        SettingsError: the TLS certificate or its key cannot be used, or the public URL is none that others reach.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it can be followed
    settings.require_public_url()
    configure_logging(service, settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(_run(service, settings, build))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the loop took its own handler with it
    return status


async def _run(service: str, settings: Settings, build: Callable[[Plumbing], None]) -> int:
    tls = server_context(settings)
    allow_many_files()
    listening = _bound(settings.http_host, settings.http_port)
    measured = socket.create_server((settings.metrics_host, settings.metrics_port))
    plumbing = Plumbing(service, settings)
    build(plumbing)
    start_counting(plumbing.app)
    collect_seldom()
    change_threads_often()
    _reload_on_hangup(plumbing, tls)
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    server = Server(plumbing.app, settings.connection_limits, tls)
    serving = server.serve_once_ready(listening, plumbing.health.is_ready, settings.listen_within_seconds)
    http = asyncio.create_task(serving, name="http")
    metrics = Server(metrics_app())
    measuring = asyncio.create_task(metrics.serve(sockets=[measured]), name="metrics")
    work = asyncio.create_task(_work(plumbing), name="work")
    stop = asyncio.create_task(asked_to_stop.wait(), name="stop")
    build_info.show()
    get_logger().info(
        "started",
        port=settings.http_port,
        https=tls is not None,
        version=build_info.VERSION,
        commit=build_info.commit(),
    )
    ended, _ = await asyncio.wait(
        {http, measuring, work, stop, plumbing.kafka.failed}, return_when=asyncio.FIRST_COMPLETED
    )
    for each in ended - {stop}:
        problem = each.exception() or (each.result() if each is plumbing.kafka.failed else None)
        get_logger().error("ended by itself", part=getattr(each, "get_name", lambda: "kafka")(), exc_info=problem)
    await _stop(plumbing, server, http, work)
    metrics.should_exit = True
    await asyncio.wait({measuring}, timeout=1)
    get_logger().info("stopped")
    return 0 if stop in ended else 1


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket of this port that takes no connections yet.

    Raises:
        OSError: somebody else has the port.
    """
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host, port))
    return made


def _reload_on_hangup(plumbing: Plumbing, tls: ssl.SSLContext | None) -> None:
    """Read certificates anew on SIGHUP, beside what the service has registered."""
    settings = plumbing.settings

    async def renew_certificates() -> None:
        if tls is not None:
            renew(tls, settings)
        for context in plumbing.kafka.contexts:
            trust_anew(context, settings.kafka_ca_file, f"{PREFIX}KAFKA_CA_FILE")
        context_of_mongo = mongo.tls_context(plumbing.client)
        if context_of_mongo is not None and settings.mongo_ca_file is not None:
            trust_anew(context_of_mongo, settings.mongo_ca_file, f"{PREFIX}MONGO_CA_FILE")
        observe_certificates(certificate_files(settings))

    observe_certificates(certificate_files(settings))
    plumbing.reloads.add("certificates", renew_certificates)
    plumbing.reloads.on_hangup()


async def _work(plumbing: Plumbing) -> None:
    """Run every consumer and loop, once MongoDB and Kafka are there; the first that fails ends them all."""
    # Before Kafka: until it is connected nothing can be published, under wrong ids neither.
    for requirement in plumbing.requirements:
        await _required(requirement)
    await _require_right_clock(plumbing.clock)
    # Before Kafka too: until it is connected no request can publish anything.
    await plumbing.preparation.run()
    await plumbing.kafka.start()
    async with asyncio.TaskGroup() as group:
        for consumer in plumbing.consumers:
            group.create_task(consumer.run(), name=consumer.name)
        group.create_task(_measure_lag(plumbing.consumers), name="lag")
        group.create_task(_keep_positions(plumbing.fence, plumbing.consumers), name="positions")
        group.create_task(end_where_dead(plumbing.health), name="watch")
        group.create_task(plumbing.health.stalls.run(), name="stalls")
        for name, loop in plumbing.loops.items():
            group.create_task(_awaited(loop), name=name)


async def _required(requirement: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await requirement()
        except PyMongoError as error:
            get_logger().warning("waiting for mongodb", problem=type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)


async def _require_right_clock(check: ClockCheck) -> None:
    """Wait until this machine's clock is within what is allowed, and let nothing be dated by it whenever it is not."""
    clock.check_with(check.fault)
    await check.tick()
    while check.fault() is not None:
        await asyncio.sleep(_RETRY_SECONDS)
        await check.tick()


async def _measure_lag(consumers: Sequence[Consumer[Any]]) -> None:
    """Measure every few seconds, whatever the consumers are waiting for: that is when an operator looks."""
    while True:
        for consumer in consumers:
            await consumer.measure_lag()
        await asyncio.sleep(_LAG_SECONDS)


async def _keep_positions(fence: Fence, consumers: Sequence[Consumer[Any]]) -> None:
    """Write down how far each consumer has come; where that fails, a restart reads some seconds more again.

    Raises:
        WentBackError: the database was set back beneath this process.
    """
    while True:
        try:
            await fence.raise_count()
            for consumer in consumers:
                await consumer.keep_positions()
        except WentBackError:
            await fence.note()
            raise
        except PyMongoError as error:
            get_logger().warning("positions not kept", problem=type(error).__name__)
        await asyncio.sleep(_POSITIONS_SECONDS)


async def _awaited(loop: Callable[[], Awaitable[None]]) -> None:
    await loop()


async def _stop(plumbing: Plumbing, server: Server, http: asyncio.Task[None], work: asyncio.Task[None]) -> None:
    """Lead callers elsewhere, take nothing new in, finish what is in flight, leave the groups, close."""
    plumbing.health.stopping = True
    if not http.done():
        await server.drain(plumbing.settings.listen_on_seconds, plumbing.settings.proxy_idle_seconds)
    # One patience for all that follows: whoever asked has a limit for the whole of it.
    end = monotonic() + plumbing.settings.shutdown_seconds

    def patience() -> float:
        return max(_LEAST_PATIENCE_SECONDS, end - monotonic())

    server.should_exit = True
    await asyncio.wait({http}, timeout=patience())
    await asyncio.gather(*(consumer.stop(patience()) for consumer in plumbing.consumers))
    work.cancel()
    await asyncio.wait({work}, timeout=patience())
    for close in [*plumbing.closers, plumbing.kafka.stop]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience()):
                await close()
    await mongo.close(plumbing.client)
