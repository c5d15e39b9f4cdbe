"""What every trial of alerts works with: the stack, its traffic, and what a trial is."""

import asyncio
import contextlib
import itertools
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
from aiokafka import AIOKafkaProducer
from pymongo.database import Database

from deploy.embedded.stack import Stack
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Origin, Outgoing, encode
from libs.contracts.events import Event
from libs.contracts.results import SoloLevel
from tests.faults import promises
from tests.faults.live_prometheus import Alertmanager, Prometheus, end
from tests.faults.school import Row, SchoolClient

SCHOOL: Final = "alerts"
SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 0.25
# One for all: each makes a TLS context, which costs more than a call. A service may be killed between two calls.
HTTP: Final = httpx.Client(trust_env=False, timeout=SECONDS, limits=httpx.Limits(max_keepalive_connections=0))


async def _produce(stack: Stack, records: Sequence[tuple[str, bytes, bytes, Sequence[tuple[str, bytes]]]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
    await producer.start()
    for topic, key, value, headers in records:
        await producer.send(topic, value, key, headers=list(headers))
    await producer.stop()


def send(
    stack: Stack, topic: str, value: bytes, key: bytes = b"key", headers: Sequence[tuple[str, bytes]] = ()
) -> None:
    """Send one record as it is."""
    asyncio.run(_produce(stack, [(topic, key, value, headers)]))


def send_events(stack: Stack, *events: Event) -> None:
    """Send events that none of our services has published."""
    origin = Origin("http://test", "test", lambda kind, of: f"{kind}:{of}")
    records = [encode(Outgoing(each, new_trace()), origin) for each in events]
    asyncio.run(_produce(stack, [(each.topic, each.key, each.value, each.headers) for each in records]))


class Traffic:
    """Uploads that end in mails, and somebody who looks, a few times a second; what fails is tried no second time."""

    def __init__(self, stack: Stack) -> None:
        """Take the stack that is used."""
        self._stack = stack
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        self.school = SchoolClient(self._stack, SCHOOL)
        works = (self._upload_some, self._upload_one, self._look)
        self._threads = [threading.Thread(target=self._again, args=(each,), daemon=True) for each in works]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        for thread in self._threads:
            thread.join(timeout=2 * SECONDS)

    def end(self) -> None:
        """Send nothing more, and look no more."""
        self._ended.set()

    def upload(self, content: bytes, path: str = "/v1/batches", kind: str = "application/x-ndjson") -> None:
        """Send a file of evidence, or one piece, once."""
        headers = {**self.school.headers, "content-type": kind}
        url = f"{self._stack.url('evidence')}{path}"
        HTTP.post(url, content=content, headers=headers)

    def _row(self) -> bytes:
        number = next(self._numbers)
        return Row(f"live-{number}", number, SoloLevel.RELATIONAL).json(1)

    def _upload_some(self) -> None:
        self.upload(b"\n".join(self._row() for _ in range(3)))

    def _upload_one(self) -> None:
        self.upload(self._row(), "/v1/evidence", "application/json")

    def _look(self) -> None:
        HTTP.get(f"{self._stack.url('verifier')}/issuers/{SCHOOL}/did.json")

    def _again(self, work: Callable[[], None]) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            with contextlib.suppress(httpx.TransportError):
                work()


@dataclass(frozen=True)
class Alarms:
    """What a trial works with.

    Attributes:
        stack: is broken.
        prometheus: sees it.
        alertmanager: tells of it.
        traffic: goes on meanwhile.
        folder: for files of trials.
        at_end: what is undone when all trials are over.
    """

    stack: Stack
    prometheus: Prometheus
    alertmanager: Alertmanager
    traffic: Traffic
    folder: Path
    at_end: contextlib.ExitStack

    def mailed(self) -> int:
        """Return how many mails of alerts reached the mail server."""
        texts = (path.read_text("utf-8", errors="replace") for path in self.stack.layout.mail.glob("*.eml"))
        return sum("alerts@bowerbird.example" in text and "Subject: [FIRING" in text for text in texts)

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[Database[dict[str, Any]]]:
        """Open a service's database, as somebody who may write to it."""
        with promises.databases(self.stack) as client:
            yield client[name]

    def run(self, *command: str | Path) -> "subprocess.Popen[bytes]":
        """Run a program until all trials are over, unless its trial ends it before."""
        with (self.folder / f"{Path(command[0]).name}.log").open("ab") as log:
            child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.at_end.callback(end, child)
        return child


def free_address() -> str:
    """Return HOST:PORT of something that a trial starts, where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Trial:
    """One fault.

    Attributes:
        name: of it.
        alerts: the names of those that must fire, and fall silent after it.
        begin: breaks something.
        end: mends it.
        during: is called again and again while it lasts.
        labels: of the alerts that are meant, where other trials may have others of the same name fire; an alert that
            does not have such a label is meant too.
        settles: whether the next trial waits until this one's alerts are silent. Of a counter that is looked at over an
            hour one need not wait.
    """

    name: str
    alerts: frozenset[str]
    begin: Callable[[], object]
    end: Callable[[], object] = nothing
    during: Callable[[], object] = nothing
    labels: Mapping[str, str] = field(default_factory=dict)
    settles: bool = True

    def is_about(self, labels: Mapping[str, str]) -> bool:
        """Return whether an alert with these labels is one of those that are meant."""
        return labels["alertname"] in self.alerts and all(
            labels.get(name, value) == value for name, value in self.labels.items()
        )
