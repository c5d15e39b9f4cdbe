"""What the table of services means on this machine: command line, environment and readiness check of each process."""

import contextlib
import hashlib
import json
import os
import smtplib
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from deploy.embedded import kafka, mongodb, secrets, tansu
from deploy.embedded.layout import HOST, SOURCE_ROOT, Layout
from deploy.embedded.services import BY_NAME, OWN, Broker, Service

Tell = Callable[[str], None]

OURS: Final = "bowerbird"
"""The module that runs our own services."""
GRACE_SECONDS: Final = 30.0
_PROBE_SECONDS: Final = 3
_OWN_PREFIX: Final = "BOWERBIRD_"
_LONGEST_COMPLAINT: Final = 10_000

NOT_ANSWERING: Final = "not answering"
NOT_READY: Final = "not ready"


@dataclass(frozen=True, slots=True)
class Program:
    """One process, ready to be started.

    Attributes:
        name: of the row, with `-2` and so on for further replicas.
        argv: the command line.
        environment: all of it; nothing is inherited on top.
        ports: those that it listens on.
        ready: asks whether it does its work; answers within seconds and never raises for 'not yet'.
        grace: seconds between asking it to end and killing it.
        once: it does its work and ends.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[int, ...]
    ready: Callable[[], bool]
    grace: float = GRACE_SECONDS
    once: bool = False

    def fingerprint(self) -> str:
        """Equal for two programs that do the same; without what a shell happens to export."""
        own = sorted(f"{name}={value}" for name, value in self.environment.items() if name.startswith(_OWN_PREFIX))
        return hashlib.sha256("\0".join([*self.argv, *own]).encode()).hexdigest()


def choose_broker(wanted: str, tell: Tell) -> Broker:
    """Apache Kafka where it can run, else Tansu with a notice; `wanted` (kafka, tansu, auto) may force one."""
    lacking = kafka.missing() if wanted != "tansu" else None
    if wanted == "kafka" or (wanted == "auto" and lacking is None):
        return "kafka"
    if lacking is not None:
        tell(f"{lacking} is missing, so Apache Kafka cannot run here.")
    tell(tansu.NOTICE)
    return "tansu"


def split(name: str) -> tuple[Service, int]:
    """The row and the replica number of a process name such as `issuer` or `issuer-2`.

    Raises:
        KeyError: no such row.
    """
    row, _, number = name.partition("-")
    return BY_NAME[row], int(number or 1)


def build(layout: Layout, name: str, broker: Broker, tell: Tell) -> Program:
    """Prepare one process: find its program, write its configuration, fetch what is missing."""
    service, replica = split(name)
    if service.name == "mongodb":
        return _mongodb(layout)
    if service.name == "kafka":
        return _kafka(layout, tell) if broker == "kafka" else _tansu(layout)
    if service.name == "smtp":
        return _smtp(layout)
    return _own(layout, name, service, replica, broker)


def probe(layout: Layout, name: str) -> Callable[[], bool]:
    """The readiness check of a process."""
    service, replica = split(name)
    if service.name == "mongodb":
        return partial(mongodb.ready, layout)
    if service.name == "kafka":
        return partial(kafka.ready, layout)
    if service.name == "smtp":
        return partial(_accepts_mail, layout.port("smtp"))
    if service.port is None or service.health is None:
        return _nothing_to_ask
    return partial(_healthy, _health_url(layout, service, replica))


def startup_failure(layout: Layout, name: str) -> str:
    """Return why a process that runs is not ready: what it says of itself, or that it says nothing."""
    service, replica = split(name)
    if service.port is None or service.health is None:
        return NOT_ANSWERING
    try:
        with urllib.request.urlopen(_health_url(layout, service, replica), timeout=_PROBE_SECONDS):  # noqa: S310  # as below
            return "healthy"  # by now
    except urllib.error.HTTPError as error:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            problems = json.loads(error.read(_LONGEST_COMPLAINT)).get("problems", {})
            return f"{NOT_READY}: " + "; ".join(f"{part}: {problem}" for part, problem in problems.items())
        return f"{NOT_READY}: HTTP {error.code}"
    except (OSError, ValueError):
        return NOT_ANSWERING


def _health_url(layout: Layout, service: Service, replica: int) -> str:
    return f"http://{layout.address(service.port or '', replica)}{service.health}"


def _mongodb(layout: Layout) -> Program:
    return Program(
        "mongodb",
        tuple(mongodb.command(layout, mongodb.find())),
        _inherited(),
        (layout.port("mongodb"),),
        probe(layout, "mongodb"),
    )


def _kafka(layout: Layout, tell: Tell) -> Program:
    java = kafka.require_java()
    jars = kafka.fetch(tell)
    kafka.prepare(layout, java, jars)
    return Program(
        "kafka",
        tuple(kafka.command(layout, java, jars)),
        _inherited(),
        (layout.port("kafka"), layout.port("kafka-controller")),
        probe(layout, "kafka"),
    )


def _tansu(layout: Layout) -> Program:
    return Program(
        "kafka",
        tuple(tansu.command(tansu.find())),
        tansu.environment(layout),
        (layout.port("kafka"),),
        probe(layout, "kafka"),
    )


def _smtp(layout: Layout) -> Program:
    port = layout.port("smtp")
    argv = (sys.executable, "-m", "deploy.embedded.smtp_sink", str(port), str(layout.mail))
    return Program("smtp", argv, _inherited(), (port,), probe(layout, "smtp"))


def _own(layout: Layout, name: str, service: Service, replica: int, broker: Broker) -> Program:
    port = layout.port(service.port, replica) if service.port else None
    metrics_port = layout.port(f"{service.port}-metrics", replica) if service.port else None
    fields = {
        "http_host": HOST,
        "http_port": str(port),
        "http_docs": "true",
        "trusted_proxies": "",
        # All that call it share one address, the demo and the benchmarks too.
        "rate_per_address": "60000",
        "metrics_port": str(metrics_port),
        "kafka_bootstrap": layout.address("kafka"),
        "kafka_idempotence": "true" if broker == "kafka" else "false",
        "mongo_url": mongodb.url(layout),
        **_identity(layout, service.name),
        "log_level": os.environ.get("BOWERBIRD_LOG_LEVEL", "info"),
        "public_url": f"http://{layout.address('verifier')}",
        "authority_secret_file": str(secrets.authority_secret_file(layout)),
        "kek_file": str(secrets.kek_file(layout)),
        "admin_keys_file": str(secrets.admin_keys_file(layout)),
        "grant_secret_file": str(secrets.grant_secret_file(layout)),
        "issuer_list_key_file": str(secrets.issuer_list_key_file(layout)),
        "grant_keys_file": str(secrets.grant_keys_file(layout)),
        "local_only": "true",
        "smtp_host": HOST,
        "smtp_port": str(layout.port("smtp")),
        "mail_from": "badges@bowerbird.example",
    }
    own = {variable: value.format_map(fields) for variable, value in service.environment.items()}
    return Program(
        name,
        (sys.executable, "-m", OURS, *service.command),
        {**_inherited(), **own},
        (port, metrics_port) if port and metrics_port else (),
        probe(layout, name),
        once=service.once,
    )


def _identity(layout: Layout, service: str) -> dict[str, str]:
    """Who a process is at the stores; nobody where they do not ask."""
    if not layout.secured:
        kafka_names = ("kafka_username", "kafka_password_file", "kafka_ca_file")
        names = (*kafka_names, "mongo_username", "mongo_password_file", "mongo_ca_file", "service_passwords")
        return {"kafka_security": "PLAINTEXT", **dict.fromkeys(names, "")}
    for name in OWN:  # setup reads all of them
        secrets.password_file(layout, "kafka", name)
        secrets.password_file(layout, "mongodb", name)
    return {
        "kafka_security": "SASL_SSL",
        "kafka_username": f"bowerbird-{service}",
        "kafka_password_file": str(secrets.password_file(layout, "kafka", service)),
        "kafka_ca_file": str(secrets.certificate(layout, "kafka")[0]),
        "mongo_username": f"bowerbird-{service}",
        "mongo_password_file": str(secrets.password_file(layout, "mongodb", service)),
        "mongo_ca_file": str(secrets.certificate(layout, "mongodb")[0]),
        "service_passwords": str(secrets.passwords(layout)),
    }


def _inherited() -> dict[str, str]:
    """The caller's environment without variables of ours: a service stops at one that is not its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_PREFIX)}
    return {**kept, "PYTHONPATH": str(SOURCE_ROOT), "PYTHONUNBUFFERED": "1"}


def _nothing_to_ask() -> bool:
    return True


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_PROBE_SECONDS) as answer:  # noqa: S310  # a loopback address of ours
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _accepts_mail(port: int) -> bool:
    try:
        with smtplib.SMTP(HOST, port, timeout=_PROBE_SECONDS) as client:
            return client.noop()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False
