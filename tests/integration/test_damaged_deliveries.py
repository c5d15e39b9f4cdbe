"""A stored delivery with any one of its fields damaged, on the real MongoDB: no other waits, and no mail goes twice."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from deploy.embedded.stack import Stack
from libs.common import mongo
from libs.common.addresses import Address
from libs.contracts.events import LearnerContact, MailDomainsSet
from libs.contracts.results import SoloLevel
from services.notifier.catalogue.repository import Catalogue
from services.notifier.channels.email.message import EmailRenderer
from services.notifier.channels.email.picture import Pictures
from services.notifier.channels.failure import Failure, FailureKind
from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.activation import Activation
from services.notifier.deliveries.allowances import Allowances
from services.notifier.deliveries.buckets import Rate
from services.notifier.deliveries.delivery import Delivery, StoredDelivery
from services.notifier.deliveries.domains import Domains
from services.notifier.deliveries.preparation import Preparation
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import RetryPolicy, State
from services.notifier.deliveries.sender import Sender, SenderSettings
from services.notifier.deliveries.state_writer import StateWriter
from services.notifier.mail_domains.repository import MailDomains
from services.notifier.occasion import Occasion
from tests.damage import harms, told, unreadable
from tests.issuer_doubles import NOW, TRACE, achievement, issuer

pytestmark = pytest.mark.integration
MANY = Rate(1_000, 1_000)
LEASE = timedelta(seconds=60)


@pytest.fixture
async def database(infrastructure: Stack) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    name = f"damaged-{uuid4().hex}"
    yield client[name]
    await client.drop_database(name)
    await mongo.close(client)


class Server:
    """Notes to whom mails went, and answers them all alike."""

    def __init__(self, answer: Failure | None = None) -> None:
        self.went: Counter[str] = Counter()
        self._answer = answer

    async def send(self, to: Address, _content: bytes) -> Failure | None:
        self.went[to.local] += 1
        return self._answer


class NoPicture:
    async def run(self, *_: object, **__: object) -> Any:
        return b"PNG"


async def run(database: mongo.Database, server: Server, now: datetime = NOW) -> None:
    """Do what a notifier does of what is due then, from its start to its end."""
    contacts, deliveries, domains = Contacts(database), Deliveries(database), Domains(database, MANY)
    activation = Activation(contacts, deliveries)
    preparation = Preparation(
        deliveries=deliveries,
        contacts=contacts,
        activation=activation,
        catalogue=Catalogue(database),
        mail_domains=MailDomains(database),
        domains=domains,
        allowances=Allowances(database, recipient=MANY, issuer=MANY),
        public_base="https://badges.example",
        clock=lambda: now,
        new_id=uuid4,
    )
    sender = Sender(
        SenderSettings("test", 8, LEASE, RetryPolicy()),
        deliveries=deliveries,
        preparation=preparation,
        domains=domains,
        state_writer=StateWriter(deliveries),
        activation=activation,
        server=server,
        renderer=EmailRenderer(Address("badges", "bowerbird.example")),
        pictures=Pictures(NoPicture()),
        clock=lambda: now,
        draw=lambda: 0.5,
    )
    await sender.tick()
    await sender.finish()
    await sender.tick()  # which raises what became of one of them
    await sender.finish()


async def due(database: mongo.Database) -> tuple[mongo.Document, mongo.Document]:
    """Return deliveries to learners of two schools, `good` and `damaged`, as they stand when tried before."""
    contacts, catalogue = Contacts(database), Catalogue(database)
    await catalogue.store_issuers([issuer("dept"), issuer("north", "dept"), issuer("south", "dept")])
    await catalogue.store_achievements([achievement(owner="north"), achievement(owner="south")])
    allowed = MailDomainsSet(issuer_id="south", domains=("x.example",), changed_at=NOW)
    await MailDomains(database).store([allowed])
    expected: list[StoredDelivery] = []
    for school, name in (("north", "good"), ("south", "damaged")):
        learner = uuid4()
        given = LearnerContact(
            learner_id=learner, issuer_id=school, name="Mia", email=f"{name}@x.example", changed_at=NOW
        )
        await contacts.store([given])
        expected.append(
            StoredDelivery(
                id=uuid4(),
                issuer_id=school,
                credential_id=uuid4(),
                occasion=Occasion.ISSUED,
                learner_id=learner,
                achievement=f"{school}/resilience/1",
                level=SoloLevel.RELATIONAL,
                score=7.0,
                state=State.NO_ADDRESS,
                created_at=NOW,
                trace=TRACE,
                changed_at=NOW,
            )
        )
    deliveries = Deliveries(database)
    await deliveries.expect(expected)
    await deliveries.activate([each.learner_id for each in expected if each.learner_id is not None], NOW)
    server = Server(Failure(FailureKind.TEMPORARY, 451, "4.7.1"))
    await run(database, server)
    assert server.went == {"good": 1, "damaged": 1}
    await database["deliveries"].update_many({}, {"$set": {"due_at": NOW, "slot_at": NOW.timestamp()}})
    # The pause of a domain that throttled us is over.
    await database["domains"].update_many({}, {"$set": {"paused_until": NOW.timestamp() - 1}})
    stored = {each["_id"]: each async for each in database["deliveries"].find()}
    return stored[expected[0].id], stored[expected[1].id]


async def test_a_delivery_with_any_field_damaged_ends_nothing_and_goes_once_or_is_told_of(
    database: mongo.Database,
) -> None:
    good, damaged = await due(database)
    names = {each.name for each in (*fields(Delivery), *fields(StoredDelivery))} - {"id", "claim", "may_have_gone"}
    for harm in harms(damaged, names):
        await database["deliveries"].delete_many({})
        await database["deliveries"].insert_many([good, damaged])
        await database["deliveries"].update_one({"_id": damaged["_id"]}, harm.update)
        server = Server()
        with capture_logs() as logs:
            await run(database, server)
            await run(database, server, NOW + 2 * LEASE)
        assert server.went["good"] == 1, harm
        left = await database["deliveries"].find_one({"_id": damaged["_id"]})
        assert left is not None
        if left.get("state") == "sent":
            assert server.went["damaged"] == 1, harm
        else:
            assert not server.went["damaged"], harm
            named = {document for _, document in told(logs)} | {*await unreadable(database, "deliveries")}
            assert str(damaged["_id"]) in named or left.get("state") == "cancelled", harm


@pytest.mark.parametrize("name", ["domains", "allowances", "issuers", "achievements", "mail_domains", "contacts"])
async def test_what_a_mail_takes_with_any_field_damaged_keeps_no_other_mail_from_going(
    database: mongo.Database, name: str
) -> None:
    good, damaged = await due(database)
    for each in (good, damaged):
        for taken in ("allowed_at", "admitted", "slot_at"):
            del each[taken]
    whole = await database[name].find().to_list(None)
    # Of counters, any; of what belongs to a school, its own.
    of_good = {"north", "north/resilience/1", good["learner_id"]}
    others = [each for each in whole if each["_id"] not in of_good]
    for document in others:
        for harm in harms(document, ("paused_until", "throttles")):
            for collection, documents in (("deliveries", [good, damaged]), (name, whole)):
                await database[collection].delete_many({})
                await database[collection].insert_many(documents)
            await database[name].update_one({"_id": document["_id"]}, harm.update)
            server = Server()
            with capture_logs() as logs:
                await run(database, server)
            assert server.went["good"] == 1, (document, harm)
            if not server.went["damaged"]:
                nobody = name == "contacts" and harm.name == "email" and not harm.update.get("$set", {}).get("email")
                assert nobody or str(document["_id"]) in {each for _, each in told(logs)}, (document, harm)
            if name in {"domains", "allowances"}:
                assert server.went["damaged"] == 1, (document, harm)
