"""Trials of alerts about the stores: slow, hung, gone, put back, made anew; one after the other."""

import asyncio
import concurrent.futures
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final
from uuid import uuid4

import httpx
import orjson
from confluent_kafka.admin import AdminClient, NewPartitions

from deploy.embedded.layout import SOURCE_ROOT
from libs.access.key_text import new_key
from libs.contracts import topics
from tests.faults.live_awards import Lost
from tests.faults.live_faults import SCHOOL, SECONDS, Alarms, Trial, nothing, send
from tests.topic_reading import everything_on

_HANGS_SECONDS: Final = 3.0
_WORKS_SECONDS: Final = 1.5
_ASKED_AT_ONCE: Final = 20
_PATIENCE_SECONDS: Final = 60.0


def of_stores(alarms: Alarms) -> Iterator[Trial]:
    """MongoDB and Kafka: slow again and again, hung, killed."""
    stack = alarms.stack

    def hang(name: str) -> Callable[[], None]:
        return lambda: stack.signal(name, signal.SIGSTOP)

    def go_on(name: str) -> Callable[[], None]:
        return lambda: stack.signal(name, signal.SIGCONT)

    def stutter(name: str) -> Callable[[], None]:
        def once() -> None:
            stack.signal(name, signal.SIGSTOP)
            time.sleep(_HANGS_SECONDS)
            stack.signal(name, signal.SIGCONT)
            time.sleep(_WORKS_SECONDS)

        return once

    def ask(number: int) -> None:
        with contextlib.suppress(httpx.TransportError):
            if number % 4:
                httpx.get(f"{stack.url('verifier')}/badges/{uuid4()}", trust_env=False, timeout=SECONDS)
            else:
                headers = {"authorization": f"Bearer {new_key()}"}
                httpx.get(f"{stack.url('evidence')}/v1/batches/{uuid4()}", headers=headers, timeout=SECONDS)

    def ask_many() -> None:
        with concurrent.futures.ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            list(pool.map(ask, range(_ASKED_AT_ONCE)))

    yield Trial(
        "kafka-stutters",
        frozenset({"BowerbirdIntakeFails", "BowerbirdAnnouncementsLate"}),
        nothing,
        nothing,
        stutter("kafka"),
    )
    yield Trial("mongodb-stutters", frozenset({"BowerbirdVerificationFails"}), nothing, nothing, stutter("mongodb"))
    yield Trial(
        "mongodb-hangs",
        frozenset({"BowerbirdConsumerBehind", "BowerbirdConsumerStuck", "BowerbirdRetries"}),
        hang("mongodb"),
        go_on("mongodb"),
    )
    away = frozenset(
        {"BowerbirdHttpErrors", "BowerbirdMongoDown", "BowerbirdMongoNoPrimary", "BowerbirdAuditLogNotWritten"}
    )
    yield Trial("mongodb-down", away, lambda: stack.kill("mongodb"), lambda: stack.start("mongodb", wait=120), ask_many)
    yield Trial(
        "kafka-down",
        frozenset({"BowerbirdKafkaDown"}),
        lambda: stack.kill("kafka"),
        lambda: stack.start("kafka", wait=120),
    )


def of_set_backs(alarms: Alarms) -> Iterator[Trial]:
    """What was published and the issuer's database does not have; the last of these leave Kafka another one."""
    stack = alarms.stack
    keys = Lost(alarms, "issuer", "signing_keys")
    admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap, "log_level": 0})

    def go_back() -> None:
        stack.kill("issuer")
        keys.lose(issuer_id=SCHOOL)
        stack.start("issuer")

    def adopt_slowly() -> None:
        stack.restart("issuer", wait=0)
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError):
                metrics = httpx.get(stack.metrics_url("issuer"), trust_env=False, timeout=1).text
                if "bowerbird_issuer_adopting 1" in metrics:
                    break
        stack.signal("kafka", signal.SIGSTOP)

    def go_on() -> None:
        stack.signal("kafka", signal.SIGCONT)
        stack.wait_ready("issuer", seconds=120)

    def seal_by_others() -> None:
        record = asyncio.run(everything_on(stack.kafka_bootstrap, topics.CREDENTIAL_DOCUMENTS))[-1]
        of_another = orjson.loads(record.value) | {"credential_id": str(uuid4())}
        send(
            stack,
            topics.CREDENTIAL_DOCUMENTS.name,
            orjson.dumps(of_another),
            of_another["credential_id"].encode(),
            record.headers,
        )
        stack.restart("issuer")

    yield Trial("set-back", frozenset({"BowerbirdStoreWentBack"}), go_back)
    yield Trial("slow-adoption", frozenset({"BowerbirdAdopting"}), adopt_slowly, go_on)
    yield Trial("sealed-by-others", frozenset({"BowerbirdNotAdopted"}), seal_by_others)

    def more_partitions() -> None:
        name = topics.CREDENTIAL_COMMANDS.name
        for done in admin.create_partitions([NewPartitions(name, topics.CREDENTIAL_COMMANDS.partitions + 1)]).values():
            done.result()

    def lose_topic() -> None:
        stack.kill("issuer")
        for done in admin.delete_topics([topics.STATUS_LISTS.name]).values():
            done.result()
        time.sleep(2)
        _bowerbird(alarms, "setup")
        stack.start("issuer")

    def publish_again() -> None:
        _bowerbird(alarms, "republish", "--yes")
        for each in ("issuer", "verifier"):
            stack.restart(each)

    yield Trial("lost-topic", frozenset({"BowerbirdTopicsMadeAnew"}), lose_topic, publish_again)
    yield Trial(
        "more-partitions",
        frozenset({"BowerbirdPartitionsUnassigned"}),
        more_partitions,
        lambda: stack.restart("issuer"),
    )


def _bowerbird(alarms: Alarms, *arguments: str) -> None:
    environment = alarms.stack.environment("issuer") | {"PYTHONPATH": str(SOURCE_ROOT)}
    command = [sys.executable, "-m", "bowerbird", *arguments]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stdout[-500:]} {done.stderr[-500:]}")
