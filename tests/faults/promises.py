"""Promises 1, 2 and 3 of the design, counted in the databases and on the topics after a fault."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from aiokafka import ConsumerRecord
from pymongo import MongoClient

from deploy.embedded.stack import Stack
from libs.contracts import topics
from libs.contracts.cloudevents import EventT, read_event, readable_headers
from libs.contracts.events import CredentialDocument, CredentialIssued, DeadLetter, EvidenceDecided
from libs.contracts.topics import Topic
from tests.faults.school import Expected
from tests.topic_reading import everything_on

STATES = ("pending", "issued", "not_yet", "duplicate", "waiting", "refused")


def databases(stack: Stack) -> MongoClient[dict[str, Any]]:
    """All databases, read as an auditor would."""
    return MongoClient(stack.mongo_url, uuidRepresentation="standard", tz_aware=True)


def numbers_add_up(batch: dict[str, Any]) -> None:
    """Promise 3, at the moment this batch was asked."""
    assert batch["received"] == sum(batch["counts"].get(state, 0) for state in STATES), batch


def nothing_lost(stack: Stack, issuer_id: str, rows: int, expected: Expected) -> None:
    """Promise 1: every row that was accepted ended in exactly one recorded decision, the one that it must have."""
    with databases(stack) as client:
        states = Counter(row["state"] for row in client["evidence"]["rows"].find({"issuer_id": issuer_id}))
        outcomes = Counter(each["outcome"] for each in client["issuer"]["decisions"].find({"issuer_id": issuer_id}))
    assert sum(outcomes.values()) == rows
    assert dict(outcomes) == expected.counts()
    assert dict(states) == expected.counts()


def nothing_twice(stack: Stack, issuer_id: str, expected: Expected) -> None:
    """Promise 2: one award per business key, and every publication of a fact is the same publication."""
    with databases(stack) as client:
        credentials = {
            str(each["_id"]): each for each in client["issuer"]["credentials"].find({"issuer_id": issuer_id})
        }
        shown = {str(each["_id"]): each for each in client["verifier"]["documents"].find({"issuer_id": issuer_id})}
    awards = Counter((each["learner_id"], each["level"]) for each in credentials.values())
    assert len(credentials) == expected.issued
    assert set(awards.values()) == {1}
    assert shown.keys() == credentials.keys()
    _announced_once(stack, issuer_id, credentials)
    documents = _by_id(stack, topics.CREDENTIAL_DOCUMENTS, CredentialDocument, issuer_id)
    for event in (versions[0] for versions in documents.values()):
        stored = credentials[str(event.credential_id)]["document"]
        assert event.document == stored == shown[str(event.credential_id)]["document"]


def _announced_once(stack: Stack, issuer_id: str, credentials: Iterable[str]) -> None:
    issued = _by_id(stack, topics.CREDENTIAL_LIFECYCLE, CredentialIssued, issuer_id)
    announced = [event.credential_id for versions in issued.values() for event in versions[:1]]
    assert sorted(map(str, announced)) == sorted(credentials), "whoever drops event ids already seen sees each once"
    decided = _by_id(stack, topics.EVIDENCE_DECIDED, EvidenceDecided, issuer_id)
    publications = [[each.model_dump_json() for each in versions] for versions in issued.values()]
    publications += [[each.model_dump_json() for each in versions] for versions in decided.values()]
    for versions in publications:
        assert len(set(versions)) == 1, "a publication is not what it was"


def mailed_once(stack: Stack, issuer_id: str, expected: int, repeats_allowed: int) -> None:
    """Promise 2 for mail: one per credential. A repeat has the same Message-ID, and only a kill makes one."""
    with databases(stack) as client:
        deliveries = list(client["notifier"]["deliveries"].find({"issuer_id": issuer_id}))
    assert Counter(each["state"] for each in deliveries)["sent"] == expected
    assert len({each["credential_id"] for each in deliveries}) == len(deliveries)
    kept = Counter(path.name.split("@")[0] for path in stack.layout.mail.iterdir() if path.suffix == ".eml")
    times = [kept[str(each["_id"])] for each in deliveries if each["state"] == "sent"]
    assert all(times), "a delivery that counts as sent is not in the mailbox"
    repeated = sum(times) - len(times)
    assert repeated <= repeats_allowed, f"{repeated} mails went out again"


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
            time.sleep(0.3)
    raise AssertionError(f"deliveries ended as {states}, not as {expected}")


def dead_letters(stack: Stack, service: str) -> list[DeadLetter]:
    """Everything that a service has set aside."""
    topic = topics.DEAD_LETTERS[service]
    return [DeadLetter.model_validate_json(record.value) for record in _read_all(stack, topic)]


def _by_id(stack: Stack, topic: Topic, contract: type[EventT], issuer_id: str) -> dict[str, list[EventT]]:
    found: dict[str, list[EventT]] = defaultdict(list)
    for record in _read_all(stack, topic):
        headers = readable_headers(record.headers)
        event = read_event(headers, record.value)
        if isinstance(event, contract) and getattr(event, "issuer_id", None) == issuer_id:
            found[headers["ce_id"]].append(event)
    return found


def _read_all(stack: Stack, topic: Topic) -> list[ConsumerRecord]:
    return asyncio.run(everything_on(stack.kafka_bootstrap, topic))
