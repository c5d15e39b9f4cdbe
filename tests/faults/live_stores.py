"""Trials of alerts about the stores: slow, hung, gone, put back, made anew; one after the other."""

import asyncio
import contextlib
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final
from uuid import uuid4

import httpx
import orjson
from confluent_kafka.admin import AdminClient, NewPartitions

from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Stack
from libs.contracts import topics
from tests.faults import promises
from tests.faults.live_awards import Lost, issued
from tests.faults.live_faults import HTTP, SCHOOL, SECONDS, Alarms, Trial, nothing, send
from tests.topic_reading import everything_on
from tests.waiting import eventually

_HANGS_SECONDS: Final = 3.0
_WORKS_SECONDS: Final = 1.5
_VISITORS: Final = 30
_SPREAD_SECONDS: Final = 5.0
_ATTEMPTS: Final = 5
_MOMENT_SECONDS: Final = 0.01
_UNNOTICED_SECONDS: Final = 4.0
_FILES: Final = 1200
_HELD: Final = 0.85
# A bound of the verifier's histogram, which is as it is however short durations in rules are, and a little.
_TOO_LATE_SECONDS: Final = 62.0
# Else MongoDB would abort it: after a minute, the embedded one after ten seconds.
_LONGEST_TRANSACTION_SECONDS: Final = 600


def of_stores(alarms: Alarms) -> Iterator[Trial]:
    """MongoDB and Kafka: slow again and again, hung, killed."""
    stack = alarms.stack

    def stutter() -> None:
        stack.signal("kafka", signal.SIGSTOP)
        time.sleep(_HANGS_SECONDS)
        stack.signal("kafka", signal.SIGCONT)
        time.sleep(_WORKS_SECONDS)

    visitors = Visitors(alarms)

    def kill_mongodb() -> None:
        stack.kill("mongodb")
        visitors.begin()

    def start_again() -> None:
        visitors.end()
        stack.start("mongodb", wait=120)

    away = frozenset(
        {
            "BowerbirdConsumerBehind",
            "BowerbirdConsumerStuck",
            "BowerbirdHttpErrors",
            "BowerbirdMongoDown",
            "BowerbirdMongoNoPrimary",
            "BowerbirdRetries",
            "BowerbirdVerificationFails",
        }
    )
    yield Trial("mongodb-down", away, kill_mongodb, start_again)
    slow = frozenset({"BowerbirdIntakeFails", "BowerbirdAnnouncementsLate"})
    yield Trial("kafka-stutters", slow, nothing, nothing, stutter)
    yield Trial(
        "kafka-down",
        frozenset({"BowerbirdKafkaDown"}),
        lambda: stack.kill("kafka"),
        lambda: stack.start("kafka", wait=120),
    )


class Visitors:
    """Many who look for badges at the same time, each again as soon as it was answered."""

    def __init__(self, alarms: Alarms) -> None:
        """Take the stack that is asked."""
        self._url = alarms.stack.url("verifier")
        self._ended = threading.Event()

    def begin(self) -> None:
        """Begin, each a moment after the other: all are answered when the driver has looked long for a database."""
        for number in range(_VISITORS):
            threading.Thread(target=self._look, args=(number * _SPREAD_SECONDS / _VISITORS,), daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def _look(self, late: float) -> None:
        self._ended.wait(late)
        while not self._ended.wait(_MOMENT_SECONDS):
            with contextlib.suppress(httpx.TransportError):
                HTTP.get(f"{self._url}/badges/{uuid4()}")


def start_mongodb(stack: Stack) -> None:
    """Start it so that it takes few connections: four fifths of the files that it may open when it starts."""
    mine = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, mine[1]))
    try:
        stack.start("mongodb")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, mine)
    # A connection takes two files, so from now on it may open more.
    resource.prlimit(stack.pid("mongodb"), resource.RLIMIT_NOFILE, mine)


def of_connections(alarms: Alarms) -> Iterator[Trial]:
    """Somebody who holds nearly all connections that MongoDB takes."""
    held: list[socket.socket] = []

    def hold() -> None:
        with promises.databases(alarms.stack) as client:
            connections = client.admin.command("serverStatus")["connections"]
        all_of_them = connections["current"] + connections["available"]
        host, port = alarms.stack.layout.address("mongodb").split(":")
        wanted = int(_HELD * all_of_them) - connections["current"]
        held.extend(socket.create_connection((host, int(port))) for _ in range(wanted))

    def let_go() -> None:
        while held:
            held.pop().close()

    yield Trial("connections", frozenset({"BowerbirdMongoConnections"}), hold, let_go)


class OpenTransaction:
    """Somebody who has written to all documents of a collection in a transaction, and left it open."""

    def __init__(self, alarms: Alarms, database: str, collection: str) -> None:
        """Take what it has written to."""
        self._alarms = alarms
        self._database = database
        self._collection = collection
        self._open = contextlib.ExitStack()

    def begin(self) -> None:
        """Write, so that whoever else writes to these documents waits."""
        client = self._open.enter_context(promises.databases(self._alarms.stack))
        limit = "transactionLifetimeLimitSeconds"
        before = client.admin.command({"getParameter": 1, limit: 1})[limit]
        self._open.callback(client.admin.command, {"setParameter": 1, limit: before})
        client.admin.command({"setParameter": 1, limit: _LONGEST_TRANSACTION_SECONDS})
        session = self._open.enter_context(client.start_session())
        # Aborts it as it ends.
        session.start_transaction()
        written = client[self._database][self._collection].update_many({}, {"$set": {"open": True}}, session=session)
        assert written.modified_count, f"there is none in {self._collection}"

    def end(self) -> None:
        """Abort it: nothing of what it wrote is left."""
        self._open.close()


