"""The drill of the worst day (`make drill`): MongoDB is lost under load, then Kafka's disk; harm is counted."""

import asyncio
import os
import random
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import cyclopts
import httpx
from aiokafka import AIOKafkaProducer

from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Stack
from libs.contracts import topics
from libs.contracts.results import SoloLevel
from tests.conftest import PORT_OFFSET
from tests.faults import by_design, everything, picture, twin
from tests.faults.by_design import Loss
from tests.faults.drill_changes import RarerChanges
from tests.faults.hurried import hurry
from tests.faults.in_flight import InFlight
from tests.faults.promises import databases
from tests.faults.scenario import SERVICES
from tests.faults.school import REQUIRED, Row, SchoolClient, expected_of, make_rows
from tests.faults.twin import Undisturbed
from tests.waiting import eventually

_PER_BATCH: Final = 1000
_MAILED_ONE_IN: Final = 20
_REST_SECONDS: Final = 8.0
_PATIENCE_SECONDS: Final = 900.0
_PENDING: Final = 300
_ANSWERED: Final = 100
_LONG_FILE_ROWS: Final = 2000
_SERVICES_LIVE_ON_SECONDS: Final = 3.0

_BEGUN = time.monotonic()


def tell(progress: str) -> None:
    """Print progress with the seconds since the start."""
    print(f"{time.monotonic() - _BEGUN:7.1f} s  {progress}", flush=True)


class School(SchoolClient):
    """A school of the drill, with the calls that only the drill needs."""

    def __init__(self, stack: Stack, name: str) -> None:
        super().__init__(stack, name)
        self._admin = {"authorization": f"Bearer {stack.admin_key}"}
        self.sent: list[Row] = []

    def upload(self, rows: Sequence[Row], mark: str) -> None:
        """Send rows in batches of their own, each until it is accepted."""
        self.sent += rows
        for start in range(0, len(rows), _PER_BATCH):
            body = b"\n".join(row.json(_MAILED_ONE_IN) for row in rows[start : start + _PER_BATCH])
            headers = {**self._key, "content-type": "application/x-ndjson", "idempotency-key": f"{mark}-{start}"}
            self._call("POST", "evidence", "/v1/batches", headers, content=body)

    def publish_second_version(self) -> None:
        """Publish another version of the achievement."""
        levels = [{"level": each, "name": each.label, "description": f"How {each.label} looks."} for each in SoloLevel]
        second = {
            "id": "resilience",
            "version": 2,
            "name": "Resilience",
            "description": "Keeps going when it is hard, and helps others to.",
            "criteria": "A teacher saw it twice.",
            "levels": levels,
            "required_level": REQUIRED,
        }
        self._call("POST", "issuer", "/v1/achievements", self._key, json=second)

    def make_key(self) -> tuple[str, str]:
        """Make an API key; returns its id and the key."""
        asked = {"name": "To be withdrawn", "scopes": ["evidence:read"]}
        made = self._call("POST", "issuer", f"/v1/issuers/{self.id}/keys", self._admin, json=asked).json()
        return made["id"], made["key"]

    def withdraw(self, key_id: str) -> None:
        """Withdraw an API key."""
        self._call("DELETE", "issuer", f"/v1/issuers/{self.id}/keys/{key_id}", self._admin)

    def withdraw_evidence(self, pieces: Sequence[Mapping[str, Any]]) -> None:
        """Withdraw pieces of evidence."""
        asked = {"evidence": [*pieces], "reason": "entered_in_error"}
        self._call("POST", "issuer", f"/v1/issuers/{self.id}/withdrawals", self._key, json=asked)

    def take_down(self, credential_id: str) -> None:
        """Have a badge taken down."""
        path = f"/v1/credentials/{credential_id}/take-down"
        self._call("POST", "issuer", path, self._admin, json={"reason": "personal_data"})

    def suspend(self) -> None:
        """Have the school suspended."""
        path = f"/v1/issuers/{self.id}/suspension"
        self._call("PUT", "issuer", path, self._admin, json={"reason": "under_review"})

    def resume(self) -> None:
        """Have the school issue again."""
        self._call("DELETE", "issuer", f"/v1/issuers/{self.id}/suspension", self._admin)

    def limit_mail(self, domains: Sequence[str]) -> None:
        """Have mail go to these domains alone."""
        self._call("PUT", "issuer", f"/v1/issuers/{self.id}/mail-domains", self._admin, json={"domains": [*domains]})


