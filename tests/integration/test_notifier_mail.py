"""The notifier as processes, on a real broker, a real database and a mail server that misbehaves as told."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from pymongo import MongoClient

from deploy.embedded.smtp_sink import CONTROL, Faults
from deploy.embedded.stack import Stack
from libs.common.kafka import Kafka
from libs.common.settings import Settings
from libs.common.telemetry import new_trace
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import (
    AchievementLevel,
    AchievementPublished,
    CredentialRevoked,
    Event,
    EvidenceDecided,
    IssuerPublished,
    LearnerContact,
)
from libs.contracts.reasons import RevocationReason
from libs.contracts.results import SoloLevel
from tests.ids import IDS, ids_of
from tests.notifier_doubles import decided_issued
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

CONNECTIONS = 16
QUICK = {
    "BOWERBIRD_SMTP_CONNECTIONS": str(CONNECTIONS),
    "BOWERBIRD_DOMAIN_RATE": "10000",
    "BOWERBIRD_DOMAIN_BURST": "10000",
    "BOWERBIRD_LEASE_SECONDS": "2",
    "BOWERBIRD_RETRY_FIRST_SECONDS": "1",
    "BOWERBIRD_RETRY_LOST_SECONDS": "1",
    "BOWERBIRD_RETRY_LONGEST_SECONDS": "4",
    "BOWERBIRD_SMTP_ACCEPT_SECONDS": "2",
}
NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)


def catalogue(school: str) -> list[Event]:
    level = AchievementLevel(level=SoloLevel.RELATIONAL, name="Relational", description="You kept going.")
    return [
        IssuerPublished(
            issuer_id=school, version=1, name="Northside", did="did:key:z", did_document="{}", published_at=NOW
        ),
        AchievementPublished(
            owner=school,
            achievement_id="resilience",
            version=1,
            name="Resilience",
            description="Keeping going.",
            criteria="Evidence.",
            levels=[level],
            published_at=NOW,
        ),
    ]


class SchoolEvents:
    """A school of its own for each test, and what it publishes."""

    def __init__(self, stack: Stack, client: MongoClient[dict[str, Any]]) -> None:
        self.id = f"school-{uuid4().hex[:12]}"
        self.stack = stack
        self._deliveries = client["notifier"]["deliveries"]

    def learner(self, number: int) -> UUID:
        return IDS.learner_id(self.id, f"s{number}")

    def contact(self, number: int, domain: str = "mail.example") -> LearnerContact:
        email = f"learner.{number}@{domain}"
        return LearnerContact(
            learner_id=self.learner(number), issuer_id=self.id, name=f"L {number}", email=email, changed_at=NOW
        )

    def credential_id(self, number: int) -> UUID:
        return IDS.credential_id(self.learner(number), f"{self.id}/resilience", "relational")

    def issued(self, number: int) -> EvidenceDecided:
        return decided_issued(self.id, self.learner(number), self.credential_id(number), f"{self.id}/resilience/1", NOW)

    def revoked(self, number: int) -> CredentialRevoked:
        return CredentialRevoked(
            credential_id=self.credential_id(number),
            url="https://badges.example/badges/x",
            issuer_id=self.id,
            achievement=f"{self.id}/resilience/1",
            level=SoloLevel.RELATIONAL,
            occurred_at=NOW,
            reason=RevocationReason.ISSUED_IN_ERROR,
        )

    def publish(self, events: Sequence[Event], erased: Sequence[int] = ()) -> None:
        asyncio.run(self._publish(events, erased))

    async def _publish(self, events: Sequence[Event], erased: Sequence[int]) -> None:
        kafka = Kafka(Settings(kafka_bootstrap=self.stack.kafka_bootstrap), "issuer", IDS.event_id)
        await kafka.start()
        try:
            await kafka.publish([Outgoing(event, new_trace()) for event in events])
        finally:
            await kafka.stop()
        tombstones = AIOKafkaProducer(bootstrap_servers=self.stack.kafka_bootstrap, acks="all")
        await tombstones.start()
        try:
            for number in erased:
                await tombstones.send_and_wait(topics.LEARNER_CONTACTS.name, None, str(self.learner(number)).encode())
        finally:
            await tombstones.stop()

    def deliveries(self) -> list[dict[str, Any]]:
        return list(self._deliveries.find({"issuer_id": self.id}))

    def states(self) -> "Counter[str]":
        counted: list[dict[str, Any]] = [
            {"$match": {"issuer_id": self.id}},
            {"$group": {"_id": "$state", "count": {"$sum": 1}}},
        ]
        return Counter({each["_id"]: each["count"] for each in self._deliveries.aggregate(counted)})

    def mails(self) -> "Counter[str]":
        """How often each delivery stands in the mailbox: its file, and one more for each repeat."""
        mine = {str(each["_id"]) for each in self._deliveries.find({"issuer_id": self.id}, {"_id": 1})}
        kept = Counter(path.name.split("@")[0] for path in self.stack.layout.mail.glob("*.eml"))
        return Counter({name: count for name, count in kept.items() if name in mine})


@pytest.fixture(scope="module")
def stack(infrastructure: Stack) -> Iterator[Stack]:
    infrastructure.start("smtp")
    yield infrastructure
    infrastructure.stop("smtp")


@pytest.fixture
def school(stack: Stack) -> Iterator[SchoolEvents]:
    with MongoClient[dict[str, Any]](stack.mongo_url, uuidRepresentation="standard") as client:
        yield SchoolEvents(stack, client)
    (stack.layout.mail / CONTROL).unlink(missing_ok=True)
    stack.stop("notifier", "notifier-2")


def test_each_learner_with_an_address_gets_one_mail_from_two_replicas_in_any_order_of_events(
    stack: Stack, school: SchoolEvents
) -> None:
    stack.start("notifier", "notifier-2", env=QUICK)
    with_address, without = range(200), range(200, 220)
    contacts: list[Event] = [school.contact(number) for number in with_address]
    issued: list[Event] = [school.issued(number) for number in (*with_address, *without)]
    school.publish([*contacts[:100], *issued, *contacts[100:], *issued[:50]])
    eventually(lambda: len(school.deliveries()) == 220, found=school.states)
    school.publish(catalogue(school.id))  # the last thing that anybody would expect
    eventually(lambda: school.states() == Counter(sent=200, no_address=20), found=school.states)
    assert set(school.mails().values()) == {1}
    assert len(school.mails()) == 200


def test_a_killed_notifier_loses_no_mail_and_repeats_at_most_those_in_flight(
    stack: Stack, school: SchoolEvents
) -> None:
    mails, kills = 1000, 3
    school.publish([*catalogue(school.id), *(school.contact(number) for number in range(mails))])
    school.publish([school.issued(number) for number in range(mails)])
    stack.start("notifier", env=QUICK)
    for kill in range(1, kills + 1):
        eventually(lambda kill=kill: len(school.mails()) > kill * mails // (kills + 2))  # type: ignore[misc]  # bound
        stack.kill("notifier")
        assert school.states()["sent"] < mails, "the kill came too late to prove anything"
        stack.start("notifier", env=QUICK)
    eventually(lambda: school.states() == Counter(sent=mails), seconds=300, found=school.states)
    times = school.mails()
    assert len(times) == mails
    assert times.total() - mails <= kills * CONNECTIONS


def test_a_permanent_refusal_ends_a_delivery_and_a_temporary_one_is_tried_again(
    stack: Stack, school: SchoolEvents
) -> None:
    faults = Faults(refuse={"gone.example": "550 5.1.1 no such user", "grey.example": "451 4.7.1 greylisted"})
    faults.write(stack.layout.mail / CONTROL)
    school.publish(catalogue(school.id))
    school.publish([school.contact(number, "gone.example") for number in range(10)])
    school.publish([school.contact(number, "grey.example") for number in range(10, 20)])
    school.publish([school.contact(number) for number in range(20, 30)])
    school.publish([school.issued(number) for number in range(30)])
    stack.start("notifier", env=QUICK)
    eventually(lambda: school.states() == Counter(sent=10, failed_permanently=10, pending=10), found=school.states)
    eventually(
        lambda: any(each["attempts"] for each in school.deliveries() if each["state"] == "pending"), found=school.states
    )
    (stack.layout.mail / CONTROL).unlink()
    eventually(lambda: school.states() == Counter(sent=20, failed_permanently=10), found=school.states)
    refused = [each for each in school.deliveries() if each["state"] == "failed_permanently"]
    assert {each["attempts"] for each in refused} == {1}
    assert {each["last_error"]["enhanced"] for each in refused} == {"5.1.1"}
    assert set(school.mails().values()) == {1}


@pytest.mark.parametrize(
    ("faults", "most_repeats"),
    [(Faults(drop="before", every=3), 0), (Faults(drop="after", every=4), 40), (Faults(hang=3, every=10), 100)],
    ids=["drops_before_taking", "drops_after_taking", "times_out"],
)
def test_a_server_that_drops_or_hangs_costs_no_mail(
    stack: Stack, school: SchoolEvents, faults: Faults, most_repeats: int
) -> None:
    faults.write(stack.layout.mail / CONTROL)
    school.publish([*catalogue(school.id), *(school.contact(number) for number in range(100))])
    school.publish([school.issued(number) for number in range(100)])
    stack.start("notifier", env=QUICK)
    eventually(
        lambda: any((each.get("last_error") or {}).get("kind") == "lost" for each in school.deliveries()),
        found=school.states,
    )
    (stack.layout.mail / CONTROL).unlink()
    eventually(lambda: school.states() == Counter(sent=100), found=school.states)
    assert len(school.mails()) == 100
    assert school.mails().total() <= 100 + most_repeats


def test_a_server_that_is_away_is_nobodys_attempt(stack: Stack, school: SchoolEvents) -> None:
    stack.stop("smtp")
    school.publish([*catalogue(school.id), *(school.contact(number) for number in range(50))])
    school.publish([school.issued(number) for number in range(50)])
    stack.start("notifier", env=QUICK)
    eventually(lambda: school.states() == Counter(pending=50), found=school.states)
    time.sleep(3)
    assert {each["attempts"] for each in school.deliveries()} == {0}
    stack.start("smtp")
    eventually(lambda: school.states() == Counter(sent=50), found=school.states)
    assert set(school.mails().values()) == {1}


def test_a_domain_at_its_rate_does_not_hold_up_the_others(stack: Stack, school: SchoolEvents) -> None:
    rate, burst = 10, 5
    school.publish([*catalogue(school.id), *(school.contact(number, "slow.example") for number in range(150))])
    school.publish([school.issued(number) for number in range(150)])
    started = time.monotonic()
    paced = {"BOWERBIRD_DOMAIN_RATE": str(rate), "BOWERBIRD_DOMAIN_BURST": str(burst)}
    stack.start("notifier", "notifier-2", env=QUICK | paced)
    eventually(lambda: school.states()["sent"] > 0, found=school.states)
    school.publish([school.contact(number, f"{number}.example") for number in range(150, 190)])
    school.publish([school.issued(number) for number in range(150, 190)])
    others = {ids_of(stack).delivery_id(school.credential_id(number), "issued") for number in range(150, 190)}

    def sent() -> set[UUID]:
        return {each["_id"] for each in school.deliveries() if each["state"] == "sent"}

    eventually(lambda: others <= sent())
    slow = len(sent() - others)
    assert slow <= burst + rate * (time.monotonic() - started)
    assert slow < 150
    eventually(lambda: len(sent()) == 190)
    assert set(school.mails().values()) == {1}


def test_an_erased_learner_and_a_revoked_credential_are_not_mailed(stack: Stack, school: SchoolEvents) -> None:
    stack.stop("smtp")
    school.publish([*catalogue(school.id), *(school.contact(number) for number in range(30))])
    school.publish([school.issued(number) for number in range(30)])
    stack.start("notifier", env=QUICK)
    eventually(lambda: len(school.deliveries()) == 30, found=school.states)
    school.publish([school.revoked(number) for number in range(20, 30)], erased=range(10))
    eventually(lambda: school.states()["cancelled"] >= 20, found=school.states)
    stack.start("smtp")
    # One that was being sent when its badge was revoked has a mail about that expected too, which ends with it.
    eventually(
        lambda: school.states()["sent"] == 10 and school.states().keys() == {"sent", "cancelled"}, found=school.states
    )
    with MongoClient[dict[str, Any]](stack.mongo_url, uuidRepresentation="standard") as client:
        contacts = client["notifier"]["contacts"].count_documents({"issuer_id": school.id})
    assert contacts == 20
    assert len(school.mails()) == 10


def test_names_and_addresses_stand_in_contacts_only_and_never_in_a_log(stack: Stack, school: SchoolEvents) -> None:
    Faults(refuse={"gone.example": "550 5.1.1 <learner.1@gone.example> unknown"}).write(stack.layout.mail / CONTROL)
    school.publish([*catalogue(school.id), school.contact(0), school.contact(1, "gone.example")])
    school.publish([school.issued(0), school.issued(1)])
    stack.start("notifier", env=QUICK)
    eventually(lambda: school.states() == Counter(sent=1, failed_permanently=1), found=school.states)
    stack.stop("notifier")
    log = stack.log("notifier").read_text(encoding="utf-8")
    assert not re.search(r"learner\.\d", log)  # the address of one; a topic is named `learner.contacts`
    assert "gone.example" not in log
    with MongoClient[dict[str, Any]](stack.mongo_url) as client:
        for name in client["notifier"].list_collection_names():
            if name != "contacts":
                stored = str(list(client["notifier"][name].find()))
                assert "learner.1" not in stored, name
                assert "gone.example" not in stored, name
