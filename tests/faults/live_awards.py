"""Trials of alerts about evidence, awards, mails and what others rely on, by records and by what the databases hold."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import orjson
from aiokafka import ConsumerRecord

from deploy.embedded.smtp_sink import CONTROL, Faults
from libs.access.key_text import new_key
from libs.contracts import topics
from libs.contracts.events import AUTHORITY_ID
from libs.contracts.results import SoloLevel
from tests.faults.live_faults import HTTP, SCHOOL, Alarms, Trial, nothing, send, send_events
from tests.faults.school import Row
from tests.ids import commands_of, revocation
from tests.issuer_doubles import evidence
from tests.keys_in_memory import grant
from tests.topic_reading import everything_on

_LONG_AGO: Final = timedelta(hours=3)
_PATIENCE_SECONDS: Final = 60.0
_GATHERS_SECONDS: Final = 20.0


def _now() -> datetime:
    return datetime.now(UTC)


def issued(alarms: Alarms) -> dict[str, Any]:
    """Return a credential of the school that is not revoked, as soon as there is one."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        with alarms.database("issuer") as database:
            found: dict[str, Any] | None = database["credentials"].find_one({"issuer_id": SCHOOL, "revoked_at": None})
        if found is not None:
            return found
        time.sleep(0.5)
    raise TimeoutError("nothing was issued")


def _due() -> dict[str, Any]:
    """Return what stands in a list that was signed a month ago, and should have been signed again since."""
    return {"signed_at": _now() - timedelta(days=30), "renew_at": _now() - _LONG_AGO}


class Lost:
    """Documents that are taken out of a collection, and put back."""

    def __init__(self, alarms: Alarms, database: str, collection: str) -> None:
        """Take where they are."""
        self._alarms = alarms
        self._database = database
        self._collection = collection
        self._documents: list[dict[str, Any]] = []

    def lose(self, **those: object) -> None:
        """Take them out."""
        with self._alarms.database(self._database) as database:
            self._documents = list(database[self._collection].find(those))
            assert self._documents, f"there is none in {self._collection}"
            database[self._collection].delete_many(those)

    def put_back(self) -> None:
        """Put back those that nothing has put back."""
        with self._alarms.database(self._database) as database:
            for each in self._documents:
                database[self._collection].replace_one({"_id": each["_id"]}, each, upsert=True)


def of_records(alarms: Alarms) -> Iterator[Trial]:
    """Records that are not as they must be."""
    stack = alarms.stack

    def version(record: ConsumerRecord) -> tuple[int, int]:
        event = orjson.loads(record.value)
        return event["epoch"], event["version"]

    def older_list() -> None:
        alarms.traffic.school.revoke(issued(alarms)["_id"])
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            records = asyncio.run(everything_on(stack.kafka_bootstrap, topics.STATUS_LISTS))
            last = {each.key: version(each) for each in records}
            old = next((each for each in records if version(each) < last[each.key]), None)
            if old is not None:
                break
            # A version may stand there several times.
            assert time.monotonic() < end, "no list was published anew"
        send(stack, topics.STATUS_LISTS.name, old.value, old.key, old.headers)

    yield Trial(
        "broken-record",
        frozenset({"BowerbirdDeadLetters"}),
        lambda: send(stack, topics.EVIDENCE_SUBMITTED.name, b"{}"),
        settles=False,
    )
    yield Trial("older-list", frozenset({"BowerbirdStatusListRefused"}), older_list, settles=False)


def of_grants(alarms: Alarms) -> Iterator[Trial]:
    """A record about access that nobody of ours has signed; it stays on its topic, so audits find it."""
    yield Trial(
        "forged-grant",
        frozenset({"BowerbirdForgedGrants"}),
        lambda: send_events(alarms.stack, grant(new_key(), SCHOOL, ["keys:write"])),
        settles=False,
    )


def of_unknown_achievements(alarms: Alarms) -> Iterator[Trial]:
    """Evidence of an achievement that is not published, and then is."""
    unknown = b"\n".join(
        Row(f"wait-{number}", number, SoloLevel.RELATIONAL).json(10**9).replace(b'"resilience"', b'"not-yet"')
        for number in range(1, 1100)
    )
    yield Trial(
        "unknown-evidence",
        frozenset({"BowerbirdEvidenceWaits"}),
        lambda: alarms.traffic.upload(unknown),
        lambda: alarms.traffic.school.publish("not-yet"),
    )


def of_unknown_credentials(alarms: Alarms) -> Iterator[Trial]:
    """A command about a credential that is not there, and comes back."""
    credentials = Lost(alarms, "issuer", "credentials")

    def revoke_unknown() -> None:
        credential = issued(alarms)
        credentials.lose(_id=credential["_id"])
        send_events(alarms.stack, revocation(commands_of(alarms.stack), credential["_id"], SCHOOL, _now()))

    def wait_long() -> None:
        with alarms.database("issuer") as database:
            database["waiting_commands"].update_many({}, {"$set": {"since": _now() - _LONG_AGO}})

    yield Trial(
        "unknown-credential",
        frozenset({"BowerbirdCommandsWait"}),
        revoke_unknown,
        credentials.put_back,
        wait_long,
    )


def of_keys(alarms: Alarms) -> Iterator[Trial]:
    """A school's signing key that is not there, and comes back."""
    keys = Lost(alarms, "issuer", "signing_keys")
    yield Trial("no-key", frozenset({"BowerbirdEvidenceParked"}), lambda: keys.lose(issuer_id=SCHOOL), keys.put_back)