class Drill:
    """One run."""

    def __init__(self, stack: Stack, seed: int, awards: int, *, kafka: bool) -> None:
        self.stack = stack
        self.seed = seed
        self.awards = awards
        self.kafka = kafka
        self.chance = random.Random(seed)
        self.folder = stack.layout.var.parent / "drill-backup"
        self.harm: list[str] = []
        self.old: School
        self.rarer: RarerChanges
        self.in_flight: InFlight
        self.withdrawn: tuple[str, str]

    def run(self) -> int:
        """Do all of it; returns the exit status."""
        tell(f"seed {self.seed}, {self.awards} awards after the backup; data and logs in {self.stack.layout.var}")
        self.stack.start("mongodb", "kafka")
        self.stack.start("setup")
        self.stack.start("smtp", *SERVICES)
        self._before()
        self._since()
        self._at_rest("everything is done")
        self._look_at_rarer("before any loss")
        self._lose_mongodb()
        self._look_after_uploads()
        self._still_works("afterwards")
        if self.kafka:
            self._lose_kafka()
        self.rarer.after()
        self._at_rest("the suspended school issues again")
        self._look_at_rarer("in the end", resumed=True)
        for line in self.harm:
            print(f"  {line}")
        print(f"seed {self.seed}: {'HARMED' if self.harm else 'nothing harmed'}")
        return int(bool(self.harm))

    def _before(self) -> None:
        """What is in the backup, which is made while more is on its way."""
        self.old = School(self.stack, f"old-{self.seed}")
        self.old.upload(make_rows(1000, self.seed), "before")
        self.withdrawn = self.old.make_key()
        paused, asleep = (School(self.stack, f"{name}-{self.seed}") for name in ("paused", "asleep"))
        self.rarer = RarerChanges(self.stack, self.old, paused, asleep, self.chance)
        self.rarer.before()
        self._wait_decided()
        tell("backup")
        self.old.upload(_rows_for(200, self.seed + 1, 5000, "m"), "meanwhile")
        self._command("backup", str(self.folder))
        tell("the backup is made")

    def _since(self) -> None:
        """What is behind the backup, and must come back from what was published."""
        rows = _rows_for(self.awards, self.seed + 2, 10_000, "s")
        self.old.upload(rows, "since")
        new = School(self.stack, f"new-{self.seed}")
        new.upload(make_rows(500, self.seed + 3), "new")
        self.in_flight = InFlight(self.stack, f"flight-{self.seed}", answered=_ANSWERED, long_file=_LONG_FILE_ROWS)
        self.old.publish_second_version()
        self._wait_decided()
        with databases(self.stack) as client:
            issued = list(client["issuer"]["credentials"].find({"issuer_id": self.old.id}).sort("issued_at", 1))
            erased = client["notifier"]["contacts"].find_one({"issuer_id": self.old.id})
        early, late = issued[: len(issued) // 20], issued[len(issued) // 2 :]
        revoked = self.chance.sample(early, 20) + self.chance.sample(late, 20)
        for each in revoked:
            self.old.revoke(str(each["_id"]))
        # A learner earns again what was revoked: by evidence of the same level under another id.
        learners = self._learners(revoked)
        again = [Row(f"again-{place}", learner, level) for place, (learner, level) in enumerate(learners)]
        self.old.upload(again, "again")
        others = [[each for each in some if each not in revoked] for some in (early, late)]
        rarer = self.rarer.since(*others)
        self.old.withdraw(self.withdrawn[0])
        assert erased is not None
        asyncio.run(erase(self.stack, erased["_id"]))
        tell(f"{len(revoked)} revoked, {len(again)} sent again, one key withdrawn, one learner erased")
        tell(rarer)

    def _learners(self, credentials: Sequence[Mapping[str, Any]]) -> list[tuple[int, SoloLevel]]:
        """Of whose rows these credentials came, and with which level."""
        by_source = {row.source_id: row for row in self.old.sent}
        with databases(self.stack) as client:
            rows = client["evidence"]["rows"].find({"credential_id": {"$in": [each["_id"] for each in credentials]}})
            found = [by_source[each["source_id"]] for each in rows if each["state"] == "issued"]
        return [(row.learner, row.level) for row in found]

    def _lose_mongodb(self) -> None:
        self.in_flight.begin()
        tell("MongoDB is killed while uploads are in flight, and every service soon after it")
        self.stack.kill("mongodb")
        moment = datetime.now(UTC)
        time.sleep(self.chance.uniform(0, _SERVICES_LIVE_ON_SECONDS))
        for name in SERVICES:
            self.stack.kill(name)
        tell(self.in_flight.end())
        run = self._undisturbed(twin.published(self.stack, moment))
        tell("MongoDB's disk is lost")
        begun = time.monotonic()
        self.stack.lose("mongodb")
        self.stack.start("mongodb")
        self._command("restore", str(self.folder), "--yes")
        self.stack.start("setup")
        self.stack.start(*SERVICES)
        tell(f"restored, services ready after {time.monotonic() - begun:.1f} s")
        self._at_rest("the services have caught up")
        tell(f"time from loss to rest: {time.monotonic() - begun - _REST_SECONDS:.1f} s")
        self._compare("MongoDB was lost and restored", run)

    def _look_after_uploads(self) -> None:
        """What was in flight: what was answered is decided; all is sent again, and nothing of it is there twice."""
        tell(self.in_flight.came())
        self.harm += [f"in flight: {each}" for each in self.in_flight.harm()]
        try:
            self.in_flight.repeat()
        except AssertionError as error:
            self.harm.append(f"in flight, sent again: {error}")
        self._at_rest("what was in flight was sent again")
        self.harm += [f"in flight, sent again: {each}" for each in self.in_flight.harm()]

    def _lose_kafka(self) -> None:
        self.stack.stop("issuer")
        pending = [Row(f"pending-{n}", 100_000 + n, REQUIRED) for n in range(_PENDING)]
        self.old.upload(pending, "pending")
        for name in ("evidence", "verifier", "notifier"):
            self.stack.kill(name)
        run = self._undisturbed(twin.stored(self.stack))
        tell(f"Kafka's disk is lost while {_PENDING} rows are pending")
        begun = time.monotonic()
        self.stack.lose("kafka")
        self.stack.start("kafka")
        self.stack.start("setup")
        self._command("republish", "--yes")
        self.stack.start(*SERVICES)
        self._at_rest("the services have caught up")
        tell(f"time from loss to rest: {time.monotonic() - begun - _REST_SECONDS:.1f} s")
        self._compare("Kafka's disk was lost", run)

    def _undisturbed(self, loss: Loss) -> Undisturbed:
        """Let a copy of everything go on, as if nothing were lost now; return what comes of it."""
        tell("both stores are copied; a run without any loss goes on from the copy")
        with twin.undisturbed(self.stack) as going_on:
            if not rest(going_on, _REST_SECONDS):
                self.harm.append("undisturbed: not at rest")
            loss = replace(loss, unacknowledged=self.in_flight.unanswered())
            run = Undisturbed(everything.take(going_on), picture.take(going_on, {}), loss)
        tell("the undisturbed run has come to rest")
        return run

    def _still_works(self, when: str) -> None:
        """Everything that a school does goes on: the same file again earns nothing twice, and revoking revokes."""
        before = self._issued()
        try:
            answer = httpx.get(
                f"{self.stack.url('evidence')}/v1/batches/{uuid4()}",
                headers={"authorization": f"Bearer {self.withdrawn[1]}"},
                timeout=30,
            )
            if answer.status_code != 401:
                self.harm.append(f"{when}: a withdrawn key is answered {answer.status_code}")
            self.old.upload(self.old.sent[:500], f"again-{when}")
            self._at_rest("a file was sent again")
            if (more := self._issued() - before) > 0:
                self.harm.append(f"{when}: a file that was sent again earned {more} credentials")
            with databases(self.stack) as client:
                one = client["issuer"]["credentials"].find_one({"issuer_id": self.old.id, "state": "active"})
            assert one is not None
            self.old.revoke(str(one["_id"]))
            self._at_rest("one more was revoked")
            shown = picture.take(self.stack).parts["revoked in the lists shown"]
            if not shown.get(str(one["_id"])):
                self.harm.append(f"{when}: a revocation was answered, and the list that is shown does not say so")
        except AssertionError as error:
            self.harm.append(f"{when}: {error}")

    def _issued(self) -> int:
        with databases(self.stack) as client:
            return client["issuer"]["credentials"].count_documents({})

    def _compare(self, what: str, run: Undisturbed) -> None:
        """Hold what came back against the undisturbed run."""
        seen = picture.take(self.stack, {})
        found = [*map(str, picture.differences(run.seen, seen, {}))]
        compared = everything.compare(run.all, everything.take(self.stack))
        judged = by_design.judge(compared, run.loss)
        found += judged.harm_lines()
        tell(f"{what}: {'nothing but what is said here differs from the undisturbed run' if not found else 'DIFFERS'}")
        self._show("compared byte for byte", compared.lines())
        self._show("differs by design", judged.by_design_lines())
        self._show("lost", judged.lost_lines())
        self._show("harm", found or ["        0"])
        self.harm += [f"{what}: {each}" for each in found]
        self._look_at_rarer(what)
        self._command("audit", "promises", "--grace", "0", "--mailbox", str(self.stack.layout.mail))

    def _look_at_rarer(self, when: str, *, resumed: bool = False) -> None:
        self.harm += [f"{when}: {each}" for each in self.rarer.harm(resumed=resumed)]

    def _show(self, what: str, lines: Sequence[str]) -> None:
        print(f"{'':11}{what}:", *(f"{'':11}{each}" for each in lines), sep="\n", flush=True)

    def _wait_decided(self) -> None:
        with databases(self.stack) as client:
            batches = client["evidence"]["batches"]

            def decided() -> bool:
                received = sum(each["received"] for each in batches.find({}, {"received": 1}))
                return bool(client["evidence"]["rows"].estimated_document_count() >= received)

            eventually(decided, _PATIENCE_SECONDS)

    def _at_rest(self, what: str) -> None:
        if not rest(self.stack, _REST_SECONDS):
            self.harm.append(f"{what}: not at rest after {_PATIENCE_SECONDS:.0f} s")
        tell(what)

    def _command(self, *words: str) -> None:
        """Run a command as an operator does, with the environment of the issuer service, and show what it says."""
        environment = {**os.environ, **self.stack.environment("issuer"), "PYTHONPATH": str(SOURCE_ROOT)}
        done = subprocess.run(  # our own program
            [sys.executable, "-m", "bowerbird", *words], env=environment, capture_output=True, text=True, check=False
        )
        for line in (done.stdout + done.stderr).splitlines():
            print(f"{'':11}{line}", flush=True)
        if done.returncode:
            self.harm.append(f"`bowerbird {words[0]}` ended with {done.returncode}")


def rest(stack: Stack, seconds: float) -> bool:
    """Wait until nothing has changed for so long; return whether it came to that in time."""
    with databases(stack) as client:
        last, since, end = _numbers(client), time.monotonic(), time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() - since < seconds:
            time.sleep(0.2)
            if time.monotonic() > end:
                return False
            if (numbers := _numbers(client)) != last:
                last, since = numbers, time.monotonic()
    return True


def _numbers(client: Any) -> object:
    collections = (
        *(("issuer", each) for each in ("decisions", "credentials", "issuers", "achievements", "waiting")),
        *(("verifier", each) for each in ("documents", "status_lists")),
        *(("evidence", each) for each in ("rows", "row_blocks", "batches")),
        *(("notifier", each) for each in ("deliveries", "contacts")),
    )
    counts = [client[database][each].estimated_document_count() for database, each in collections]
    closed = client["verifier"]["documents"].count_documents({"state": {"$ne": "active"}})
    lists = sorted((str(each["_id"]), each["version"]) for each in client["verifier"]["status_lists"].find())
    mails = [{"$group": {"_id": "$state", "count": {"$sum": 1}}}, {"$sort": {"_id": 1}}]
    return counts, closed, lists, list(client["notifier"]["deliveries"].aggregate(mails))


def _rows_for(awards: int, seed: int, first: int, mark: str) -> list[Row]:
    """Make rows that earn so many awards and a few more, of learners and with ids that nobody else has."""
    count = awards
    while expected_of(rows := make_rows(count, seed, rows_per_learner=2)).issued < awards:
        count += max(10, awards // 10)
    return [Row(mark + row.source_id, row.learner + first, row.level, row.repeat) for row in rows]


async def erase(stack: Stack, learner_id: UUID) -> None:
    """Erase a learner's name and address, as whoever may write the topic does."""
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topics.LEARNER_CONTACTS.name, None, key=str(learner_id).encode())
    finally:
        await producer.stop()


def drill(*, seed: int = 0, awards: int = 10_000, kafka: bool = True) -> int:
    """Lose MongoDB and Kafka, one after the other, and count what is harmed; returns the exit status.

    Args:
        seed: of all chance; 0 draws one.
        awards: how many are issued behind the backup.
        kafka: whether Kafka's disk is lost too, afterwards.
    """
    seed = seed or secrets.randbelow(2**31 - 1) + 1
    var = SOURCE_ROOT / "var" / "drill"
    for folder in (var, var.parent / "drill-backup"):
        shutil.rmtree(folder, ignore_errors=True)
    with Stack(var, PORT_OFFSET) as stack:
        hurry(stack)
        return Drill(stack, seed, awards, kafka=kafka).run()


if __name__ == "__main__":
    sys.exit(cyclopts.run(drill))
