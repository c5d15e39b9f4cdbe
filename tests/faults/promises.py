"""Promises 1, 2 and 3 of docs/promises.md, counted in the databases, on the topics and in the mailbox after a fault."""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiokafka import ConsumerRecord
from pymongo import MongoClient

from deploy.embedded.stack import Stack
from libs.contracts import topics
from libs.contracts.cloudevents import EventT, read_event, readable_headers
from libs.contracts.events import (
    CredentialDocument,
    CredentialIssued,
    CredentialRevoked,
    DeadLetter,
    Event,
    EvidenceDecided,
    StatusListPublished,
)
from libs.contracts.topics import Topic
from libs.openbadges.status.bitstring import StatusList
from tests.faults.school import Expected
from tests.topic_reading import Ends, ends_of, everything_on

K = TypeVar("K", bound=Hashable)
STATES = ("pending", "issued", "not_yet", "duplicate", "waiting", "refused", "withdrawn")
COUNTED = (topics.EVIDENCE_DECIDED, topics.CREDENTIAL_LIFECYCLE, topics.CREDENTIAL_DOCUMENTS, topics.STATUS_LISTS)
DECISION = ("evidence_id", "sequence", "outcome", "reason", "credential_id", "decided_at")
Stored = Mapping[str, Any]


def databases(stack: Stack) -> MongoClient[dict[str, Any]]:
    """All databases, read as an auditor would."""
    return MongoClient(stack.mongo_url, uuidRepresentation="standard", tz_aware=True)


def where_topics_end(stack: Stack) -> Ends:
    """Where the topics that are counted end now: what a school begins with is behind it."""
    return asyncio.run(ends_of(stack.kafka_bootstrap, COUNTED))


def numbers_add_up(batch: Mapping[str, Any]) -> None:
    """Promise 3, at the moment this batch was asked."""
    assert batch["received"] == sum(batch["counts"].get(state, 0) for state in STATES), batch


@dataclass
class Count:
    """What one school's evidence came to: how many of each there are, and what is lost or doubled, by its name."""

    found: dict[str, int] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    doubled: Counter[str] = field(default_factory=Counter)
    repeated_mails: int = 0

    def compare(self, name: str, expected: Mapping[K, int], found: Mapping[K, int]) -> None:
        """What is missing is lost, and what there is too much of is doubled."""
        self.found[name] = sum(found.values())
        self.lost[name] += (Counter[K](expected) - Counter[K](found)).total()
        self.doubled[name] += (Counter[K](found) - Counter[K](expected)).total()

    def once(self, name: str, expected: Collection[Hashable], found: Collection[Hashable]) -> None:
        """Each of the expected is there exactly once."""
        self.compare(name, Counter(expected), Counter(found))

    def kept(self, repeats_allowed: int = 0) -> None:
        """Promises 1 and 2. A mail that is repeated has the same Message-ID, and only a kill may make one."""
        assert not +self.lost, f"lost: {+self.lost}"
        assert not +self.doubled, f"doubled: {+self.doubled}"
        assert self.repeated_mails <= repeats_allowed, f"{self.repeated_mails} mails went out again"


def count(
    stack: Stack, issuer_id: str, expected: Expected, *, since: Ends, mailed: int | None, revoked: int, told: int = 0
) -> Count:
    """Count everything of one school.

    Args:
        stack: with all of it done.
        issuer_id: the school.
        expected: what a run without faults ends in.
        since: where the topics ended before the school sent anything.
        mailed: how many mails must have been sent; None does not count them.
        revoked: how many credentials were revoked.
        told: of how many of these the learners must have been told.
    """
    with databases(stack) as client:
        mine = {"issuer_id": issuer_id}
        books = _Books(
            rows=list(client["evidence"]["rows"].find(mine, {"state": 1})),
            decisions=list(client["issuer"]["decisions"].find(mine, dict.fromkeys(DECISION, 1))),
            credentials={str(each["_id"]): each for each in client["issuer"]["credentials"].find(mine)},
            shown={str(each["_id"]): each for each in client["verifier"]["documents"].find(mine)},
            deliveries=list(client["notifier"]["deliveries"].find(mine)),
            published=_Published(stack, issuer_id, since),
        )
    counted = Count()
    books.count_decisions(counted, expected)
    books.count_awards(counted, expected, revoked)
    books.count_announcements(counted)
    books.count_documents(counted)
    books.count_status_lists(counted)
    if mailed is not None:
        names = [path.name for path in stack.layout.mail.iterdir() if path.suffix == ".eml"]
        books.count_mails(counted, mailed, told, Counter(name.split("@")[0] for name in names))
    return counted


