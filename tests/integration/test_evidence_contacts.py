"""Names and addresses stay sealed with their rows until the notifier has read them; from there they come again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from bowerbird.publications import Publications
from deploy.embedded.stack import Stack
from libs.common import mongo
from libs.common.damage import Damage
from libs.common.group_progress import GroupProgress
from libs.common.kafka import Kafka
from libs.common.settings import Settings
from libs.common.telemetry import new_trace
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import Event, LearnerContact
from libs.contracts.rights import CONTACTS_GROUP
from services.evidence.batches.batch import Upload
from services.evidence.batches.contact_arrival import ContactArrival
from services.evidence.batches.ingestion import Intake
from services.evidence.batches.repository import Batches
from services.evidence.batches.submissions import INDEXES as SUBMISSION_INDEXES
from services.evidence.sources.csv_reader import CsvReader
from services.issuer.credentials.announcements import Announcer
from services.notifier.contacts.erasures import Erasures
from services.notifier.contacts.repository import Contacts
from tests.evidence_doubles import BATCH_SEALING, CONTACT_SEALING, CONTACTS_TOPIC, Published
from tests.ids import COMMANDS, IDS, PROOFS, SEALING, SUPERSEDING_PROOFS
from tests.issuer_world import URLS

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
KIND = "names and addresses that the notifier has not read"
FILE = (
    b"source_id,learner_id,learner_name,learner_email,achievement,level,date,activity\n"
    b"1,ana,Ana Ruiz,ana@students.example,river-watch,relational,2026-03-09,Measured the river\n"
    b"2,ben,Ben Ode,ben@students.example,river-watch,relational,2026-03-09,Measured the river\n"
    b"3,cho,,,river-watch,relational,2026-03-09,Measured the river\n"
)


@pytest.fixture
async def database(infrastructure: Stack) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    name = f"contacts-{uuid4().hex}"
    await mongo.create_indexes(client[name], SUBMISSION_INDEXES)
    yield client[name]
    await client.drop_database(name)
    await mongo.close(client)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


async def uploaded(batches: Batches, clock: Clock, topic: str = CONTACTS_TOPIC) -> list[LearnerContact]:
    """Send the file; return the contacts that were published."""

    async def blocks() -> AsyncIterator[bytes]:
        yield FILE

    async def of_this_topic() -> str:
        return topic

    published = Published()
    intake = Intake(
        batches=batches,
        ids=IDS,
        publish=published,
        clock=clock,
        new_id=uuid4,
        sealing=BATCH_SEALING,
        contact_sealing=CONTACT_SEALING,
        contacts_topic=of_this_topic,
        proofs=SUPERSEDING_PROOFS,
        chunk_rows=300,
    )
    await intake.receive(Upload("wattle", "sis", "csv", new_trace(), None), CsvReader(66_000), blocks())
    return [each.event for each in published.outgoing if isinstance(each.event, LearnerContact)]


async def kept(batches: Batches) -> list[LearnerContact]:
    return [each async for some in batches.sent.contacts(CONTACT_SEALING, Damage()) for each in some]


async def published_again(database: mongo.Database) -> tuple[list[Event], Damage]:
    """Return what `bowerbird republish` publishes of it."""
    databases: Any = {"issuer": database, "notifier": database, "evidence": database}
    authority: Any = SimpleNamespace(
        ids=IDS,
        announcer=Announcer(URLS, SEALING),
        commands=COMMANDS,
        learner_proofs=PROOFS,
        contact_sealing=CONTACT_SEALING,
    )
    publications = Publications(databases, authority, NOW)
    (kind,) = (each for each in publications.kinds() if each.name == KIND)
    return [each async for some in kind.events() for each in some], publications.damage


async def test_what_came_with_rows_is_kept_sealed_and_published_again(database: mongo.Database) -> None:
    batches = Batches(database)
    contacts = await uploaded(batches, Clock())
    assert [each.name for each in contacts] == ["Ana Ruiz", "Ben Ode"]
    stored = str(await database["submissions"].find({}).to_list(None))
    assert "students.example" not in stored
    assert await kept(batches) == contacts
    assert (await published_again(database))[0] == contacts


async def test_what_the_notifier_has_or_was_told_to_erase_is_not_published_again(database: mongo.Database) -> None:
    ana, ben = await uploaded(Batches(database), Clock())
    await Contacts(database).store([ana])
    await Erasures(database).note({ben.learner_id: ben.changed_at})
    assert (await published_again(database))[0] == []


async def test_what_was_given_after_what_the_notifier_has_or_was_told_to_erase_is(database: mongo.Database) -> None:
    ana, ben = await uploaded(Batches(database), Clock())
    before = NOW - timedelta(milliseconds=1)
    await Contacts(database).store([ana.model_copy(update={"changed_at": before})])
    await Erasures(database).note({ben.learner_id: before})
    assert (await published_again(database))[0] == [ana, ben]


async def test_a_damaged_one_is_named_and_the_others_are_published(database: mongo.Database) -> None:
    batches = Batches(database)
    await uploaded(batches, Clock())
    await database["submissions"].update_many({}, {"$set": {"contacts": b"x" * 40}})
    good = await uploaded(batches, Clock())
    again, damage = await published_again(database)
    assert again == good
    (named,) = damage.found
    assert named.startswith("evidence.submissions ")
    assert "of wattle" in named


class Group:
    """The notifier's group, as far as it has read."""

    def __init__(self, stack: Stack) -> None:
        self._bootstrap = stack.kafka_bootstrap

    async def commit_all(self, *, but: int = 0) -> None:
        """Commit the end of each partition, or so many records before it."""
        partitions = [
            TopicPartition(topics.LEARNER_CONTACTS.name, number) for number in range(topics.LEARNER_CONTACTS.partitions)
        ]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, group_id=CONTACTS_GROUP, enable_auto_commit=False
        )
        await consumer.start()
        try:
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.commit({tp: max(0, end - but) for tp, end in ends.items()})
        finally:
            await consumer.stop()


