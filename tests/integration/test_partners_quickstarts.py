"""The quickstarts of the partners' guide, in three languages, read what our producers publish, as the guide says."""

import asyncio
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from deploy.embedded.stack import Stack
from libs.common.kafka import Kafka
from libs.common.settings import Settings
from libs.common.telemetry import new_trace
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import CredentialIssued, CredentialRevoked, CredentialTakenDown
from tests.ids import IDS
from tests.node_tools import installed
from tests.topic_reading import empty
from tests.waiting import eventually

pytestmark = pytest.mark.integration

FOLDER = Path(__file__).parents[2] / "docs" / "guides" / "quickstarts"
ACHIEVEMENT = "department/resilience/1"
LANGUAGES = ("python", "node", "java")


@dataclass(frozen=True)
class Quickstart:
    """How one is started, and where."""

    command: tuple[str, ...]
    folder: Path


class Reader:
    """A quickstart at work in a consumer group of its own, and the lines that it has printed."""

    def __init__(self, quickstart: Quickstart, brokers: str, purpose: str, *since: str) -> None:
        command = [*quickstart.command, brokers, f"partner-{purpose}-{uuid4()}", *since]
        self._child = subprocess.Popen(
            command, cwd=quickstart.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._child.stdout is not None
        self.lines.extend(line.rstrip() for line in self._child.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.send_signal(signal.SIGINT)
        try:
            self._child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._thread.join()
        assert self._child.stdout is not None
        self._child.stdout.close()

    def has_printed(self, expected: set[str]) -> bool:
        """Whether all of these stand there; fails where it has ended without them."""
        done = expected <= set(self.lines)
        assert done or self._child.poll() is None, self.lines
        return done


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Quickstart]:
    """The command of each quickstart and where it runs, with its packages fetched as the guide says."""
    java = tmp_path_factory.mktemp("java")
    shutil.copytree(FOLDER / "java", java, dirs_exist_ok=True)
    maven = ["mvn", "-B", "-q", "-ntp", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
    fetched = subprocess.run(maven, cwd=java, capture_output=True, text=True, timeout=300, check=False)
    assert fetched.returncode == 0, fetched.stdout
    return {
        "python": Quickstart((sys.executable, "lifecycle.py"), FOLDER / "python"),
        "node": Quickstart(("node", "lifecycle.js"), installed(FOLDER / "node")),
        "java": Quickstart(("java", "-cp", "lib/*", "Lifecycle.java"), java),
    }


@pytest.fixture
def settings(infrastructure: Stack) -> Settings:
    return Settings(kafka_bootstrap=infrastructure.kafka_bootstrap, mongo_url=SecretStr(infrastructure.mongo_url))


def fields(credential: UUID) -> dict[str, object]:
    return {
        "credential_id": credential,
        "url": f"https://badges.example.org/badges/{credential}",
        "issuer_id": "northside",
        "learner_id": uuid4(),
        "achievement": ACHIEVEMENT,
        "occurred_at": datetime.now(UTC),
    }


def issued(credential: UUID) -> CredentialIssued:
    return CredentialIssued.model_validate(fields(credential))


def revoked(credential: UUID) -> CredentialRevoked:
    return CredentialRevoked.model_validate({**fields(credential), "reason": "issued_in_error"})


def taken_down(credential: UUID) -> CredentialTakenDown:
    return CredentialTakenDown.model_validate({**fields(credential), "reason": "personal_data"})


async def publish(settings: Settings, *events: CredentialIssued | CredentialRevoked | CredentialTakenDown) -> None:
    kafka = Kafka(settings, "issuer", IDS.event_id)
    await kafka.start()
    await kafka.publish([Outgoing(event, new_trace()) for event in events])
    await kafka.stop()


async def publish_what_a_partner_does_not_know(settings: Settings) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap)
    await producer.start()
    topic = topics.CREDENTIAL_LIFECYCLE.name
    tomorrow = [("ce_id", str(uuid4()).encode()), ("ce_type", b"org.bowerbirdbadges.credential.framed.v1")]
    await producer.send_and_wait(topic, b"<xml/>", b"some-key", headers=tomorrow)
    await producer.send_and_wait(topic, None, b"some-key")
    await producer.stop()


def line(what: str, credential: UUID) -> str:
    return f"{what} {credential} {ACHIEVEMENT}"


async def test_three_languages_read_each_event_once_skip_what_is_new_and_replay_by_time(
    settings: Settings, commands: Mapping[str, Quickstart]
) -> None:
    brokers = settings.kafka_bootstrap
    await empty(brokers, topics.CREDENTIAL_LIFECYCLE)
    before = [uuid4() for _ in range(40)]
    first = [issued(each) for each in before]
    await publish(settings, *first, *first[:10])
    await publish_what_a_partner_does_not_know(settings)
    withdrawn, early = before[3], uuid4()
    # A revocation that overtakes: its credential never counts as good.
    await publish(settings, revoked(withdrawn), revoked(early), issued(early), taken_down(withdrawn))
    await asyncio.sleep(0.1)  # so that the times of records, in milliseconds, tell before from after
    then = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    after = [uuid4() for _ in range(20)]
    await publish(settings, *map(issued, after))

    every = {line("issued", each) for each in (*before, *after)} | {line("revoked", withdrawn), line("revoked", early)}
    every.add(line("delete", withdrawn))
    late = {line("issued", each) for each in after}
    with ExitStack() as stack:
        readers = {name: stack.enter_context(Reader(commands[name], brokers, "whole")) for name in LANGUAGES}
        replays = {name: stack.enter_context(Reader(commands[name], brokers, "late", then)) for name in LANGUAGES}
        for expected, started in ((every, readers), (late, replays)):
            for reader in started.values():
                eventually(partial(reader.has_printed, expected), seconds=120)
    for name in LANGUAGES:
        ours = [each for each in readers[name].lines if each in every or str(early) in each]
        assert sorted(ours) == sorted(every), name
        assert not [each for each in replays[name].lines if each in every - late], name