class _Published:
    """What stands on the topics of one school or of all, behind where they ended before it sent anything."""

    def __init__(self, stack: Stack, issuer_id: str, since: Ends) -> None:
        self._stack = stack
        self._issuer_id = issuer_id
        self._since = since

    def by_id(self, topic: Topic, *contracts: type[Event]) -> dict[str, list[Event]]:
        """Every publication of these contracts, by the event's id."""
        return self._grouped(topic, contracts, lambda record: readable_headers(record.headers)["ce_id"])

    def by_key(self, topic: Topic, contract: type[EventT]) -> dict[str, list[EventT]]:
        """Every publication of this contract, by the record's key and in its order."""
        return self._grouped(topic, (contract,), lambda record: record.key.decode())

    def _grouped(
        self, topic: Topic, contracts: tuple[type[EventT], ...], place: Callable[[ConsumerRecord], str]
    ) -> dict[str, list[EventT]]:
        found: dict[str, list[EventT]] = defaultdict(list)
        for record in asyncio.run(everything_on(self._stack.kafka_bootstrap, topic, self._since)):
            event = read_event(readable_headers(record.headers), record.value)
            if isinstance(event, contracts) and getattr(event, "issuer_id", self._issuer_id) == self._issuer_id:
                found[place(record)].append(event)
        return found


