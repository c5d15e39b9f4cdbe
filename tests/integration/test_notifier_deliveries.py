"""The schedule and the workers on a real MongoDB: races, leases, and the pace of a domain."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from bowerbird.deliveries import decide
from deploy.embedded.stack import Stack
from libs.access.api_keys import ALL_ISSUERS
from libs.audit.entry import Action, Cause
from libs.common import mongo
from libs.common.fence import Fence
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import EventT, Outgoing, Received
from libs.contracts.events import (
    CredentialRevoked,
    CredentialTakenDown,
    EvidenceDecided,
    LearnerContact,
    LearnerContactEnded,
    LearnerErased,
    MailDomainsSet,
    Outcome,
    StackedAward,
)
from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.contracts.results import SoloLevel
from services.notifier.catalogue.repository import Catalogue
from services.notifier.channels.failure import Failure, FailureKind
from services.notifier.contacts.erasing import Erasing
from services.notifier.contacts.erasures import Erasures
from services.notifier.contacts.repository import INDEXES as CONTACT_INDEXES
from services.notifier.contacts.repository import Contacts
from services.notifier.contacts.worker import ContactEvent, ContactWorker
from services.notifier.deliveries import changes
from services.notifier.deliveries.activation import Activation
from services.notifier.deliveries.allowances import Allowances
from services.notifier.deliveries.buckets import Rate
from services.notifier.deliveries.contact_life import ContactLife
from services.notifier.deliveries.delivery import address_mark
from services.notifier.deliveries.domains import Domains
from services.notifier.deliveries.mailboxes import Ask
from services.notifier.deliveries.preparation import Preparation
from services.notifier.deliveries.repository import INDEXES, Deliveries
from services.notifier.deliveries.schedule import State
from services.notifier.deliveries.worker import DeliveryWorker
from services.notifier.mail_domains.repository import MailDomains
from services.notifier.mail_domains.rules import MailDomainRules
from services.notifier.occasion import Occasion
from tests.ids import IDS
from tests.issuer_doubles import MemoryAudit, achievement, issuer
from tests.notifier_doubles import decided_issued

pytestmark = pytest.mark.integration

NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)
LEASE = timedelta(seconds=60)


@pytest.fixture
async def database(infrastructure: Stack) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    name = f"notifier-{uuid4().hex}"
    await mongo.create_indexes(client[name], [*INDEXES, *CONTACT_INDEXES])
    yield client[name]
    await client.drop_database(name)
    await mongo.close(client)


@dataclass
class Workers:
    """The handlers of the consumers over one database."""

    contacts: Callable[[Sequence[Received[ContactEvent]]], Awaitable[Sequence[Outgoing]]]
    deliveries: DeliveryWorker


def workers(database: mongo.Database, doubted_until: datetime | None = None) -> Workers:
    async def doubted() -> datetime | None:
        return doubted_until

    contacts, deliveries = Contacts(database), Deliveries(database)
    activation = Activation(contacts, deliveries)
    return Workers(
        ContactWorker(contacts, Erasures(database), activation, lambda: NOW).handle,
        DeliveryWorker(deliveries, activation, IDS, lambda: NOW, doubted),
    )


def contact(learner: UUID, *, changed_at: datetime = NOW, email: str | None = "a@x.example") -> LearnerContact:
    return LearnerContact(learner_id=learner, issuer_id="northside", name="Mia", email=email, changed_at=changed_at)


def credential_id(learner: UUID) -> UUID:
    return IDS.credential_id(learner, "dept/resilience", "relational")


def issued(learner: UUID) -> EvidenceDecided:
    return decided_issued("northside", learner, credential_id(learner), "dept/resilience/1", NOW)


def revoked(learner: UUID) -> CredentialRevoked:
    return CredentialRevoked(
        credential_id=credential_id(learner),
        url="https://x.example",
        issuer_id="northside",
        achievement="dept/resilience/1",
        occurred_at=NOW,
        reason=RevocationReason.WRONG_LEARNER,
    )


def taken_down(learner: UUID) -> CredentialTakenDown:
    return CredentialTakenDown(
        credential_id=credential_id(learner),
        url="https://x.example",
        issuer_id="northside",
        achievement="dept/resilience/1",
        occurred_at=NOW,
        reason=TakeDownReason.SAFETY,
    )


def received(event: ContactEvent) -> Received[ContactEvent]:
    return Received(event, event.key, new_trace())


def announced(event: EventT) -> Received[EventT]:
    return Received(event, event.key, new_trace())


MANY = Rate(1_000, 1_000)


def preparation(database: mongo.Database, now: datetime = NOW, recipient: Rate = MANY) -> Preparation:
    contacts, deliveries = Contacts(database), Deliveries(database)
    return Preparation(
        deliveries=deliveries,
        contacts=contacts,
        activation=Activation(contacts, deliveries),
        catalogue=Catalogue(database),
        mail_domains=MailDomains(database),
        domains=Domains(database, MANY),
        allowances=Allowances(database, recipient=recipient, issuer=MANY),
        public_base="https://badges.example",
        clock=lambda: now,
        new_id=uuid4,
    )


async def prepare(database: mongo.Database, now: datetime = NOW) -> None:
    """Claim what is due, and write down what becomes of it."""
    deliveries = Deliveries(database)
    claimed = await deliveries.claim(100, owner="a", now=now, lease_until=now + LEASE)
    _, updates = await preparation(database).prepare(claimed)
    await deliveries.write(updates)


async def allow(database: mongo.Database, *domains: str, at: datetime = NOW) -> None:
    rules = MailDomainRules(MailDomains(database), Deliveries(database), lambda: NOW)
    await rules.apply([MailDomainsSet(issuer_id="northside", domains=domains, changed_at=at)])


async def states(database: mongo.Database) -> set[str]:
    return set(await database["deliveries"].distinct("state"))


async def due(database: mongo.Database, count: int) -> list[UUID]:
    """That many learners with an address and a delivery each."""
    learners = [uuid4() for _ in range(count)]
    both = workers(database)
    await both.contacts([received(contact(each)) for each in learners])
    await both.deliveries.decided([announced(issued(each)) for each in learners])
    return learners


async def test_mail_to_a_domain_that_is_not_allowed_is_refused_until_the_domains_or_the_address_change(
    database: mongo.Database,
) -> None:
    first, second = await due(database, 2)
    await allow(database, "y.example")
    await prepare(database)
    assert await states(database) == {"refused_domain"}
    counted = await Deliveries(database).counts("northside")
    assert counted[State.REFUSED_DOMAIN] == 2
    corrected = contact(first, changed_at=NOW + timedelta(seconds=1), email="a@students.y.example")
    await workers(database).contacts([received(corrected)])
    issues = [IDS.delivery_id(credential_id(each), Occasion.ISSUED) for each in (first, second)]
    stored = await Deliveries(database).find(issues)
    assert {each.learner_id: each.state for each in stored.values()} == {
        first: State.PENDING,
        second: State.REFUSED_DOMAIN,
    }
    await prepare(database)
    assert await states(database) == {"pending", "refused_domain"}  # the first waits for its words alone
    await allow(database, at=NOW - timedelta(seconds=1))
    await prepare(database)
    assert await states(database) == {"pending", "refused_domain"}  # an older setting allows nothing
    await allow(database, "x.example", "y.example", at=NOW + timedelta(seconds=1))
    assert await states(database) == {"pending"}
    await prepare(database)
    assert await states(database) == {"pending"}


async def test_domains_that_change_while_a_mail_is_refused_leave_none_refused(database: mongo.Database) -> None:
    await due(database, 50)
    await allow(database, "y.example")
    claimed = await Deliveries(database).claim(100, owner="a", now=NOW, lease_until=NOW + LEASE)
    parts = [claimed[start : start + 5] for start in range(0, 50, 5)]
    later = NOW + timedelta(seconds=1)
    await asyncio.gather(
        *(preparation(database).prepare(part) for part in parts), allow(database, "x.example", at=later)
    )
    assert "refused_domain" not in await states(database)


async def test_whichever_of_contact_and_credential_comes_first_no_delivery_is_left_waiting(
    database: mongo.Database,
) -> None:
    learners = [uuid4() for _ in range(150)]
    both = workers(database)
    await asyncio.gather(
        *(both.contacts([received(contact(each))]) for each in learners),
        *(both.deliveries.decided([announced(issued(each))]) for each in learners),
    )
    assert await states(database) == {"pending"}
    assert await database["deliveries"].count_documents({}) == 150


async def test_events_seen_again_make_no_second_delivery_and_do_not_reopen_a_sent_one(
    database: mongo.Database,
) -> None:
    learners = await due(database, 5)
    deliveries = Deliveries(database)
    claimed = await deliveries.claim(5, owner="a", now=NOW, lease_until=NOW + LEASE)
    await deliveries.write([changes.sent(each, NOW) for each in claimed])
    both = workers(database)
    await both.deliveries.decided([announced(issued(each)) for each in learners])
    await both.contacts([received(contact(each, changed_at=NOW + LEASE)) for each in learners])
    assert await states(database) == {"sent"}
    assert await database["deliveries"].count_documents({}) == 5


async def test_an_older_contact_never_overwrites_a_newer_one(database: mongo.Database) -> None:
    learner = uuid4()
    both = workers(database)
    newer = contact(learner, changed_at=NOW + LEASE, email="new@x.example")
    await both.contacts([received(newer)])
    await both.contacts([received(contact(learner, email="old@x.example"))])
    await both.contacts([received(newer), received(contact(learner, email="old@x.example"))])
    found = await Contacts(database).reachable([learner])
    assert found[learner].email == "new@x.example"


@pytest.mark.parametrize("together", [True, False])
async def test_an_older_contact_that_comes_behind_a_newer_one_does_not_stay_the_last_on_the_topic(
    database: mongo.Database, together: bool
) -> None:
    learner, other = uuid4(), uuid4()
    does = workers(database).contacts
    older, newer = contact(learner), contact(learner, changed_at=NOW + LEASE, email="new@x.example")
    records = [received(older), received(newer), received(contact(other)), received(older)]
    batches = [records] if together else [[each] for each in records]
    again = [each.event for batch in batches for each in await does(batch)]
    assert again == [newer]
    assert await does([received(newer), received(contact(other))]) == []


async def test_whatever_comes_first_a_revoked_credential_is_not_mailed_and_others_are(database: mongo.Database) -> None:
    early, late, kept = learners = [uuid4() for _ in range(3)]
    both = workers(database)
    await both.contacts([received(contact(each)) for each in learners])
    await both.deliveries.closed([announced(revoked(early))])
    await both.deliveries.decided([announced(issued(each)) for each in learners])
    await both.deliveries.closed([announced(revoked(late))])
    stored = {each["credential_id"]: each["state"] async for each in database["deliveries"].find({})}
    assert stored == {
        credential_id(early): "cancelled",
        credential_id(late): "cancelled",
        credential_id(kept): "pending",
    }


async def sent(database: mongo.Database, learner: UUID) -> None:
    """The mail of the issue has gone."""
    told = {"state": State.SENT, "sent_at": NOW}
    await database["deliveries"].update_one({"learner_id": learner, "occasion": "issued"}, {"$set": told})


async def occasions(database: mongo.Database, learner: UUID) -> dict[str, str]:
    """The deliveries of a learner by occasion, with their states."""
    return {each["occasion"]: each["state"] async for each in database["deliveries"].find({"learner_id": learner})}


@pytest.mark.parametrize("repeats", [1, 3])
async def test_who_was_told_of_a_badge_is_told_once_that_it_was_taken_back(
    database: mongo.Database, repeats: int
) -> None:
    told, never = await due(database, 2)
    await sent(database, told)
    for _ in range(repeats):
        await workers(database).deliveries.closed([announced(revoked(told)), announced(revoked(never))])
    assert await occasions(database, told) == {"issued": "sent", "revoked": "pending"}
    assert await occasions(database, never) == {"issued": "cancelled"}
    stored = await database["deliveries"].find_one({"learner_id": told, "occasion": "revoked"})
    assert stored is not None
    assert (stored["reason"], stored["achievement"], stored["level"]) == (
        "wrong_learner",
        "dept/resilience/1",
        "relational",
    )


async def test_a_take_down_is_told_in_one_mail_and_instead_of_a_revocation_that_is_still_to_be_told(
    database: mongo.Database,
) -> None:
    (learner,) = await due(database, 1)
    await sent(database, learner)
    both = workers(database)
    await both.deliveries.closed([announced(revoked(learner))])
    implied = revoked(learner).model_copy(update={"reason": RevocationReason.TAKEN_DOWN})
    await both.deliveries.closed([announced(implied), announced(taken_down(learner))])
    assert await occasions(database, learner) == {"issued": "sent", "revoked": "cancelled", "taken_down": "pending"}


async def test_who_gets_a_new_address_after_a_refusal_is_mailed_there_and_the_same_address_again_is_not(
    database: mongo.Database,
) -> None:
    (learner,) = await due(database, 1)
    both = workers(database)
    (claimed,) = await Deliveries(database).claim(1, owner="test", now=NOW, lease_until=NOW + LEASE)
    there = replace(claimed, address_mark=address_mark(claimed.id, "a@x.example"))
    refused = Failure(FailureKind.PERMANENT, 550, "5.1.1")
    await Deliveries(database).write([changes.failed(there, refused, State.FAILED_PERMANENTLY, None, NOW)])
    later = NOW + timedelta(minutes=1)
    await both.contacts([received(contact(learner, changed_at=later))])
    assert await occasions(database, learner) == {"issued": "failed_permanently"}
    for _ in range(2):
        await both.contacts([received(contact(learner, changed_at=later + LEASE, email="right@x.example"))])
    assert await occasions(database, learner) == {"issued": "pending"}
    (again,) = await Deliveries(database).claim(1, owner="test", now=NOW, lease_until=NOW + LEASE)
    assert (again.id, again.attempts, again.first_attempt_at) == (claimed.id, 0, None)


async def test_a_corrected_address_does_not_bring_back_the_mail_of_a_badge_that_was_taken_back(
    database: mongo.Database,
) -> None:
    (learner,) = await due(database, 1)
    failed = {"state": State.FAILED_PERMANENTLY, "address_mark": "of a wrong address"}
    await database["deliveries"].update_one({"learner_id": learner}, {"$set": failed})
    both = workers(database)
    await both.deliveries.closed([announced(revoked(learner))])
    await both.contacts([received(contact(learner, changed_at=NOW + LEASE, email="right@x.example"))])
    assert await occasions(database, learner) == {"issued": "cancelled"}


async def test_a_delivery_of_another_school_is_told_from_one_of_nobody(database: mongo.Database) -> None:
    (learner,) = await due(database, 1)
    deliveries, id_ = Deliveries(database), IDS.delivery_id(credential_id(learner), "issued")
    assert (await deliveries.not_found("southside", [uuid4(), id_], "no delivery")).is_refusal
    assert not (await deliveries.not_found("southside", [uuid4()], "no delivery")).is_refusal
    assert not (await deliveries.not_found("northside", [id_], "no delivery")).is_refusal


async def test_of_several_who_ask_at_once_for_a_mail_to_be_sent_again_one_succeeds(database: mongo.Database) -> None:
    (learner,) = await due(database, 1)
    await sent(database, learner)
    deliveries = Deliveries(database)
    (stored,) = (await deliveries.find([IDS.delivery_id(credential_id(learner), "issued")])).values()
    done = await asyncio.gather(*(deliveries.send_again(stored, NOW) for _ in range(5)))
    assert sorted(done) == [False, False, False, False, True]


async def test_erasing_a_learner_forgets_which_address_a_mail_went_to(database: mongo.Database) -> None:
    (learner,) = await due(database, 1)
    await database["deliveries"].update_one({}, {"$set": {"state": State.SENT, "address_mark": "of an address"}})
    await workers(database).contacts([Received(None, str(learner), new_trace())])
    stored = await database["deliveries"].find_one({})
    assert stored is not None
    assert "address_mark" not in stored


async def test_what_may_have_been_sent_before_a_restore_is_held_until_somebody_decides(
    database: mongo.Database,
) -> None:
    deliveries, does = Deliveries(database), workers(database)
    told, again, waiting = uuid4(), uuid4(), uuid4()
    await does.contacts([received(contact(each)) for each in (told, again, waiting)])
    await does.deliveries.decided([announced(issued(waiting))])
    assert await deliveries.hold_open(NOW) == 1, "it was not sent when the database was copied"
    await does.deliveries.decided([announced(issued(each))._replace(known=True) for each in (told, again)])
    closed: Received[CredentialRevoked | CredentialTakenDown] = announced(revoked(told))
    await does.deliveries.closed([closed._replace(known=True)])
    later = NOW + timedelta(hours=1)
    assert await deliveries.claim(10, owner="a", now=later, lease_until=later) == []
    held = await deliveries.held("northside")
    assert [(each.occasion, each.mails) for each in held] == [("issued", 3), ("revoked", 1)]
    assert await deliveries.count_held() == 4
    assert await deliveries.held("elsewhere") == []
    assert await deliveries.release("elsewhere", later) == await deliveries.discard("elsewhere", later) == 0

    # A badge that is revoked now: its learner may have been told of it, so they are told of this once it is decided.
    await does.deliveries.closed([announced(revoked(again))])
    assert await deliveries.discard("northside", later) == 4
    claimed = await deliveries.claim(10, owner="a", now=later, lease_until=later)
    assert [(each.occasion, each.learner_id) for each in claimed] == [(Occasion.REVOKED, again)]
    found = (await deliveries.find([claimed[0].follows]))[claimed[0].follows] if claimed[0].follows else None
    assert found is not None
    assert (found.state, found.told) == (State.CANCELLED, True)


async def test_what_had_failed_before_a_restore_is_held_before_it_goes_all_the_same_until_somebody_decides(
    database: mongo.Database,
) -> None:
    deliveries, both, later = Deliveries(database), workers(database), NOW + timedelta(hours=1)
    corrected, elsewhere, other, asked_for = await due(database, 4)
    failed = {"state": State.FAILED_PERMANENTLY, "address_mark": "of a wrong address"}
    refused = {"state": State.REFUSED_DOMAIN}
    for learner, fields in ((corrected, failed), (other, failed), (elsewhere, refused), (asked_for, failed)):
        gone = {"due_at": "", "claim": ""}
        await database["deliveries"].update_one({"learner_id": learner}, {"$set": fields, "$unset": gone})
    assert await deliveries.hold_open(NOW) == 0, "its school is to see that it failed"

    await allow(database, "y.example")
    await prepare(database, later)
    assert await occasions(database, elsewhere) == {"issued": "refused_domain"}, "it could not have gone"
    await both.contacts([received(contact(corrected, changed_at=later, email="right@y.example"))])
    await allow(database, "x.example", "y.example", at=later)
    (stored,) = (await deliveries.find([IDS.delivery_id(credential_id(asked_for), "issued")])).values()
    assert await deliveries.send_again(stored, NOW), "its school knows that it went nowhere"
    await prepare(database, later)
    held = {each["learner_id"] async for each in database["deliveries"].find({"state": State.MAY_HAVE_BEEN_SENT})}
    assert held == {corrected, elsewhere}
    assert await occasions(database, asked_for) == {"issued": "pending"}, "it waits for its words alone"
    assert await deliveries.release("northside", later) == 2
    await both.contacts([received(contact(other, changed_at=later, email="right@x.example"))])
    await prepare(database, later + LEASE)
    assert await states(database) == {"pending"}


async def test_what_is_decided_anew_of_what_came_before_a_restore_is_held_where_kafka_lost_how_it_was_decided(
    database: mongo.Database,
) -> None:
    moment, later = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    before, after = moment - timedelta(minutes=1), moment + timedelta(minutes=1)
    does, calm = workers(database, moment), workers(database)
    told: dict[str, dict[str, Any]] = {
        "received before": {"received_at": before},
        "issued before, and given to its piece again": {"sequence": 2, "received_at": before, "decided_at": before},
        "of a version that did not say when": {"decided_at": before},
        "received before, and waited": {"sequence": 2, "received_at": before},
        "followed since from an old piece": {
            "sequence": 2,
            "received_at": before,
            "outcome": Outcome.DUPLICATE,
            "stacked": (StackedAward(achievement="dept/character/1", credential_id=uuid4()),),
        },
        "received after": {"received_at": after},
    }
    learners = {name: uuid4() for name in told}
    await does.contacts([received(contact(each)) for each in learners.values()])
    for name, fields in told.items():
        await does.deliveries.decided([announced(issued(learners[name]).model_copy(update=fields))])
    going = ["followed since from an old piece", "received after"]
    claimed = await Deliveries(database).claim(10, owner="a", now=later, lease_until=later)
    assert {each.learner_id for each in claimed} == {learners[name] for name in going}
    assert await Deliveries(database).count_held() == len(told) - len(going)

    # What ended before is held likewise, and nothing is where no doubt was ever kept.
    ended, other = learners["received before"], uuid4()
    closing = revoked(ended).model_copy(update={"occurred_at": before})
    await does.deliveries.closed([announced(closing)])
    assert await occasions(database, ended) == {"issued": "may_have_been_sent", "revoked": "may_have_been_sent"}
    await calm.contacts([received(contact(other))])
    await calm.deliveries.decided([announced(issued(other).model_copy(update={"received_at": before}))])
    assert await occasions(database, other) == {"issued": "pending"}


async def test_whatever_is_decided_is_held_where_both_stores_lost_what_was_until_an_operator_decides_of_all(
    database: mongo.Database,
) -> None:
    fence, deliveries, contacts = Fence(database.client, database), Deliveries(database), Contacts(database)
    await fence.doubt()
    handlers = DeliveryWorker(deliveries, Activation(contacts, deliveries), IDS, lambda: NOW, fence.doubted_until)
    now = datetime.now(UTC)
    before, after = now - timedelta(days=1), now + LEASE
    anew: dict[str, dict[str, Any]] = {
        "sent again": {"received_at": now, "decided_at": now},
        "waited when it was copied": {"sequence": 2, "received_at": before, "decided_at": now},
        "of an hour ahead, by another clock": dict.fromkeys(("received_at", "decided_at"), now + timedelta(hours=1)),
    }
    learners = {name: uuid4() for name in (*anew, "since", "waits for long")}
    await contacts.store([contact(each) for each in learners.values()])
    for name, fields in anew.items():
        await handlers.decided([announced(issued(learners[name]).model_copy(update=fields))])
    await handlers.closed([announced(revoked(learners["sent again"]).model_copy(update={"occurred_at": now}))])
    assert await states(database) == {"may_have_been_sent"}

    for one_school, left in (("elsewhere", 4), ("northside", 0)):
        held = await deliveries.held(one_school)
        assert await decide(database, Action.MAILS_RELEASED, Deliveries.release, held, one_school, None) == 4 - left
        assert await deliveries.count_held() == left
    assert (await fence.doubted_until() or now) > after, "one school's mails were decided of, not all"
    gone = {learners[name] for name in anew if name != "sent again"}
    claimed = await deliveries.claim(10, owner="a", now=after, lease_until=after + LEASE)
    assert {each.learner_id for each in claimed if each.occasion is Occasion.ISSUED} == gone, "none is lost"

    await decide(database, Action.MAILS_DISCARDED, Deliveries.discard, [], None, None)
    entry = await database["audit"].find_one({"action": Action.MAILS_DISCARDED})
    assert entry is not None
    assert entry["tenants"] == [ALL_ISSUERS]
    late: dict[str, dict[str, Any]] = {
        "since": {"received_at": after, "decided_at": after},
        "waits for long": {"sequence": 2, "received_at": before, "decided_at": after},
    }
    for name, fields in late.items():
        await handlers.decided([announced(issued(learners[name]).model_copy(update=fields))])
    assert await occasions(database, learners["since"]) == {"issued": "pending"}
    assert await occasions(database, learners["waits for long"]) == {"issued": "may_have_been_sent"}


async def test_of_a_badge_that_was_closed_before_its_decision_came_it_is_known_whose_it_was(
    database: mongo.Database,
) -> None:
    does, learner = workers(database), uuid4()
    await does.contacts([received(contact(learner))])
    await does.deliveries.closed([announced(revoked(learner))])
    await does.deliveries.decided([announced(issued(learner))])
    (stored,) = await database["deliveries"].find({}).to_list(None)
    assert (stored["state"], stored["learner_id"], stored["level"]) == ("cancelled", learner, SoloLevel.RELATIONAL)


async def test_a_revocation_that_is_read_again_before_its_decision_is_held_like_the_mail_that_it_follows(
    database: mongo.Database,
) -> None:
    deliveries, does, learner = Deliveries(database), workers(database), uuid4()
    await does.contacts([received(contact(learner))])
    closed: Received[CredentialRevoked | CredentialTakenDown] = announced(revoked(learner))
    await does.deliveries.closed([closed._replace(known=True)])
    later = NOW + LEASE
    assert await deliveries.release(None, later) == 0, "whose it is stands in the decision"
    for _ in range(2):
        await does.deliveries.decided([announced(issued(learner))._replace(known=True)])
    assert await occasions(database, learner) == {"issued": "may_have_been_sent", "revoked": "may_have_been_sent"}
    stored = {each["occasion"]: (each["learner_id"], each["level"]) async for each in database["deliveries"].find({})}
    assert stored == dict.fromkeys(("issued", "revoked"), (learner, SoloLevel.RELATIONAL))
    assert await deliveries.release("northside", later) == 2
    assert await occasions(database, learner) == {"issued": "cancelled", "revoked": "pending"}
    await prepare(database, later)
    assert await occasions(database, learner) == {"issued": "cancelled", "revoked": "cancelled"}


async def test_what_is_announced_again_in_the_batch_in_which_it_is_read_again_is_held_all_the_same(
    database: mongo.Database,
) -> None:
    does, learner = workers(database), uuid4()
    await does.contacts([received(contact(learner))])
    decided = announced(issued(learner))
    closed: Received[CredentialRevoked | CredentialTakenDown] = announced(revoked(learner))
    await does.deliveries.decided([decided._replace(known=True), decided])
    await does.deliveries.closed([closed._replace(known=True), closed])
    assert await occasions(database, learner) == {"issued": "may_have_been_sent", "revoked": "may_have_been_sent"}


async def held_and_closed(database: mongo.Database) -> UUID:
    """Have the mail of a badge held, which is revoked and taken down meanwhile."""
    (learner,) = await due(database, 1)
    await Deliveries(database).hold_open(NOW)
    both = workers(database)
    await both.deliveries.closed([announced(revoked(learner))])
    implied = revoked(learner).model_copy(update={"reason": RevocationReason.TAKEN_DOWN})
    await both.deliveries.closed([announced(implied), announced(taken_down(learner))])
    assert await occasions(database, learner) == {
        "issued": "may_have_been_sent",
        "revoked": "cancelled",
        "taken_down": "pending",
    }
    await prepare(database)
    assert (await occasions(database, learner))["taken_down"] == "pending", "it waits for what is decided"
    return learner


async def test_nothing_is_mailed_of_a_badge_that_was_closed_while_its_mail_was_held_and_is_released_as_not_sent(
    database: mongo.Database,
) -> None:
    learner = await held_and_closed(database)
    assert await Deliveries(database).release(None, NOW) == 1
    issue = await database["deliveries"].find_one({"occasion": "issued"})
    assert issue is not None
    assert (issue["state"], issue["cancel_reason"], issue.get("due_at")) == ("cancelled", "revoked", None)
    await prepare(database, NOW + LEASE)
    closing = await database["deliveries"].find_one({"learner_id": learner, "occasion": "taken_down"})
    assert closing is not None
    assert (closing["state"], closing["cancel_reason"]) == ("cancelled", "never_told")


async def test_who_may_have_been_told_of_a_badge_is_told_of_its_end_once_the_held_mail_is_discarded_as_sent(
    database: mongo.Database,
) -> None:
    learner = await held_and_closed(database)
    deliveries = Deliveries(database)
    assert await deliveries.discard(None, NOW) == 1
    (issue,) = (await deliveries.find([IDS.delivery_id(credential_id(learner), Occasion.ISSUED)])).values()
    assert (issue.state, issue.cancel_reason, issue.told) == (State.CANCELLED, "may_have_been_sent", True)
    claimed = await deliveries.claim(10, owner="a", now=NOW + LEASE, lease_until=NOW + LEASE + LEASE)
    assert [each.occasion for each in claimed] == [Occasion.TAKEN_DOWN]
    assert await preparation(database)._told(claimed) == (claimed, [])


async def test_a_held_mail_that_its_school_sends_again_while_its_badge_is_revoked_does_not_go(
    database: mongo.Database,
) -> None:
    (learner,) = await due(database, 1)
    deliveries, id_ = Deliveries(database), IDS.delivery_id(credential_id(learner), Occasion.ISSUED)
    await deliveries.hold_open(NOW)
    (read,) = (await deliveries.find([id_])).values()
    await workers(database).deliveries.closed([announced(revoked(learner))])
    await deliveries.send_again(read, NOW)
    await prepare(database)
    assert (await deliveries.find([id_]))[id_].state is State.CANCELLED


@pytest.mark.parametrize("closed", [True, False])
async def test_a_held_mail_to_a_learner_who_is_erased_is_cancelled_whether_or_not_its_badge_was_closed(
    database: mongo.Database, closed: bool
) -> None:
    learner, other = await due(database, 2)
    deliveries = Deliveries(database)
    await deliveries.hold_open(NOW)
    if closed:
        await workers(database).deliveries.closed([announced(revoked(learner))])
    await workers(database).contacts([tombstone(learner)])
    ended = {
        (each["state"], each["cancel_reason"]) async for each in database["deliveries"].find({"learner_id": learner})
    }
    assert ended == {("cancelled", "erased")}
    assert await deliveries.release(None, NOW) == 1
    assert await occasions(database, other) == {"issued": "pending"}


async def test_what_is_released_while_its_badge_is_closed_or_its_learner_erased_does_not_go(
    database: mongo.Database,
) -> None:
    learners = await due(database, 60)
    deliveries, both = Deliveries(database), workers(database)
    await deliveries.hold_open(NOW)
    await asyncio.gather(
        deliveries.release(None, NOW),
        *(both.deliveries.closed([announced(revoked(each))]) for each in learners[:30]),
        *(both.contacts([tombstone(each)]) for each in learners[30:]),
    )
    await prepare(database, NOW + LEASE)
    assert await states(database) == {"cancelled"}


async def test_what_is_released_is_due_at_once(database: mongo.Database) -> None:
    deliveries, does, learner = Deliveries(database), workers(database), uuid4()
    await does.contacts([received(contact(learner))])
    await does.deliveries.decided([announced(issued(learner))._replace(known=True)])
    held = await deliveries.held(None)
    assert await decide(database, Action.MAILS_RELEASED, Deliveries.release, held, None, "nobody was told") == 1
    (entry,) = await database["audit"].find({}).to_list(None)
    assert (entry["action"], entry["reason"]) == (Action.MAILS_RELEASED, "nobody was told")
    later = datetime.now(UTC) + LEASE
    (claimed,) = await deliveries.claim(10, owner="a", now=later, lease_until=later + LEASE)
    assert claimed.learner_id == learner


async def test_a_decision_that_issues_nothing_is_not_mailed(database: mongo.Database) -> None:
    event = issued(uuid4())
    held = event.model_copy(update={"outcome": Outcome.DUPLICATE})
    await workers(database).deliveries.decided([announced(held)])
    assert await states(database) == set()


async def test_what_followed_from_a_piece_of_evidence_is_mailed_whether_or_not_the_piece_earned_a_badge_itself(
    database: mongo.Database,
) -> None:
    learner, handlers = uuid4(), workers(database)
    await handlers.contacts([announced(contact(learner))])
    above = StackedAward(achievement="dept/character/1", credential_id=uuid4())
    for outcome in (Outcome.ISSUED, Outcome.DUPLICATE):
        event = issued(learner).model_copy(update={"outcome": outcome, "stacked": (above,)})
        await handlers.deliveries.decided([announced(event)])
        mailed = {each["credential_id"] for each in await database["deliveries"].find({}).to_list(None)}
        assert mailed == {above.credential_id, credential_id(learner)}


async def test_a_tombstone_erases_the_contact_and_cancels_what_was_not_sent(database: mongo.Database) -> None:
    learner, other = await due(database, 2)
    await workers(database).contacts([Received(None, str(learner), new_trace())])
    found = await Contacts(database).reachable([learner, other])
    assert set(found) == {other}
    document = await database["deliveries"].find_one({"learner_id": learner})
    assert document is not None
    assert (document["state"], document["cancel_reason"]) == ("cancelled", "erased")


async def all_erased(database: mongo.Database) -> dict[UUID, datetime]:
    return {each.learner_id: each.erased_at async for some in Erasures(database).everything() for each in some}


def tombstone(learner: UUID, sent_at: datetime = NOW) -> Received[ContactEvent]:
    return Received(None, str(learner), new_trace(), sent_at=sent_at)


async def test_an_erasure_is_noted_by_its_moment_and_once_however_often_it_is_read(database: mongo.Database) -> None:
    handle, early, ahead = workers(database).contacts, uuid4(), uuid4()
    before = NOW - timedelta(hours=1)
    for _ in range(2):
        await handle([tombstone(early, before), tombstone(ahead, NOW + timedelta(days=9))])
    assert await all_erased(database) == {early: before, ahead: NOW}, "none is of the future, whatever clocks say"
    assert await database["erasures"].count_documents({}) == 2
    await handle([tombstone(early, NOW)])
    assert (await all_erased(database))[early] == NOW
    assert (await Erasures(database).of([early, uuid4()])) == {early: NOW}


async def test_a_contact_that_was_given_after_an_erasure_stays_when_both_are_read_again(
    database: mongo.Database,
) -> None:
    learner, handle = uuid4(), workers(database).contacts
    before, given = tombstone(learner, NOW - timedelta(minutes=1)), received(contact(learner, changed_at=NOW))
    for batch in ([before, given], [before, given], [before], [given]):
        assert await handle(batch) == []
    assert set(await Contacts(database).reachable([learner])) == {learner}


async def test_an_erasure_from_the_ledger_takes_away_what_a_database_that_was_set_back_has_again(
    database: mongo.Database,
) -> None:
    learner, held = await due(database, 2)
    await Deliveries(database).hold_open(NOW)
    erased = LearnerErased(learner_id=learner, erased_at=NOW)
    assert await workers(database).contacts([received(erased)]) == []
    assert set(await Contacts(database).reachable([learner, held])) == {held}
    assert await all_erased(database) == {learner: NOW}
    document = await database["deliveries"].find_one({"learner_id": learner})
    assert document is not None
    assert (document["state"], document["cancel_reason"]) == ("cancelled", "erased")
    assert await Deliveries(database).count_held() == 1


@pytest.mark.parametrize("together", [True, False])
async def test_an_erasure_that_is_read_again_spares_what_a_school_gave_since_and_the_topic_keeps_it(
    database: mongo.Database, together: bool
) -> None:
    (learner,) = await due(database, 1)
    given = contact(learner, changed_at=NOW + timedelta(minutes=1), email="new@x.example")
    records = [received(given), received(LearnerErased(learner_id=learner, erased_at=NOW))]
    batches = [records] if together else [[each] for each in records]
    published = [outgoing.event for each in batches for outgoing in await workers(database).contacts(each)]
    assert published == [given], "compaction would lose the new address"
    assert (await Contacts(database).reachable([learner]))[learner].email == "new@x.example"
    assert await states(database) == {"pending"}


async def test_a_contact_from_before_an_erasure_that_comes_behind_it_is_not_stored_and_its_erasure_takes_its_place(
    database: mongo.Database,
) -> None:
    """Such as a dead letter that is sent again."""
    (learner,) = await due(database, 1)
    handle, before = workers(database).contacts, NOW - timedelta(minutes=1)
    await handle([tombstone(learner, NOW)])
    (again,) = await handle([received(contact(learner, changed_at=before))])
    assert again.event == LearnerErased(learner_id=learner, erased_at=NOW)
    assert await handle([received(LearnerErased(learner_id=learner, erased_at=NOW))]) == []
    assert await Contacts(database).reachable([learner]) == {}
    later = contact(learner, changed_at=NOW + timedelta(minutes=1))
    assert await handle([received(contact(learner, changed_at=before)), tombstone(learner), received(later)]) == []
    assert set(await Contacts(database).reachable([learner])) == {learner}


async def test_what_a_school_has_erased_is_gone_with_the_mails_that_were_not_sent(database: mongo.Database) -> None:
    learner, other = await due(database, 2)
    published: list[Received[ContactEvent]] = []

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        published.extend(received(each.event) for each in outgoing if isinstance(each.event, LearnerErased))

    async def all_read() -> None:
        """Nothing is on its way."""

    ledger = Erasures(database)
    erasing = Erasing(Contacts(database), ledger, MemoryAudit(), publish, all_read=all_read, clock=lambda: NOW)
    cause = Cause.of_service("test", "0" * 32)
    assert await erasing.erase({learner, other}, "southside", cause, new_trace()) == (0, NOW)
    assert await erasing.erase({learner, uuid4()}, "northside", cause, new_trace()) == (1, NOW)
    assert await all_erased(database) == {learner: NOW}, "before it is published"
    assert await workers(database).contacts(published) == []
    assert set(await Contacts(database).reachable([learner, other])) == {other}
    document = await database["deliveries"].find_one({"learner_id": learner})
    assert document is not None
    assert (document["state"], document["cancel_reason"]) == ("cancelled", "erased")
    assert await erasing.erase({learner}, "northside", cause, new_trace()) == (0, NOW)


async def test_an_erasure_that_is_published_again_from_the_ledger_is_the_same_entry(database: mongo.Database) -> None:
    learner, ledger = uuid4(), Erasures(database)
    await ledger.note({learner: NOW.replace(microsecond=382_070)})
    (again,) = [each async for some in ledger.everything() for each in some]
    await ledger.note({learner: again.erased_at})
    assert await database["erasures"].count_documents({}) == 1


async def test_a_name_that_was_erased_goes_where_an_address_was_given_since(database: mongo.Database) -> None:
    learner, contacts = uuid4(), Contacts(database)
    await contacts.store([contact(learner, changed_at=NOW - timedelta(hours=2))])
    alone = LearnerContact(learner_id=learner, issuer_id="northside", email="new@x.example", changed_at=NOW)
    await contacts.store([alone])
    await contacts.erase({learner: NOW - timedelta(hours=1)})
    assert await contacts.stored([learner]) == [alone]


async def test_contacts_end_that_nobody_needed_for_their_life_but_not_one_that_is_given_again_meanwhile(
    database: mongo.Database,
) -> None:
    both, contacts = workers(database), Contacts(database)
    gone, mailed, waits, back, young = learners = [uuid4() for _ in range(5)]
    long_ago, before = NOW - timedelta(days=900), NOW - timedelta(days=730)
    for each in learners:
        await both.contacts([received(contact(each, changed_at=NOW if each is young else long_ago))])
    await both.deliveries.decided([announced(issued(each)) for each in (mailed, waits)])
    await database["deliveries"].update_one({"learner_id": mailed}, {"$set": {"state": "sent"}})
    await database["deliveries"].update_one({"learner_id": waits}, {"$set": {"created_at": long_ago}})
    given_again = contact(back, changed_at=NOW, email="new@x.example")
    topic: list[ContactEvent] = []

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        """A school sends an address again, after it was looked for and before its end is published."""
        if not topic:
            await both.contacts([received(given_again)])
            topic.append(given_again)
        topic.extend(each.event for each in outgoing if isinstance(each.event, LearnerContactEnded))

    life = ContactLife(contacts, Deliveries(database), publish, lambda: NOW)
    assert (await contacts.oldest(), await contacts.count_unused(before)) == (long_ago, 4)
    assert await life.end(before, 10) == 2
    assert set(await contacts.reachable(learners)) == {mailed, waits, back, young}
    assert await life.end(before, 10) == 0
    assert await contacts.oldest() == before
    kept = {each.key: each for each in topic}
    assert isinstance(kept[str(gone)], LearnerContactEnded)
    assert isinstance(kept[str(back)], LearnerContactEnded), "compaction would lose the new address"
    (again,) = await both.contacts([received(each) for each in topic])
    assert again.event == given_again
    assert (await contacts.reachable(learners))[back].email == "new@x.example"
    restored = [received(contact(gone, changed_at=long_ago)), received(kept[str(gone)])]
    assert await both.contacts(restored) == []
    assert gone not in await contacts.reachable(learners)


async def test_what_is_cancelled_while_it_is_in_flight_and_not_sent_is_cancelled_when_it_is_put_back(
    database: mongo.Database,
) -> None:
    """Not when it is due again: while the mail server is unavailable, one delivery is tried every half minute."""
    learners = await due(database, 6)
    deliveries = Deliveries(database)
    claimed = await deliveries.claim(6, owner="a", now=NOW, lease_until=NOW + LEASE)
    both = workers(database)
    await both.contacts([Received(None, str(each), new_trace()) for each in learners])
    temporary = Failure(FailureKind.TEMPORARY, 451, "4.7.1")
    await deliveries.write(
        [
            changes.put_back(claimed[0], NOW),
            changes.put_back(claimed[1], NOW, slot_at=5.0),
            changes.failed(claimed[2], temporary, State.PENDING, NOW, NOW),
            changes.sent(claimed[3], NOW),
            changes.park(claimed[4], NOW),
            changes.refuse_domain(claimed[5], NOW),
        ]
    )
    stored = {each["_id"]: each async for each in database["deliveries"].find({})}
    for each in (*claimed[:3], *claimed[4:]):
        assert stored[each.id]["state"] == "cancelled"
        assert not stored[each.id].keys() & set(changes.CLAIM_FIELDS)
    assert stored[claimed[2].id]["last_error"]["code"] == 451
    assert stored[claimed[3].id]["state"] == "sent"


async def test_what_is_put_back_waits_for_its_moment_with_its_slot(database: mongo.Database) -> None:
    await due(database, 1)
    deliveries = Deliveries(database)
    claimed = await deliveries.claim(1, owner="a", now=NOW, lease_until=NOW + LEASE)
    await deliveries.write([changes.put_back(claimed[0], NOW + LEASE, slot_at=5.0)])
    (stored,) = await database["deliveries"].find({}).to_list(None)
    assert (stored["state"], stored["slot_at"]) == ("pending", 5.0)
    assert await deliveries.claim(1, owner="b", now=NOW, lease_until=NOW + LEASE) == []
    assert len(await deliveries.claim(1, owner="b", now=NOW + LEASE, lease_until=NOW + 2 * LEASE)) == 1


async def test_each_due_delivery_is_claimed_by_one_of_many_claimants(database: mongo.Database) -> None:
    await due(database, 300)
    deliveries = Deliveries(database)
    batches = await asyncio.gather(
        *(deliveries.claim(60, owner=str(n), now=NOW, lease_until=NOW + LEASE) for n in range(12))
    )
    claimed = [each.id for batch in batches for each in batch]
    assert len(claimed) == len(set(claimed))
    assert await database["deliveries"].count_documents({"state": "sending"}) == len(claimed)


async def test_a_lease_that_ended_is_taken_again_and_its_former_owner_changes_nothing(
    database: mongo.Database,
) -> None:
    await due(database, 1)
    deliveries = Deliveries(database)
    (first,) = await deliveries.claim(1, owner="dead", now=NOW, lease_until=NOW + LEASE)
    assert await deliveries.claim(1, owner="b", now=NOW, lease_until=NOW + LEASE) == []
    later = NOW + LEASE
    (second,) = await deliveries.claim(1, owner="b", now=later, lease_until=later + LEASE)
    assert first.id == second.id
    gone = changes.failed(first, Failure(FailureKind.PERMANENT, 550), State.FAILED_PERMANENTLY, None, later)
    await deliveries.write([gone])
    assert await states(database) == {"sending"}
    await deliveries.write([changes.sent(first, later)])
    assert await states(database) == {"sent"}, "a mail that has gone has gone, whoever held the claim"
    await deliveries.write([changes.failed(second, Failure(FailureKind.LOST), State.PENDING, later, later)])
    assert await states(database) == {"sent"}


async def test_a_renewed_lease_is_not_taken(database: mongo.Database) -> None:
    await due(database, 1)
    deliveries = Deliveries(database)
    claimed = await deliveries.claim(1, owner="a", now=NOW, lease_until=NOW + LEASE)
    await deliveries.renew(claimed, NOW + 2 * LEASE)
    assert await deliveries.claim(1, owner="b", now=NOW + LEASE, lease_until=NOW + 2 * LEASE) == []
    ended = NOW + 3 * LEASE
    own = [each.id for each in claimed]
    assert await deliveries.claim(1, owner="a", now=ended, lease_until=ended + LEASE, in_flight=own) == []


async def test_claiming_uses_the_index_of_what_is_due(database: mongo.Database) -> None:
    query = {"state": {"$in": ["pending", "sending"]}, "due_at": {"$lte": NOW}}
    plan = await database["deliveries"].find(query).sort("due_at", 1).limit(10).explain()
    assert "'indexName': 'due_at'" in str(plan["queryPlanner"]["winningPlan"])


async def test_replicas_share_the_pace_of_a_domain(database: mongo.Database) -> None:
    rate, now = Rate(10, 5), NOW.timestamp()
    replicas = [Domains(database, rate) for _ in range(4)]
    await replicas[0].take({"x.example": 0}, token=uuid4(), now=now)
    answers = await asyncio.gather(
        *(each.take({"x.example": 5, "y.example": 1}, token=uuid4(), now=now) for each in replicas)
    )
    slots = sorted(slot for answer in answers for slot in answer["x.example"].granted)
    assert len(set(slots)) == 20
    assert sum(slot <= now + 1e-6 for slot in slots) == 5
    assert slots[-1] == pytest.approx(now + 1.5, abs=1e-3)


async def test_a_domain_that_complains_is_paused_ever_longer_until_it_takes_a_mail(database: mongo.Database) -> None:
    domains, now = Domains(database, Rate(10, 5)), NOW.timestamp()

    async def pause() -> float:
        slots = await domains.take({"x.example": 1}, token=uuid4(), now=now)
        return slots["x.example"].paused_until - now

    await pause()
    await domains.record_throttle("x.example", now)
    await domains.record_throttle("x.example", now)  # from the same burst: it changes nothing
    assert await pause() == pytest.approx(5)
    now += 6
    await domains.record_throttle("x.example", now)
    assert await pause() == pytest.approx(10)
    slots = await domains.take({"x.example": 3}, token=uuid4(), now=now)
    assert min(slots["x.example"].granted) >= now + 10
    await domains.record_success("x.example")
    now += 11
    await domains.record_throttle("x.example", now)
    assert await pause() == pytest.approx(5)


async def test_no_domain_stands_in_the_clear_and_idle_ones_are_forgotten(database: mongo.Database) -> None:
    domains = Domains(database, Rate(10, 5))
    await domains.take({"tran-family.example": 1}, token=uuid4(), now=NOW.timestamp())
    assert "tran" not in str(await database["domains"].find().to_list(None))
    await domains.delete_idle(NOW.timestamp() + 2 * 86_400)
    assert await database["domains"].count_documents({}) == 0


async def test_mails_over_the_limit_of_an_address_or_an_issuer_wait_for_their_time_on_all_replicas(
    database: mongo.Database,
) -> None:
    now = NOW.timestamp()

    def replica() -> Allowances:
        return Allowances(database, recipient=Rate(24 / 86_400, 3), issuer=Rate(1, 10))

    flood = [("northside", "mia@x.example")] * 2
    taken = [await replica().take(flood, token=uuid4(), now=now) for _ in range(3)]
    at = sorted(each - now for some in taken for each in some if each is not None)
    assert [each <= 0 for each in at] == [True] * 3 + [False] * 3
    assert [round(each) for each in at[3:]] == [3600, 7200, 10800], "one an hour"
    others = [("northside", f"{number}@x.example") for number in range(10)]
    issued = [each - now for each in await replica().take(others, token=uuid4(), now=now) if each is not None]
    assert sum(each <= 0 for each in issued) == 4, "six of ten were taken"
    (elsewhere,) = await replica().take([("southside", "lee@x.example")], token=uuid4(), now=now)
    assert elsewhere is not None
    assert elsewhere <= now
    assert not [each async for each in database["allowances"].find() if "example" in repr(each)]


async def test_the_queue_of_one_issuer_to_a_mailbox_does_not_stand_before_anothers_mail(
    database: mongo.Database,
) -> None:
    now = NOW.timestamp()
    allowances = Allowances(database, recipient=Rate(24 / 86_400, 20), issuer=Rate(1, 1_000))
    own = [await allowances.take([("evil", "victim@x.example")] * 430, token=uuid4(), now=now)]
    own.append(await allowances.take([("good", "victim@x.example")] * 21, token=uuid4(), now=now))
    evil, good = ([each - now for each in some if each is not None] for some in own)
    assert round(max(evil)) == 410 * 3600
    assert round(max(good)) == 3600


def asked(issuer_id: str, count: int) -> list[Ask]:
    return [Ask(uuid4(), issuer_id, "victim@x.example") for _ in range(count)]


async def test_issuers_take_turns_at_a_mailbox_and_no_replica_passes_one_by_that_waits(
    database: mongo.Database,
) -> None:
    hour, many = 3600.0, Rate(1, 1_000)
    replicas = [Allowances(database, recipient=Rate(1 / hour, 3), issuer=many) for _ in range(2)]
    now = NOW.timestamp()

    async def admitted(asks: Sequence[Ask], replica: int = 0) -> list[str]:
        later = await replicas[replica].admit(asks, token=uuid4(), now=now)
        assert all(again > now for again in later.values())
        return [each.issuer_id for each in asks if each.delivery_id not in later]

    flood = asked("evil", 40)
    assert await admitted(flood) == ["evil"] * 3
    assert await admitted(asked("good", 1), 1) == [], "at most so many at once, whoever sends"
    now += hour + 1
    assert await admitted(flood[3:]) == [], "the next is another's, who asks in a moment"
    assert await admitted(asked("good", 1), 1) == ["good"]
    now += hour
    assert sorted(await admitted([*flood[3:], *asked("good", 1)], 1)) == ["evil"]
    now += hour
    assert await admitted(flood[4:]) == [], "good waits since, and was served before"
    now += hour
    assert await admitted(flood[4:]) == ["evil", "evil"], "who waits and never comes stands before nobody for long"
    assert await admitted(asked("good", 1), 1) == []


async def test_replicas_that_ask_at_once_give_a_mailbox_no_more_than_its_limit(database: mongo.Database) -> None:
    now, many = NOW.timestamp(), Rate(1, 1_000)
    replicas = [Allowances(database, recipient=Rate(24 / 86_400, 5), issuer=many) for _ in range(6)]
    waiting = {number: asked(f"school-{number}", 4) for number in range(6)}
    went = 0
    for _ in range(6):
        answers = await asyncio.gather(
            *(replicas[number].admit(asks, token=uuid4(), now=now) for number, asks in waiting.items())
        )
        for (number, asks), later in zip(list(waiting.items()), answers, strict=True):
            waiting[number] = [each for each in asks if each.delivery_id in later]
            went += len(asks) - len(waiting[number])
    assert went == 5
    assert not [each async for each in database["allowances"].find() if "x.example" in repr(each)]


async def test_a_mail_that_has_its_slot_of_a_mailbox_takes_no_other_when_it_is_tried_again(
    database: mongo.Database,
) -> None:
    await due(database, 1)
    deliveries = Deliveries(database)
    (claimed,) = await deliveries.claim(1, owner="a", now=NOW, lease_until=NOW + LEASE)
    await deliveries.write([changes.put_back(replace(claimed, allowed_at=NOW.timestamp(), admitted=True), NOW)])
    (again,) = await deliveries.claim(1, owner="a", now=NOW, lease_until=NOW + LEASE)
    assert again.admitted
    await deliveries.write([changes.failed(again, Failure(FailureKind.PERMANENT, 550), State.GAVE_UP, None, NOW)])
    await deliveries.reopen(list((await deliveries.find([again.id])).values()), NOW)
    (anew,) = await deliveries.claim(1, owner="a", now=NOW, lease_until=NOW + LEASE)
    assert (anew.admitted, anew.allowed_at) == (False, None)


async def test_deliveries_are_removed_a_life_after_they_ended_the_oldest_first_and_open_ones_stay(
    database: mongo.Database,
) -> None:
    deliveries, worker = Deliveries(database), workers(database).deliveries
    learners = [uuid4() for _ in range(4)]
    await worker.decided([announced(issued(learner)) for learner in learners])
    ids = [IDS.delivery_id(credential_id(learner), Occasion.ISSUED) for learner in learners]
    ended = {
        ids[0]: (State.SENT, 9),
        ids[1]: (State.CANCELLED, 8),
        ids[2]: (State.GAVE_UP, 1),
        ids[3]: (State.PENDING, 9),
    }
    for delivery_id, (state, days) in ended.items():
        changed = {"state": state, "changed_at": NOW - timedelta(days=days), "due_at": NOW}
        await database["deliveries"].update_one({"_id": delivery_id}, {"$set": changed})
    before = NOW - timedelta(days=2)
    assert await deliveries.oldest_ended() == NOW - timedelta(days=9)
    assert await deliveries.remove_ended(before, 1) == 1
    assert set(await deliveries.find(ids)) == set(ids[1:])
    assert await deliveries.remove_ended(before, 10) == 1
    assert set(await deliveries.find(ids)) == set(ids[2:])
    assert await deliveries.remove_ended(before, 10) == 0
    assert await deliveries.oldest_ended() == NOW - timedelta(days=1)


def supersedes(learner: UUID) -> EvidenceDecided:
    """An award of another level in the place of the first."""
    event = issued(learner)
    other = IDS.credential_id(learner, "dept/resilience", "multistructural")
    return event.model_copy(update={"credential_id": other, "supersedes": event.credential_id, "submission_id": other})


def superseded(learner: UUID) -> CredentialRevoked:
    gone = {"reason": RevocationReason.SUPERSEDED, "superseded_by": supersedes(learner).credential_id}
    return revoked(learner).model_copy(update=gone)


async def told(database: mongo.Database, now: datetime) -> list[tuple[Occasion, bool, str]]:
    """Send what is due; return the occasions, whether each says that it replaces another, and why it was closed."""
    deliveries = Deliveries(database)
    claimed = await deliveries.claim(100, owner="a", now=now, lease_until=now + LEASE)
    ready, updates = await preparation(database).prepare(claimed)
    await deliveries.write([*updates, *(changes.sent(each.delivery, now) for each in ready)])
    return [(each.message.occasion, each.message.replaces, each.message.why) for each in ready]


async def ends(database: mongo.Database) -> dict[tuple[UUID, str], tuple[str, str | None]]:
    return {
        (each["credential_id"], each["occasion"]): (each["state"], each.get("cancel_reason"))
        async for each in database["deliveries"].find({})
    }


@pytest.fixture
async def words(database: mongo.Database) -> None:
    """What mails need of the catalogue."""
    catalogue = Catalogue(database)
    await catalogue.store_issuers([issuer("northside")])
    await catalogue.store_achievements([achievement("resilience").model_copy(update={"owner": "dept"})])


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize("decided_first", [True, False])
async def test_who_was_told_of_a_badge_has_one_mail_about_what_took_its_place(
    database: mongo.Database, *, decided_first: bool
) -> None:
    (learner,) = await due(database, 1)
    assert await told(database, NOW) == [(Occasion.ISSUED, False, "")]
    does, later = workers(database), NOW + LEASE
    for decides in (decided_first, not decided_first):
        for _ in range(2):
            if decides:
                await does.deliveries.decided([announced(supersedes(learner))])
            else:
                await does.deliveries.closed([announced(superseded(learner))])
    assert (await ends(database))[credential_id(learner), "revoked"] == ("pending", None)
    assert await told(database, later) == [(Occasion.ISSUED, True, "")]
    assert await told(database, later + LEASE) == []
    assert (await ends(database))[credential_id(learner), "revoked"] == ("cancelled", "told_with_successor")


@pytest.mark.usefixtures("words")
async def test_a_mail_behind_anothers_flood_goes_next_and_shows_no_time_until_then(database: mongo.Database) -> None:
    await Catalogue(database).store_issuers([issuer("southside")])
    deliveries, hourly = Deliveries(database), Rate(1 / 3600, 3)

    async def sent(now: datetime) -> list[str]:
        claimed = await deliveries.claim(100, owner="a", now=now, lease_until=now + LEASE)
        ready, updates = await preparation(database, now, hourly).prepare(claimed)
        await deliveries.write([*updates, *(changes.sent(each.delivery, now) for each in ready)])
        return [each.delivery.issuer_id for each in ready]

    await due(database, 40)
    assert await sent(NOW) == ["northside"] * 3
    learner = uuid4()
    credential = credential_id(learner)
    await workers(database).contacts([received(contact(learner, email="A+1@x.example"))])
    decided = decided_issued("southside", learner, credential, "dept/resilience/1", NOW)
    await workers(database).deliveries.decided([announced(decided)])
    assert await sent(NOW) == []
    (waiting,) = (await deliveries.find([IDS.delivery_id(credential, Occasion.ISSUED)])).values()
    assert (waiting.state, waiting.held_until, waiting.told_due_at) == (State.PENDING, None, None)
    later = NOW + timedelta(hours=1, seconds=1)
    assert await sent(later) == ["southside"]
    assert await sent(later + timedelta(hours=1)) == ["northside"]


@pytest.mark.usefixtures("words")
async def test_where_what_took_its_place_ends_before_its_mail_the_learner_is_told_of_the_first_end(
    database: mongo.Database,
) -> None:
    (learner,) = await due(database, 1)
    await told(database, NOW)
    does, new = workers(database), supersedes(learner).credential_id
    await does.deliveries.closed([announced(superseded(learner))])
    assert await told(database, NOW + LEASE) == [], "it waits for the mail about what took its place"
    await does.deliveries.decided([announced(supersedes(learner))])
    await does.deliveries.closed([announced(revoked(learner).model_copy(update={"credential_id": new}))])
    assert await told(database, NOW + 2 * LEASE) == [(Occasion.REVOKED, False, "")]
    assert new is not None
    assert (await ends(database))[new, "issued"] == ("cancelled", "revoked")


@pytest.mark.usefixtures("words")
async def test_who_was_not_told_of_the_first_badge_is_told_of_the_second_as_of_any(database: mongo.Database) -> None:
    (learner,) = await due(database, 1)
    does = workers(database)
    await does.deliveries.decided([announced(supersedes(learner))])
    await database["deliveries"].update_one(
        {"credential_id": credential_id(learner)}, {"$set": {"due_at": NOW + timedelta(days=1)}}
    )
    assert await told(database, NOW) == [], "whether the first was told of is not known yet"
    await does.deliveries.closed([announced(superseded(learner))])
    assert await told(database, NOW + LEASE) == [(Occasion.ISSUED, False, "")]
    assert (await ends(database))[credential_id(learner), "issued"] == ("cancelled", "revoked")


@pytest.mark.parametrize(
    ("collection", "field"),
    [
        ("deliveries", "trace"),
        ("deliveries", "occasion"),
        ("deliveries", "attempts"),
        ("achievements", "levels"),
        ("achievements", "name"),
        ("issuers", "name"),
        ("mail_domains", "domains"),
    ],
)
async def test_a_damaged_document_holds_up_no_mail_but_its_own(
    database: mongo.Database, collection: str, field: str
) -> None:
    catalogue = Catalogue(database)
    names = {"wattle": uuid4(), "banksia": uuid4()}
    await catalogue.store_issuers([issuer(each) for each in names])
    await catalogue.store_achievements([achievement(owner=each) for each in names])
    rules = [MailDomainsSet(issuer_id=each, domains=("x.example",), changed_at=NOW) for each in names]
    await MailDomains(database).store(rules)
    both, deliveries = workers(database), Deliveries(database)
    for name, learner in names.items():
        given = contact(learner).model_copy(update={"issuer_id": name})
        await both.contacts([received(given)])
        version = achievement(owner=name).version_key
        decided = decided_issued(name, learner, credential_id(learner), version, NOW)
        await both.deliveries.decided([announced(decided)])
    of_wattle = {"issuer_id": "wattle"} if collection == "deliveries" else {"_id": {"$regex": "^wattle"}}
    assert (await database[collection].update_one(of_wattle, {"$unset": {field: ""}})).matched_count == 1
    claimed = await deliveries.claim(100, owner="a", now=NOW, lease_until=NOW + LEASE)
    ready, _ = await preparation(database).prepare(claimed)
    assert [each.delivery.issuer_id for each in ready] == ["banksia"]