def of_late_decisions(alarms: Alarms) -> Iterator[Trial]:
    """Evidence that was taken in hours ago, and is decided now."""

    def submit() -> None:
        batch_id = uuid4()
        learners = [f"{batch_id} {row}" for row in range(1, 60)]
        send_events(
            alarms.stack,
            *(
                evidence(
                    row,
                    issuer_id=SCHOOL,
                    learner=each,
                    source_id=each,
                    batch_id=batch_id,
                    received_at=_now() - _LONG_AGO,
                )
                for row, each in enumerate(learners, 1)
            ),
        )

    late = frozenset({"BowerbirdDecisionsLate", "BowerbirdSmallBatchesLate"})
    yield Trial("late-decisions", late, nothing, nothing, submit)


def of_lists(alarms: Alarms) -> Iterator[Trial]:
    """The authority's own key is not there: status lists can't be signed, neither for a revocation nor in time."""
    keys = Lost(alarms, "issuer", "signing_keys")

    def lose() -> None:
        credential = issued(alarms)
        keys.lose(issuer_id=AUTHORITY_ID)
        with alarms.database("issuer") as database:
            database["status_lists"].update_many({}, {"$set": _due()})
        url = f"{alarms.stack.url('issuer')}/v1/credentials/{credential['_id']}/revoke"
        headers = alarms.traffic.school.headers
        HTTP.post(url, headers=headers, json={"reason": "wrong_learner"})

    def find() -> None:
        keys.put_back()
        # What was not signed is tried again after a minute, or by a process that starts.
        with alarms.database("issuer") as database:
            database["status_lists"].update_many({}, {"$set": {"renew_at": _now()}})
        alarms.stack.restart("issuer")

    alerts = frozenset({"BowerbirdRevocationLate", "BowerbirdStatusListsNotRenewed"})
    yield Trial("no-authority-key", alerts, lose, find)


def of_late_revocations(alarms: Alarms) -> Iterator[Trial]:
    """Revocations that were asked for hours ago, and are seen now."""

    def revoke() -> None:
        with alarms.database("issuer") as database:
            some = list(database["credentials"].find({"issuer_id": SCHOOL, "revoked_at": None}).limit(20))
        commands = commands_of(alarms.stack)
        send_events(alarms.stack, *(revocation(commands, each["_id"], SCHOOL, _now() - _LONG_AGO) for each in some))

    yield Trial("late-revocations", frozenset({"BowerbirdRevocationsSlow"}), nothing, nothing, revoke)


def of_the_list_of_issuers(alarms: Alarms) -> Iterator[Trial]:
    """A process that hangs while it publishes the list of issuers: the others leave it to that one."""

    def write(change: dict[str, Any]) -> None:
        with alarms.database("issuer") as database:
            database["issuer_list"].update_many({}, {"$set": change})

    def hang() -> None:
        write({"publishing": [{"token": "hangs", "since": _now()}]})

    yield Trial(
        "hung-publisher",
        frozenset({"BowerbirdIssuerListNotRenewed"}),
        lambda: write(_due()),
        lambda: write({"publishing": [], "renew_at": _now()}),
        hang,
    )


def of_mail(alarms: Alarms) -> Iterator[Trial]:
    """What a mail server does; one after the other."""
    stack, control = alarms.stack, alarms.stack.layout.mail / CONTROL

    def delay() -> None:
        stack.kill("smtp")
        time.sleep(_GATHERS_SECONDS)
        with alarms.database("notifier") as database:
            late = {"$set": {"created_at": _now() - _LONG_AGO}}
            database["deliveries"].update_many({"state": "pending"}, late)
        stack.start("smtp")

    yield Trial(
        "mail-hangs",
        frozenset({"BowerbirdMailLate"}),
        lambda: stack.signal("smtp", signal.SIGSTOP),
        lambda: stack.signal("smtp", signal.SIGCONT),
    )
    yield Trial(
        "mail-down",
        frozenset({"BowerbirdMailRelayAway"}),
        lambda: stack.kill("smtp"),
        lambda: stack.start("smtp"),
    )
    yield Trial(
        "wrong-addresses",
        frozenset({"BowerbirdMailGivenUp"}),
        lambda: Faults(refuse={"*": "550 5.1.1 no such user"}).write(control),
        lambda: control.unlink(missing_ok=True),
        settles=False,
    )
    yield Trial("old-mails", frozenset({"BowerbirdMailSlow"}), delay)


def of_held_mails(alarms: Alarms) -> Iterator[Trial]:
    """Mails that may have been sent before a restore, until somebody decides."""

    def write(before: str, after: str) -> None:
        with alarms.database("notifier") as database:
            database["deliveries"].update_many({"state": before}, {"$set": {"state": after}})

    yield Trial(
        "held-mails",
        frozenset({"BowerbirdMailsHeld"}),
        nothing,
        lambda: write("may_have_been_sent", "sent"),
        lambda: write("sent", "may_have_been_sent"),
    )


def of_audit_logs(alarms: Alarms) -> Iterator[Trial]:
    """An audit log that takes no entries, so that no key is given out either."""

    def take(what: dict[str, Any]) -> None:
        with alarms.database("issuer") as database:
            database.command("collMod", "audit", validator=what)

    def ask_for_key() -> None:
        url = f"{alarms.stack.url('issuer')}/v1/issuers/{SCHOOL}/keys"
        headers = {"authorization": f"Bearer {alarms.stack.admin_key}"}
        body = {"name": "Not given out", "scopes": ["evidence:read"]}
        with contextlib.suppress(httpx.TransportError):
            HTTP.post(url, headers=headers, json=body)
        time.sleep(1)

    yield Trial(
        "audit-log-closed",
        frozenset({"BowerbirdAuditLogNotWritten"}),
        lambda: take({"never": {"$exists": True}}),
        lambda: take({}),
        ask_for_key,
    )