def of_held_lists(alarms: Alarms) -> Iterator[Trial]:
    """A revocation that the issuer published in time, and that the verifier could not store for a minute and more."""
    late = "BowerbirdRevocationLate"
    holder = OpenTransaction(alarms, "verifier", "status_lists")

    def revoke() -> None:
        credential = issued(alarms)
        with alarms.database("verifier") as database:
            here = {"_id": credential["status_list"]}
            eventually(lambda: database["status_lists"].find_one(here) is not None)
        holder.begin()
        alarms.traffic.school.revoke(credential["_id"])
        time.sleep(_TOO_LATE_SECONDS)
        # Else it would be the issuer's half of it that fires.
        assert late not in {each["alertname"] for each in alarms.prometheus.firing()}, "it was published late, too"
        holder.end()

    yield Trial("held-lists", frozenset({late}), revoke, holder.end)


def of_set_backs(alarms: Alarms) -> Iterator[Trial]:
    """What was published and the issuer's database does not have."""
    stack = alarms.stack
    keys = Lost(alarms, "issuer", "signing_keys")

    def go_back() -> None:
        stack.kill("issuer")
        keys.lose(issuer_id=SCHOOL)
        stack.start("issuer")

    def adopt_slowly() -> None:
        """Stop Kafka while the issuer reads what it published, which takes it less than a second here."""
        for _ in range(_ATTEMPTS):
            stack.restart("issuer", wait=0)
            while (now := _adopts(stack.metrics_url("issuer"))) is None:
                time.sleep(_MOMENT_SECONDS)
            if now:
                stack.signal("kafka", signal.SIGSTOP)
                if _adopts(stack.metrics_url("issuer")):
                    return
                stack.signal("kafka", signal.SIGCONT)
            stack.wait_ready("issuer")
        raise TimeoutError("the issuer had taken up everything before Kafka could be stopped")

    def go_on() -> None:
        stack.signal("kafka", signal.SIGCONT)
        stack.wait_ready("issuer", seconds=120)

    def seal_by_others() -> None:
        records = asyncio.run(everything_on(stack.kafka_bootstrap, topics.CREDENTIAL_DOCUMENTS))
        record = next(each for each in records if each.value and orjson.loads(each.value).get("record"))
        of_another = orjson.loads(record.value) | {"credential_id": str(uuid4())}
        # While no process of it may say that it has come as far as this.
        stack.kill("issuer")
        key = of_another["credential_id"].encode()
        send(stack, topics.CREDENTIAL_DOCUMENTS.name, orjson.dumps(of_another), key, record.headers)
        stack.start("issuer")

    yield Trial("set-back", frozenset({"BowerbirdStoreWentBack"}), go_back, settles=False)
    yield Trial("slow-adoption", frozenset({"BowerbirdAdopting"}), adopt_slowly, go_on)
    yield Trial("sealed-by-others", frozenset({"BowerbirdNotAdopted"}), seal_by_others, settles=False)


def of_topics(alarms: Alarms) -> Iterator[Trial]:
    """A topic that is lost, and one that gets more partitions."""
    stack = alarms.stack

    def lose_topic() -> None:
        stack.kill("issuer")
        admin = _admin(alarms)  # what it has been asked ends with it
        for done in admin.delete_topics([topics.STATUS_LISTS.name]).values():
            done.result()
        time.sleep(2)
        stack.start("setup")
        stack.start("issuer")

    def publish_again() -> None:
        environment = stack.environment("issuer") | {"PYTHONPATH": str(SOURCE_ROOT)}
        command = [sys.executable, "-m", "bowerbird", "republish", "--yes"]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"republish: {done.stdout[-500:]} {done.stderr[-500:]}")
        for each in ("issuer", "verifier"):
            stack.restart(each)

    def add_partition() -> None:
        name, admin = topics.CREDENTIAL_COMMANDS.name, _admin(alarms)
        count = len(admin.list_topics(name, timeout=SECONDS).topics[name].partitions)
        for done in admin.create_partitions([NewPartitions(name, count + 1)]).values():
            done.result()
        time.sleep(_UNNOTICED_SECONDS)

    yield Trial("lost-topic", frozenset({"BowerbirdTopicsMadeAnew"}), lose_topic, publish_again)
    # Members notice within 15 seconds: another one each few seconds until some are nobody's for long enough.
    nobodys = frozenset({"BowerbirdPartitionsUnassigned"})
    yield Trial("more-partitions", nobodys, nothing, lambda: stack.restart("issuer"), add_partition)


def _admin(alarms: Alarms) -> AdminClient:
    return AdminClient({"bootstrap.servers": alarms.stack.kafka_bootstrap, "log_level": 0})


def _adopts(metrics_url: str) -> bool | None:
    """Return whether the issuer takes up what was published; None where it has not come to that yet."""
    with contextlib.suppress(httpx.TransportError):
        text = HTTP.get(metrics_url, timeout=1).text
        if "\nbowerbird_issuer_adopting 1" in text:
            return True
        # The gauge of this alone is made before, and is zero again when it is over.
        if 'bowerbird_consumer_assigned_partitions{consumer="issuer-' in text:
            return False
    return None
