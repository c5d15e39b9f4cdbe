"""What is broken to see an alert: each trial begins a fault, may add to it while it lasts, and ends it."""

import asyncio
import contextlib
import itertools
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
from aiokafka import AIOKafkaProducer

from deploy.certificate import self_signed
from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.smtp_sink import CONTROL, Faults
from deploy.embedded.stack import Stack
from libs.access.key_text import new_key
from libs.common.telemetry import new_trace
from libs.contracts import topics
from libs.contracts.cloudevents import Origin, Outgoing, encode
from libs.contracts.results import SoloLevel
from tests.conftest import PORT_OFFSET
from tests.faults.live_prometheus import OWN, Alertmanager, Prometheus, end, program
from tests.faults.school import Row, SchoolClient
from tests.keys_in_memory import grant

_PAUSE_SECONDS: Final = 0.25
_SECONDS: Final = 20.0
_SEEN_SECONDS: Final = 1.5


class Certified:
    """Something on a port of its own that shows a certificate to whoever connects, and no more."""

    def __init__(self) -> None:
        """Listen; nobody is answered before there is a certificate to show."""
        self._listening = socket.create_server(("127.0.0.1", 9100 + PORT_OFFSET))
        self.port: int = self._listening.getsockname()[1]
        self._context: ssl.SSLContext | None = None
        threading.Thread(target=self._answer, daemon=True).start()

    def show(self, folder: Path, life: timedelta) -> None:
        """Show a certificate of this life from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self_signed(folder, life=life))
        self._context = context

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()

    def _answer(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                if self._context is not None:
                    self._context.wrap_socket(connection, server_side=True).close()


async def _produce(stack: Stack, topic: str, value: bytes, headers: Sequence[tuple[str, bytes]], key: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
    await producer.start()
    await producer.send_and_wait(topic, value, key, headers=list(headers))
    await producer.stop()


def _send(stack: Stack, topic: str, value: bytes, *headers: tuple[str, bytes], key: bytes = b"key") -> None:
    """Send one record as it is."""
    asyncio.run(_produce(stack, topic, value, headers, key))


class Traffic:
    """Uploads that end in mails, and somebody who looks, a few times a second; what fails is tried no second time."""

    def __init__(self, stack: Stack) -> None:
        """Take the stack that is used."""
        self._stack = stack
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.school = SchoolClient(self._stack, "alerts")
        numbers = itertools.count()

        def upload() -> None:
            rows = [Row(f"live-{(number := next(numbers))}", number, SoloLevel.RELATIONAL) for _ in range(3)]
            self.upload(b"\n".join(row.json(1) for row in rows))

        def look() -> None:
            url = f"{self._stack.url('verifier')}/issuers/list.jwt"
            httpx.get(url, trust_env=False, timeout=_SECONDS)

        self._threads = [
            threading.Thread(target=self._again, args=(each,), daemon=True) for each in (upload, upload, look)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=2 * _SECONDS)

    def upload(self, content: bytes) -> None:
        """Send a file of evidence once."""
        url = f"{self._stack.url('evidence')}/v1/batches"
        headers = {**self.school.headers, "content-type": "application/x-ndjson"}
        httpx.post(url, content=content, headers=headers, trust_env=False, timeout=_SECONDS)

    def _again(self, work: Callable[[], None]) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            with contextlib.suppress(httpx.TransportError):
                work()


@dataclass(frozen=True)
class Alarms:
    """What a trial works with."""

    stack: Stack
    prometheus: Prometheus
    alertmanager: Alertmanager
    traffic: Traffic
    folder: Path

    def mailed(self) -> int:
        """Return how many mails of alerts reached the mail server."""
        texts = (path.read_text("utf-8", errors="replace") for path in self.stack.layout.mail.glob("*.eml"))
        return sum("alerts@bowerbird.example" in text and "Subject: [FIRING" in text for text in texts)


def _nothing() -> None:
    """Add nothing."""


@dataclass(frozen=True)
class Trial:
    """One fault.

    Attributes:
        name: of it.
        alerts: the names of those that must fire, and fall silent after it.
        begin: breaks something.
        end: mends it.
        during: is called again and again while it lasts.
    """

    name: str
    alerts: frozenset[str]
    begin: Callable[[], object]
    end: Callable[[], object]
    during: Callable[[], None] = _nothing


def trials(alarms: Alarms) -> Iterator[Trial]:
    """Go through all trials; each leaves the stack as it found it."""
    yield from _of_processes(alarms)
    yield from _of_stores(alarms)
    yield from _of_mail(alarms)
    yield from _of_strangers(alarms)
    yield from _of_monitoring(alarms)


def _of_processes(alarms: Alarms) -> Iterator[Trial]:
    stack = alarms.stack

    asked: list[float] = []

    def crash() -> None:
        # As soon as Prometheus has seen that it runs.
        with contextlib.suppress(httpx.TransportError):
            httpx.get(stack.metrics_url("verifier"), trust_env=False, timeout=1)
            asked.append(time.monotonic())
            if len(asked) > 1 and asked[-1] - asked[0] > _SEEN_SECONDS:
                asked.clear()
                stack.restart("verifier", wait=0)

    def recover() -> None:
        stack.wait_ready("verifier")

    def stall() -> None:
        stack.signal("verifier", signal.SIGSTOP)
        time.sleep(1.5)
        stack.signal("verifier", signal.SIGCONT)

    yield Trial(
        "a service is killed",
        frozenset({"BowerbirdServiceDown"}),
        lambda: stack.kill("notifier"),
        lambda: stack.start("notifier"),
    )
    yield Trial(
        "a service is no target",
        frozenset({"BowerbirdServiceMissing"}),
        lambda: alarms.prometheus.ask([each for each in OWN if each != "notifier"]),
        lambda: alarms.prometheus.ask(OWN),
    )
    yield Trial("a service starts anew, again", frozenset({"BowerbirdCrashLoop"}), _nothing, recover, crash)
    yield Trial("a process stands still", frozenset({"BowerbirdLoopStalls"}), stall, _nothing)


def _of_stores(alarms: Alarms) -> Iterator[Trial]:
    stack = alarms.stack

    def hang(name: str) -> Callable[[], None]:
        return lambda: stack.signal(name, signal.SIGSTOP)

    def go_on(name: str) -> Callable[[], None]:
        return lambda: stack.signal(name, signal.SIGCONT)

    yield Trial(
        "MongoDB hangs",
        frozenset({"BowerbirdConsumerBehind", "BowerbirdConsumerStuck"}),
        hang("mongodb"),
        go_on("mongodb"),
    )
    yield Trial("Kafka hangs", frozenset({"BowerbirdIntakeFails"}), hang("kafka"), go_on("kafka"))
    yield Trial(
        "a record is broken",
        frozenset({"BowerbirdDeadLetters"}),
        lambda: _send(stack, topics.EVIDENCE_SUBMITTED.name, b"{}"),
        _nothing,
    )
    unknown = b"\n".join(
        Row(f"wait-{number}", number, SoloLevel.RELATIONAL).json(10**9).replace(b'"resilience"', b'"not-yet"')
        for number in range(1, 1100)
    )
    yield Trial(
        "evidence of what is unknown",
        frozenset({"BowerbirdEvidenceWaits"}),
        lambda: alarms.traffic.upload(unknown),
        lambda: alarms.traffic.school.publish("not-yet"),
    )


def _of_mail(alarms: Alarms) -> Iterator[Trial]:
    stack, control = alarms.stack, alarms.stack.layout.mail / CONTROL
    yield Trial(
        "the mail server hangs",
        frozenset({"BowerbirdMailLate"}),
        lambda: stack.signal("smtp", signal.SIGSTOP),
        lambda: stack.signal("smtp", signal.SIGCONT),
    )
    yield Trial(
        "the mail server is down",
        frozenset({"BowerbirdMailRelayAway"}),
        lambda: stack.kill("smtp"),
        lambda: stack.start("smtp"),
    )
    yield Trial(
        "addresses do not exist",
        frozenset({"BowerbirdMailGivenUp"}),
        lambda: Faults(refuse={"*": "550 5.1.1 no such user"}).write(control),
        lambda: control.unlink(missing_ok=True),
    )


def _of_strangers(alarms: Alarms) -> Iterator[Trial]:
    stack = alarms.stack
    client = httpx.Client(trust_env=False, timeout=_SECONDS)

    def flood() -> None:
        for _ in range(60):
            with contextlib.suppress(httpx.TransportError):
                client.get(f"{stack.url('verifier')}/issuers/list.jwt")

    def guess() -> None:
        for _ in range(3):
            with contextlib.suppress(httpx.TransportError):
                client.get(f"{stack.url('notifier')}/v1/deliveries", headers={"authorization": f"Bearer {new_key()}"})

    def forge() -> None:
        origin = Origin("http://test", "test", lambda kind, of: f"{kind}:{of}")
        record = encode(Outgoing(grant(new_key(), "alerts", ["keys:write"]), new_trace()), origin)
        _send(stack, record.topic, record.value, *record.headers, key=record.key)

    yield Trial("a flood", frozenset({"BowerbirdEdgeRefuses"}), _nothing, _nothing, flood)
    yield Trial("keys are guessed", frozenset({"BowerbirdAccessRefused"}), _nothing, _nothing, guess)
    yield Trial("a grant is forged", frozenset({"BowerbirdForgedGrants"}), forge, _nothing)


def _of_monitoring(alarms: Alarms) -> Iterator[Trial]:
    children: list[subprocess.Popen[bytes]] = []
    server = Certified()
    prober = server.port + 1

    def probe(life: timedelta) -> None:
        server.show(alarms.folder / f"certificate-{life.days}", life)
        if not children:
            run = (
                program("prometheus-blackbox-exporter"),
                f"--config.file={SOURCE_ROOT / 'deploy/blackbox/blackbox.yml'}",
                f"--web.listen-address=127.0.0.1:{prober}",
            )
            children.append(subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        alarms.prometheus.ask(OWN, {"certificates": f"127.0.0.1:{prober}/127.0.0.1:{server.port}"})

    def stop_prober() -> None:
        for child in children:
            end(child)

    def ask_no_more() -> None:
        server.close()
        alarms.prometheus.ask(OWN)

    yield Trial(
        "a certificate ends soon",
        frozenset({"BowerbirdCertificateEnds"}),
        lambda: probe(timedelta(hours=2)),
        lambda: probe(timedelta(days=60)),
    )
    yield Trial(
        "an exporter is down",
        frozenset({"BowerbirdExporterDown"}),
        stop_prober,
        ask_no_more,
    )
    yield Trial(
        "Alertmanager is down",
        frozenset({"BowerbirdNotificationsFail"}),
        alarms.alertmanager.stop,
        alarms.alertmanager.start,
    )
