"""'The newest takes precedence' on the real MongoDB: any order, repetition and number of replicas, one state."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from deploy.embedded.stack import Stack
from libs.access.repository import KeyRepository
from libs.access.signatures import GrantKeys, GrantSigner
from libs.access.worker import AccessWorker, Restoring
from libs.audit.entry import Action, Cause, Entry
from libs.audit.log import AuditLog
from libs.common import mongo
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import ApiKeyGranted, ApiKeyWithdrawn, Event, IssuerPublished, LearnerContact
from services.issuer.access.renewal import GrantRenewal, subject_of
from services.issuer.catalogue.repository import Catalogue as IssuerCatalogue
from services.notifier.catalogue.repository import Catalogue as NotifierCatalogue
from services.notifier.contacts.repository import Contacts
from tests.keys_in_memory import grant

pytestmark = pytest.mark.integration

NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)
SEEDS = [int(os.environ.get("TEST_SEED", "20261128")) + offset for offset in range(3)]


@pytest.fixture
async def database(infrastructure: Stack) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    name = f"newest-{uuid4().hex}"
    yield client[name]
    await client.drop_database(name)
    await mongo.close(client)


async def arrive(
    events: Sequence[Any], chance: random.Random, *replicas: Callable[[list[Any]], Awaitable[object]]
) -> None:
    """Give each replica every event twice, in an order and in batches of its own, all replicas at once."""

    async def one(apply: Callable[[list[Any]], Awaitable[object]]) -> None:
        left = list(events) * 2
        chance.shuffle(left)
        while left:
            size = chance.randint(1, 9)
            batch, left = left[:size], left[size:]
            await apply(batch)

    await asyncio.gather(*(one(each) for each in replicas))


def as_received(handle: Callable[[Any], Awaitable[object]]) -> Callable[[list[Any]], Awaitable[object]]:
    async def apply(events: list[Event]) -> None:
        await handle([Received(event, event.key, new_trace()) for event in events])

    return apply


def issuers() -> list[IssuerPublished]:
    return [
        IssuerPublished(
            issuer_id=f"school-{school}",
            version=version,
            name=f"name {version}",
            did=f"did:web:badges.example:issuers:school-{school}",
            did_document="{}",
            # The moments say the opposite: clocks differ, versions do not.
            published_at=NOW - timedelta(days=version),
        )
        for school in range(5)
        for version in range(1, 7)
    ]


@pytest.mark.parametrize("seed", SEEDS)
async def test_documents_end_as_the_highest_of_each_whatever_way_they_arrive(
    database: mongo.Database, seed: int
) -> None:
    chance = random.Random(seed)
    documents = [{"_id": key, "order": order, "text": f"{key} {order}"} for key in range(6) for order in range(8)]

    async def upsert(some: list[mongo.Document]) -> None:
        await mongo.upsert_newest(database["things"], [dict(each) for each in some], order="order")

    await arrive(documents, chance, upsert, upsert, upsert)
    stored = {each["_id"]: (each["order"], each["text"]) async for each in database["things"].find()}
    assert stored == {key: (7, f"{key} 7") for key in range(6)}


async def test_a_document_without_the_order_is_older_than_any(database: mongo.Database) -> None:
    await database["things"].insert_one({"_id": 1, "other": "stays"})
    await mongo.upsert_newest(database["things"], [{"_id": 1, "order": 0, "text": "new"}], order="order")
    assert await database["things"].find_one({"_id": 1}) == {"_id": 1, "order": 0, "text": "new", "other": "stays"}


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_late_older_profile_never_wins_in_the_issuer_or_the_notifier(
    database: mongo.Database, seed: int
) -> None:
    chance = random.Random(seed)
    await arrive(issuers(), chance, *(IssuerCatalogue(database).store_issuers for _ in range(2)))
    found = await IssuerCatalogue(database).issuers(f"school-{school}" for school in range(5))
    assert {(each.version, each.name) for each in found.values()} == {(6, "name 6")}
    await database["issuers"].drop()
    await arrive(issuers(), chance, *(NotifierCatalogue(database).store_issuers for _ in range(2)))
    told = await NotifierCatalogue(database).issuers(f"school-{school}" for school in range(5))
    assert {key: each.name for key, each in told.items()} == {f"school-{school}": "name 6" for school in range(5)}


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_withdrawn_api_key_stays_withdrawn(database: mongo.Database, seed: int) -> None:
    chance = random.Random(seed)
    signer = GrantSigner(b"s" * 32)
    worker = AccessWorker(KeyRepository(database), GrantKeys([signer.public_key]))
    records: list[ApiKeyGranted | ApiKeyWithdrawn] = []
    for number in range(4):
        granted = grant(f"key {number}", "northside", ["evidence:read"])
        records.append(signer.sign(granted))
        records += [
            signer.sign(
                ApiKeyWithdrawn(
                    key_sha256=granted.key_sha256,
                    issuer_id="northside",
                    ends_at=NOW + timedelta(days=days),
                    reason="withdrawn",
                    requested_at=NOW,
                )
            )
            for days in range(3)
        ]
    await arrive(records, chance, *(as_received(worker.keys) for _ in range(2)))
    found = await KeyRepository(database).of_issuer("northside")
    assert [each.ends_at for each in found] == [NOW] * 4
    assert {each.sha256 for each in found} == {each.key_sha256 for each in records}


async def test_a_record_that_the_issuer_service_did_not_sign_makes_widens_extends_and_withdraws_no_key(
    database: mongo.Database,
) -> None:
    repository, signer = KeyRepository(database), GrantSigner(b"s" * 32)
    worker = AccessWorker(repository, GrantKeys([signer.public_key]))
    granted = signer.sign(grant("key", "northside", ["evidence:read"]))
    ended = ApiKeyWithdrawn(
        key_sha256=granted.key_sha256, issuer_id="northside", ends_at=NOW, reason="withdrawn", requested_at=NOW
    )
    stranger = GrantSigner(b"t" * 32)
    forged: list[ApiKeyGranted | ApiKeyWithdrawn] = [
        grant("unsigned", "northside", ["evidence:read"]),
        stranger.sign(grant("stranger's", "northside", ["evidence:read"])),
        stranger.sign(grant("stranger's", "northside", ["evidence:read"])).model_copy(
            update={"signed_by": signer.public_key}
        ),
        granted.model_copy(update={"scopes": ("evidence:read", "keys:write")}),
        granted.model_copy(update={"issuer_id": "southside"}),
        granted.model_copy(update={"key_sha256": "0" * 64}),
        granted.model_copy(update={"expires_at": granted.expires_at + timedelta(days=1)}),
        granted.model_copy(update={"signature": ""}),
        granted.model_copy(update={"signature": "€"}),
        signer.sign(grant("all issuers", "*", ["evidence:read"])),
        signer.sign(grant("administrator", "northside", ["issuers:write"])),
        ended,
        stranger.sign(ended),
    ]
    await as_received(worker.keys)([*forged, granted, *forged])
    (found,) = await repository.of_issuer("northside")
    assert (found.sha256, found.scopes, found.ends_at) == (
        granted.key_sha256,
        frozenset({"evidence:read"}),
        granted.expires_at,
    )
    assert not await repository.of_issuer("southside")
    assert not await repository.of_issuer("*")
    await as_received(worker.keys)([signer.sign(ended), granted])
    (found,) = await repository.of_issuer("northside")
    assert found.ends_at == NOW


async def test_what_displaced_a_genuine_record_on_the_topic_is_answered_with_the_genuine_ones(
    database: mongo.Database,
) -> None:
    repository, signer = KeyRepository(database), GrantSigner(b"s" * 32)
    worker = AccessWorker(repository, GrantKeys([signer.public_key]))
    granted = signer.sign(grant("key", "northside", ["evidence:read"]))
    ended = signer.sign(
        ApiKeyWithdrawn(
            key_sha256=granted.key_sha256, issuer_id="northside", ends_at=NOW, reason="withdrawn", requested_at=NOW
        )
    )
    restoring = Restoring(worker, repository)
    await as_received(restoring.handle)([granted, ended])
    again = await restoring.handle([Received(None, ended.key, new_trace())])
    assert [each.event for each in again] == [granted, ended]
    assert not await restoring.handle(
        [Received(granted, granted.key, new_trace()), Received(ended, ended.key, new_trace())]
    )


async def test_what_is_signed_anew_holds_without_the_old_secret_and_a_grant_that_nobody_recorded_does_not(
    database: mongo.Database,
) -> None:
    repository, log = KeyRepository(database), AuditLog(database)
    old, new = GrantSigner(b"s" * 32), GrantSigner(b"t" * 32)
    worker = AccessWorker(repository, GrantKeys([old.public_key, new.public_key]))
    kept, ended, forged = (grant(name, "northside", ["evidence:read"]) for name in ("kept", "ended", "forged"))
    end = ApiKeyWithdrawn(
        key_sha256=ended.key_sha256, issuer_id="northside", ends_at=NOW, reason="withdrawn", requested_at=NOW
    )
    cause = Cause("administrator:a", "0" * 32)
    await log.record(
        *(Entry(Action.API_KEY_GRANTED, cause, ("northside",), subject_of(each)) for each in (kept, ended)),
        Entry(Action.API_KEY_WITHDRAWN, cause, ("northside",), subject_of(end)),
    )
    await as_received(worker.keys)([old.sign(each) for each in (kept, ended, forged)] + [old.sign(end)])
    published: list[Any] = []

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        published.extend(each.event for each in outgoing)
        await as_received(worker.keys)(published)

    renewal = GrantRenewal(repository, signer=new, audit=log, publish=publish)
    found = await renewal.run(cause, new_trace())
    assert (len(found.explained), [each.key_sha256 for each in found.unexplained]) == (3, [forged.key_sha256])
    again = await renewal.due()
    assert (again.explained, len(again.unexplained)) == ((), 1)
    # A database that is built anew under the new secret alone.
    await database["api_keys"].drop()
    await as_received(AccessWorker(repository, GrantKeys([new.public_key])).keys)([old.sign(forged), *published])
    keys = {each.sha256: each.ends_at for each in await repository.of_issuer("northside")}
    assert keys == {kept.key_sha256: kept.expires_at, ended.key_sha256: NOW}


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_newest_name_and_the_newest_address_of_a_learner_stay_also_where_an_event_gives_one_alone(
    database: mongo.Database, seed: int
) -> None:
    chance = random.Random(seed)
    learners = [UUID(int=number) for number in range(5)]
    given = [("Mia", "old@x.example"), (None, "new@x.example"), ("Mia Lee", None), (None, None)]
    events = [
        LearnerContact(
            learner_id=learner,
            issuer_id="northside",
            name=name,
            email=email,
            changed_at=NOW + timedelta(seconds=moment),
        )
        for learner in learners
        for moment, (name, email) in enumerate(given)
    ]
    await arrive(events, chance, *(Contacts(database).store for _ in range(3)))
    found = await Contacts(database).reachable(learners)
    assert {(each.name, each.email) for each in found.values()} == {("Mia Lee", "new@x.example")}
    assert len(found) == 5