@dataclass(frozen=True)
class _Books:
    """What each service has of one school, to be held against each other; credentials and documents by their id."""

    rows: Sequence[Stored]
    decisions: Sequence[Stored]
    credentials: Mapping[str, Stored]
    shown: Mapping[str, Stored]
    deliveries: Sequence[Stored]
    published: _Published

    def count_decisions(self, counted: Count, expected: Expected) -> None:
        """Every row that was accepted ended in exactly one recorded decision, the one that it must have."""
        counted.compare("rows by state", expected.counts(), Counter(row["state"] for row in self.rows))
        counted.compare("decisions by outcome", expected.counts(), Counter(each["outcome"] for each in self.decisions))

    def count_awards(self, counted: Count, expected: Expected, revoked: int) -> None:
        """One award, and one entry in a status list, per business key."""
        awards = {(each["learner_id"], each["level"]) for each in self.credentials.values()}
        counted.compare("awards", {"award": expected.issued}, {"award": len(awards)})
        counted.doubled["awards of one business key"] += len(self.credentials) - len(awards)
        entries = {(each["status_list"], each["status_index"]) for each in self.credentials.values()}
        counted.doubled["status list entries"] += len(self.credentials) - len(entries)
        counted.compare("credentials revoked", {"revoked": revoked}, {"revoked": len(self._revoked())})

    def _revoked(self) -> list[str]:
        return [each for each, stored in self.credentials.items() if stored["state"] == "revoked"]

    def count_announcements(self, counted: Count) -> None:
        """Whoever drops event ids already seen sees each fact once, and every publication of it is the same."""
        decided = self.published.by_id(topics.EVIDENCE_DECIDED, EvidenceDecided)
        lifecycle = self.published.by_id(topics.CREDENTIAL_LIFECYCLE, CredentialIssued, CredentialRevoked)
        published = [*decided.values(), *lifecycle.values()]
        first = [versions[0] for versions in published]
        issued = [str(each.credential_id) for each in first if isinstance(each, CredentialIssued)]
        revoked = [str(each.credential_id) for each in first if isinstance(each, CredentialRevoked)]
        # Two sendings of one piece, decided alike, are two of the same here.
        stored = [tuple(each.get(name) for name in DECISION) for each in self.decisions]
        told = [tuple(getattr(each, name) for name in DECISION) for each in first if isinstance(each, EvidenceDecided)]
        counted.once("decisions announced", stored, told)
        counted.once("awards announced", self.credentials.keys(), issued)
        counted.once("revocations announced", self._revoked(), revoked)
        for versions in published:
            counted.doubled["announcements of one id"] += len({each.model_dump_json() for each in versions}) - 1

    def count_documents(self, counted: Count) -> None:
        """The verifier shows what was signed, and so does the topic: its last record is what a new reader believes."""
        published = self.published.by_key(topics.CREDENTIAL_DOCUMENTS, CredentialDocument)
        last = [versions[-1] for versions in published.values()]
        signed = [(each, stored["state"], stored["document"]) for each, stored in self.credentials.items()]
        shown = [(each, stored["state"], stored["document"]) for each, stored in self.shown.items()]
        counted.once("documents at the verifier", signed, shown)
        counted.once("documents on the topic", signed, [(str(e.credential_id), e.state, e.document) for e in last])
        texts = {(event.credential_id, event.document) for versions in published.values() for event in versions}
        counted.doubled["documents of one credential"] += len(texts) - len(published)

    def count_status_lists(self, counted: Count) -> None:
        """The last list published shows exactly the entries of what is revoked."""
        published = self.published.by_key(topics.STATUS_LISTS, StatusListPublished)
        lists = {versions[-1].list_id: _bits(versions[-1]) for versions in published.values()}
        entries = {each: (stored["status_list"], stored["status_index"]) for each, stored in self.credentials.items()}
        set_bits = [(name, index) for name, index in entries.values() if name in lists and lists[name].get(index)]
        counted.once("revocations in status lists", [entries[each] for each in self._revoked()], set_bits)
        counted.lost["status lists"] += len({name for name, _ in entries.values()} - lists.keys())

    def count_mails(self, counted: Count, mailed: int, told: int, mailbox: Mapping[str, int]) -> None:
        """One mail per credential and occasion, which the mailbox holds under the delivery's id."""
        sent = [str(each["_id"]) for each in self.deliveries if each["state"] == "sent"]
        counted.compare("mails sent", {"mail": mailed}, {"mail": len(sent)})
        of_revocations = sum(each["occasion"] == "revoked" and each["state"] == "sent" for each in self.deliveries)
        counted.compare("mails that tell of a revocation", {"mail": told}, {"mail": of_revocations})
        counted.lost["mails in the mailbox"] += sum(mailbox.get(each, 0) == 0 for each in sent)
        expected = {(each["credential_id"], each["occasion"]) for each in self.deliveries}
        counted.doubled["deliveries"] += len(self.deliveries) - len(expected)
        counted.repeated_mails = sum(max(0, mailbox.get(each, 0) - 1) for each in sent)


def _bits(event: StatusListPublished) -> StatusList:
    return StatusList.decode(json.loads(event.credential)["credentialSubject"]["encodedList"])


def begin_new_epoch(stack: Stack) -> None:
    """As after a restore: all lists are published anew, and what is awarded from now on comes into lists of its own."""
    with databases(stack) as client:
        issuer = client["issuer"]
        issuer["epoch"].update_one({"_id": "epoch"}, {"$inc": {"number": 1}})
        begun = issuer["epoch"].find_one({"_id": "epoch"}) or {"number": 0}
        older = {"epoch": {"$lt": begun["number"]}}
        issuer["status_lists"].update_many(older, {"$set": {"epoch": begun["number"]}, "$inc": {"version": 1}})


def deliveries_end_as(stack: Stack, issuer_id: str, expected: dict[str, int]) -> None:
    """Every delivery to a learner with an address comes to its end, and so many to each."""
    give_up_at = time.monotonic() + 120
    states: Counter[str] = Counter()
    with databases(stack) as client:
        while time.monotonic() < give_up_at:
            found = client["notifier"]["deliveries"].find({"issuer_id": issuer_id}, {"state": 1})
            states = Counter(each["state"] for each in found)
            if {state: states[state] for state in expected} == expected:
                return
            time.sleep(0.1)
    raise AssertionError(f"deliveries ended as {states}, not as {expected}")


def dead_letters(stack: Stack, service: str) -> list[DeadLetter]:
    """Everything that a service has set aside."""
    records = asyncio.run(everything_on(stack.kafka_bootstrap, topics.DEAD_LETTERS[service]))
    return [DeadLetter.model_validate_json(record.value) for record in records]