@pytest.fixture
async def kafka(infrastructure: Stack) -> AsyncIterator[Kafka]:
    infrastructure.stop("notifier")
    made = Kafka(Settings(kafka_bootstrap=infrastructure.kafka_bootstrap), "evidence", IDS.event_id)
    await made.connect()
    yield made
    await made.stop()


async def test_they_go_once_the_notifier_has_read_as_far_as_their_topic_went(
    infrastructure: Stack, kafka: Kafka, database: mongo.Database
) -> None:
    batches, clock, group = Batches(database), Clock(), Group(infrastructure)
    arrival = ContactArrival(kafka, batches.sent, clock)
    contacts = await uploaded(batches, clock, await arrival.topic())
    await kafka.publish([Outgoing(each, new_trace()) for each in contacts])
    await group.commit_all(but=1)
    clock.now += timedelta(minutes=5)
    for _ in range(2):
        await arrival.tick()
    assert await kept(batches) == contacts, "the notifier has not read them"
    late = await uploaded(batches, clock, await arrival.topic())
    await group.commit_all()
    await arrival.tick()
    assert await kept(batches) == late, "they came after the mark"
    clock.now += timedelta(minutes=5)
    for _ in range(2):
        await arrival.tick()
    assert await kept(batches) == []
    assert await database["submissions"].count_documents({}) == 2, "the rows stay"


async def test_the_group_has_caught_up_once_it_has_committed_what_was_there_when_it_was_asked(
    infrastructure: Stack, kafka: Kafka
) -> None:
    group, progress = Group(infrastructure), GroupProgress(kafka, CONTACTS_GROUP, topics.LEARNER_CONTACTS)
    gone = LearnerContact(learner_id=uuid4(), issuer_id="wattle", email="ana@students.example", changed_at=NOW)
    await kafka.publish([Outgoing(gone, new_trace())])
    await group.commit_all(but=1)
    caught_up = asyncio.create_task(progress.catch_up())
    assert not await progress.has_reached(await progress.ends())
    assert not caught_up.done()
    await group.commit_all()
    await caught_up


async def test_what_went_to_a_topic_that_was_lost_stays(
    infrastructure: Stack, kafka: Kafka, database: mongo.Database
) -> None:
    batches, clock = Batches(database), Clock()
    contacts = await uploaded(batches, clock, "of a topic that is gone")
    arrival = ContactArrival(kafka, batches.sent, clock)
    await Group(infrastructure).commit_all()
    for _ in range(3):
        clock.now += timedelta(minutes=5)
        await arrival.tick()
    assert await kept(batches) == contacts
