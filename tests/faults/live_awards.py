"""Trials of alerts about evidence, awards, mails and what others rely on, by records and by what the databases hold."""

import asyncio
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import httpx

from deploy.embedded.smtp_sink import CONTROL, Faults
from libs.access.key_text import new_key
from libs.contracts import topics
from libs.contracts.events import AUTHORITY_ID, RevokeCredential
from libs.contracts.results import SoloLevel
from tests.faults.live_faults import SCHOOL, Alarms, Trial, nothing, send, send_events
from tests.faults.school import Row
from tests.issuer_doubles import evidence
from tests.keys_in_memory import grant
from tests.topic_reading import everything_on

_LONG_AGO: Final = timedelta(hours=3)
_PATIENCE_SECONDS: Final = 60.0


def _now() -> datetime:
    return datetime.now(UTC)


def _issued(alarms: Alarms) -> dict[str, Any]:
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

    def older_list() -> None:
        alarms.traffic.school.revoke(_issued(alarms)["_id"])
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            records = asyncio.run(everything_on(stack.kafka_bootstrap, topics.STATUS_LISTS))
            last = {each.key: each.offset for each in records}
            old = next((each for each in records if each.offset < last[each.key]), None)
            if old is not None:
                break
            assert time.monotonic() < end, "no list was published anew"
        send(stack, topics.STATUS_LISTS.name, old.value or b"", old.key or b"", old.headers)

    yield Trial(
        "broken-record",
        frozenset({"BowerbirdDeadLetters"}),
        lambda: send(stack, topics.EVIDENCE_SUBMITTED.name, b"{}"),
    )
    forged = frozenset({"BowerbirdForgedGrants"})
    yield Trial("forged-grant", forged, lambda: send_events(stack, grant(new_key(), SCHOOL, ["keys:write"])))
    yield Trial("older-list", frozenset({"BowerbirdStatusListRefused"}), older_list)


def of_waiting(alarms: Alarms) -> Iterator[Trial]:
    """Evidence and commands about what is not there."""
    unknown = b"\n".join(
        Row(f"wait-{number}", number, SoloLevel.RELATIONAL).json(10**9).replace(b'"resilience"', b'"not-yet"')
        for number in range(1, 1100)
    )
    credentials = Lost(alarms, "issuer", "credentials")

    def revoke_unknown() -> None:
        credential = _issued(alarms)
        credentials.lose(_id=credential["_id"])
        command = RevokeCredential(
            credential_id=credential["_id"], issuer_id=SCHOOL, reason="wrong_learner", requested_at=_now()
        )
        send_events(alarms.stack, command)

    def wait_long() -> None:
        with alarms.database("issuer") as database:
            database["waiting_commands"].update_many({}, {"$set": {"since": _now() - _LONG_AGO}})

    yield Trial(
        "unknown-evidence",
        frozenset({"BowerbirdEvidenceWaits"}),
        lambda: alarms.traffic.upload(unknown),
        lambda: alarms.traffic.school.publish("not-yet"),
    )
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
        learners = [f"{batch_id} {row}" for row in range(1, 20)]
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

    yield Trial("late-decisions", frozenset({"BowerbirdDecisionsLate"}), nothing, nothing, submit)


def of_lists(alarms: Alarms) -> Iterator[Trial]:
    """The authority's own key is not there: status lists can't be signed, neither for a revocation nor in time."""
    keys = Lost(alarms, "issuer", "signing_keys")

    def lose() -> None:
        credential = _issued(alarms)
        keys.lose(issuer_id=AUTHORITY_ID)
        with alarms.database("issuer") as database:
            database["status_lists"].update_many({}, {"$set": _due()})
        url = f"{alarms.stack.url('issuer')}/v1/credentials/{credential['_id']}/revoke"
        headers = alarms.traffic.school.headers
        httpx.post(url, headers=headers, json={"reason": "wrong_learner"}, trust_env=False, timeout=20)

    alerts = frozenset({"BowerbirdRevocationLate", "BowerbirdStatusListsNotRenewed"})
    yield Trial("no-authority-key", alerts, lose, keys.put_back)


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
        stack.signal("smtp", signal.SIGSTOP)
        time.sleep(1)
        with alarms.database("notifier") as database:
            late = {"$set": {"created_at": _now() - _LONG_AGO}}
            database["deliveries"].update_many({"state": {"$in": ["pending", "sending"]}}, late)
        stack.signal("smtp", signal.SIGCONT)

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
    )
    yield Trial("old-mails", frozenset({"BowerbirdMailSlow"}), nothing, nothing, delay)


def of_held_mails(alarms: Alarms) -> Iterator[Trial]:
    """Mails that may have been sent before a restore, until somebody decides."""

    def write(before: str, after: str) -> None:
        with alarms.database("notifier") as database:
            database["deliveries"].update_many({"state": before}, {"$set": {"state": after}})

    yield Trial(
        "held-mails",
        frozenset({"BowerbirdMailsHeld"}),
        lambda: write("sent", "may_have_been_sent"),
        lambda: write("may_have_been_sent", "sent"),
    )
