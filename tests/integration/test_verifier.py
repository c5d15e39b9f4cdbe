"""The verifier on a real broker and database: what was published shows, and nothing ever goes back."""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import AsyncClient
from pydantic import SecretStr

from deploy.embedded.stack import Stack
from libs.common import mongo
from libs.common.clock import now
from libs.common.errors import UnavailableError
from libs.common.kafka import Kafka
from libs.common.settings import Settings
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import EventT, Outgoing, Received
from libs.contracts.events import (
    AUTHORITY_ID,
    AchievementPublished,
    AuthorityPublished,
    CredentialDocument,
    Event,
    IssuerPublished,
    StatusListPublished,
)
from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.trust.names import skeleton
from services.verifier.material import metrics
from services.verifier.material.records import TakenDown
from services.verifier.material.repository import INDEXES, Repository
from services.verifier.material.worker import Projection
from tests.damage import unreadable
from tests.ids import IDS
from tests.verifier_doubles import EPOCH, ISSUED, REVOKED, School

pytestmark = pytest.mark.integration

PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def service(infrastructure: Stack) -> Iterator[str]:
    """The address of a verifier that runs as a process of its own."""
    infrastructure.start("verifier")
    yield infrastructure.url("verifier")
    infrastructure.stop("verifier")


@pytest.fixture
def school(service: str) -> School:
    return School(base=service, slug=f"school-{uuid4().hex[:12]}")


@pytest.fixture
async def kafka(infrastructure: Stack, service: str) -> AsyncIterator[Kafka]:
    settings = Settings(kafka_bootstrap=infrastructure.kafka_bootstrap, mongo_url=SecretStr(infrastructure.mongo_url))
    publishing = Kafka(settings, "issuer", IDS.event_id)
    await publishing.start()
    await publish(publishing, authority(School(base=service)))
    yield publishing
    await publishing.stop()


@pytest.fixture
async def http(service: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(base_url=service, timeout=30) as client:
        yield client


async def publish(kafka: Kafka, *events: Event) -> None:
    await kafka.publish([Outgoing(event, new_trace()) for event in events])


def issuer(school: School, version: int = 1, name: str = "") -> IssuerPublished:
    return IssuerPublished(
        issuer_id=school.slug,
        version=version,
        name=name or school.name,
        email="office@wattlegrove.example",
        did=school.did,
        did_document=school.did_document,
        published_at=ISSUED,
    )


def authority(school: School) -> AuthorityPublished:
    return AuthorityPublished(
        authority_id=AUTHORITY_ID,
        # An issuer that ran on this stack before has published its own.
        version=1_000_000,
        did=school.authority,
        did_document=school.authority_document,
        published_at=ISSUED,
    )


def version_of(school: School, number: int) -> AchievementPublished:
    return AchievementPublished(
        owner=school.slug,
        achievement_id="resilience",
        version=number,
        name="Resilience",
        description="d",
        criteria="c",
        levels=[],
        published_at=ISSUED,
    )


def listed(school: School, version: int, revoked: Sequence[int] = ()) -> StatusListPublished:
    return StatusListPublished(
        list_id=school.list_id,
        purpose="revocation",
        epoch=EPOCH,
        version=version,
        credential=school.status_list(revoked),
        published_at=ISSUED + timedelta(seconds=version),
    )


def document(
    school: School, credential_id: UUID, index: int, *, revoked: bool = False, superseded_by: UUID | None = None
) -> CredentialDocument:
    return CredentialDocument(
        credential_id=credential_id,
        issuer_id=school.slug,
        state="revoked" if revoked else "active",
        document=school.badge(credential_id, index=index),
        changed_at=REVOKED if revoked else ISSUED,
        revocation_reason=RevocationReason.EVIDENCE_WITHDRAWN if revoked else None,
        superseded_by=superseded_by,
    )


async def page(http: AsyncClient, credential_id: UUID, expected: str) -> str:
    """The badge's page, once it says what is expected."""
    text = ""
    for _ in range(300):
        response = await http.get(f"/badges/{credential_id}", headers=PAGE)
        text = response.text
        if expected in text:
            return text
        await asyncio.sleep(0.1)
    raise AssertionError(f"{expected!r} never stood on the page: {text[-3000:]}")


async def report_on(http: AsyncClient, credential: object) -> dict[str, Any]:
    """The report, once a worker had time for it."""
    for _ in range(300):
        report: dict[str, Any] = (await http.post("/v1/verify", json={"credential": credential})).json()
        if report["verdict"] != "unknown":
            break
        await asyncio.sleep(0.1)
    return report


async def listing(http: AsyncClient, path: str) -> dict[str, Any]:
    """The JSON of an address, once it is there."""
    for _ in range(300):
        response = await http.get(path, headers={"Accept": "application/json"})
        if response.status_code == 200:
            read: dict[str, Any] = response.json()
            return read
        await asyncio.sleep(0.1)
    raise AssertionError(f"{path} never appeared: {response.text}")


async def test_what_an_issuer_publishes_can_be_seen_and_verified_and_a_revocation_shows(
    kafka: Kafka, school: School, http: AsyncClient
) -> None:
    credential_id = uuid4()
    await publish(kafka, version_of(school, 1), issuer(school), listed(school, 1), document(school, credential_id, 7))
    await page(http, credential_id, "This badge is real and still good")
    signed = await http.get(f"/badges/{credential_id}", headers={"Accept": "application/json"})
    assert signed.text == school.badge(credential_id, index=7)
    assert (await report_on(http, signed.json()))["verdict"] == "pass"
    assert (await http.get(f"/issuers/{school.slug}/did.json")).text == school.did_document
    assert (await http.get("/.well-known/did.json")).text == school.authority_document
    described = await listing(http, f"/achievements/{school.slug}/resilience/1")
    assert (described["name"], described["creator"]["email"]) == ("Resilience", "office@wattlegrove.example")

    await publish(kafka, listed(school, 2, [7]))
    await page(http, credential_id, "This badge has been revoked")
    assert (await report_on(http, signed.json()))["verdict"] == "fail"


async def test_a_badge_whose_issuer_has_not_arrived_is_unknown_until_it_has(
    kafka: Kafka, school: School, http: AsyncClient
) -> None:
    credential_id = uuid4()
    await publish(kafka, document(school, credential_id, 7), listed(school, 1))
    await page(http, credential_id, "could not be checked in full")
    await publish(kafka, issuer(school))
    await page(http, credential_id, "This badge is real and still good")


async def test_redelivery_in_the_wrong_order_never_takes_a_revocation_back(
    kafka: Kafka, school: School, http: AsyncClient
) -> None:
    credential_id, late = uuid4(), uuid4()
    active = document(school, credential_id, 7)
    await publish(kafka, issuer(school), document(school, credential_id, 7, revoked=True), listed(school, 2, [7]))
    await page(http, credential_id, "This badge has been revoked")
    # Published after, and each to the partition of what it contradicts: once it shows, so do those before it.
    await publish(kafka, active, active, listed(school, 1), document(school, late, 8))
    await page(http, late, "This badge is real and still good")
    await asyncio.sleep(3)
    await page(http, credential_id, "This badge has been revoked")
    await page(http, credential_id, "The evidence that it rests on was withdrawn or corrected.")


async def test_a_badge_that_another_took_the_place_of_links_to_that_one_whichever_arrives_first(
    kafka: Kafka, school: School, http: AsyncClient
) -> None:
    first, second, successor = uuid4(), uuid4(), uuid4()
    await publish(kafka, issuer(school), listed(school, 1), document(school, second, 8), document(school, successor, 9))
    await page(http, second, "This badge is real and still good")
    ended = [document(school, each, 7, revoked=True, superseded_by=successor) for each in (first, second)]
    await publish(kafka, *ended)
    for each in (first, second):
        await page(http, each, f'<a href="{successor}">The badge that took its place</a>')
    assert str(first) not in await page(http, successor, "This badge is real and still good")


async def signed_by(http: AsyncClient, credential: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The verdict on a credential, who signed it, and the checks by name."""
    response = await http.post("/v1/verify", json={"credential": json.loads(credential)})
    report = response.json()
    return report["verdict"], report["signer"], {check["name"]: check for check in report["checks"]}


async def test_a_registered_issuer_is_named_and_another_text_under_an_id_of_ours_fails_whoever_signs_it(
    kafka: Kafka, school: School, http: AsyncClient
) -> None:
    credential_id, name = uuid4(), f"Banksia {school.slug}"
    school.name = name
    await publish(kafka, issuer(school), listed(school, 1), document(school, credential_id, 7))
    await page(http, credential_id, "This badge is real and still good")
    verdict, signer, _ = await signed_by(http, school.badge(credential_id))
    assert (verdict, signer["standing"]) == ("pass", "registered")
    assert (signer["organisation"]["id"], signer["organisation"]["name"]) == (school.slug, name)

    verdict, signer, checks = await signed_by(http, school.badge(credential_id, name="Courage"))
    assert (verdict, checks["publication"]["code"]) == ("fail", "publication_differs")

    stranger = School(f" {name.upper()}", base=school.base, slug=f"stranger-{uuid4().hex[:12]}")
    stranger.key = Ed25519Key.from_seed(bytes(range(1, 33)))
    verdict, signer, checks = await signed_by(http, stranger.badge(credential_id))
    assert (verdict, signer["standing"]) == ("fail", "unknown")
    assert [one["id"] for one in signer["resembles"]] == [school.slug]


async def test_who_signed_and_what_was_published_is_asked_without_reading_whole_collections(
    infrastructure: Stack,
) -> None:
    client = mongo.connect(infrastructure.mongo_url, "test")
    database = client[f"verifier_test_{uuid4().hex}"]
    school, here, away = School(slug="wattle-grove"), uuid4(), uuid4()
    try:
        await mongo.create_indexes(database, INDEXES)
        repository = Repository(database)
        await repository.store_issuers([issuer(school), issuer(School(slug="banksia"), name="Banksia")])
        down = CredentialDocument(
            credential_id=away, issuer_id="i", state="taken_down", reason=TakeDownReason.SAFETY, changed_at=TAKEN_DOWN
        )
        await repository.store_documents([document(school, here, 7), down])
        await database.command("profile", 2)
        issuers = await repository.registered_issuers([school.did, "did:web:elsewhere.example"])
        alike = await repository.parties_alike([skeleton("WATTLE GROVE high school"), skeleton("Nobody")])
        texts = await repository.credential_texts([here, away, uuid4()])
        await database.command("profile", 0)
        assert [(one.party.issuer_id, one.party.name) for one in issuers.values()] == [("wattle-grove", school.name)]
        assert [[one.issuer_id for one in found] for found in alike.values()] == [["wattle-grove"], []]
        assert texts.keys() == {here, away}
        assert texts[here] == school.badge(here, index=7)
        assert isinstance(texts[away], TakenDown)
        seen = [one async for one in database["system.profile"].find({"command.find": {"$exists": True}})]
        assert sorted(one["command"]["find"] for one in seen) == ["documents", "issuers", "issuers"], "names together"
        assert not [one["planSummary"] for one in seen if "COLLSCAN" in one["planSummary"]]
        assert not [one for one in seen if one.get("hasSortStage")]
    finally:
        await client.drop_database(database.name)
        await mongo.close(client)


TAKEN_DOWN = REVOKED + timedelta(days=1)


@pytest.mark.parametrize("field", ["name", "did_document", "url"])
async def test_a_damaged_issuer_or_document_is_left_out_and_keeps_no_other_from_being_verified(
    infrastructure: Stack, field: str
) -> None:
    client = mongo.connect(infrastructure.mongo_url, "test")
    database = client[f"verifier_test_{uuid4().hex}"]
    school, other, here, damaged = School(slug="wattle-grove"), School(slug="banksia"), uuid4(), uuid4()
    try:
        repository = Repository(database)
        await repository.store_issuers([issuer(school), issuer(other)])
        await repository.store_documents([document(school, here, 7), document(other, damaged, 8)])
        await database["issuers"].update_one({"_id": "banksia"}, {"$unset": {field: ""}})
        await database["documents"].update_one({"_id": damaged}, {"$unset": {"state": ""}})
        assert (await repository.registered_issuers([school.did, other.did])).keys() == {school.did}
        alike = await repository.parties_alike([skeleton(school.name)])
        assert "wattle-grove" in {each.issuer_id for found in alike.values() for each in found}
        assert (await repository.credential_texts([here, damaged])).keys() == {here}
    finally:
        await client.drop_database(database.name)
        await mongo.close(client)


@pytest.mark.parametrize("field", ["issuer_id", "state", "document", "changed_at"])
async def test_a_damaged_badge_cannot_be_shown_now_and_one_that_lost_its_text_is_mended_as_it_is_published_again(
    infrastructure: Stack, field: str
) -> None:
    client = mongo.connect(infrastructure.mongo_url, "test")
    database = client[f"verifier_test_{uuid4().hex}"]
    school, active, revoked, down = School(slug="wattle-grove"), uuid4(), uuid4(), uuid4()
    issued = [document(school, each, number) for number, each in enumerate((active, revoked, down))]
    ended = {"changed_at": REVOKED, "revocation_reason": RevocationReason.ISSUED_IN_ERROR}
    closed = [
        issued[1].model_copy(update={"state": "revoked", **ended}),
        issued[2].model_copy(update={"state": "taken_down", "document": None, "reason": TakeDownReason.SAFETY}),
    ]
    try:
        repository = Repository(database)
        await repository.store_documents([*issued, *closed])
        await repository.store_documents(closed)
        before = await database["documents"].find().sort("_id", 1).to_list(None)
        for damaged in (active, revoked):
            await database["documents"].update_one({"_id": damaged}, {"$unset": {field: ""}})
            with pytest.raises(UnavailableError):
                await repository.credential(damaged)
        assert isinstance(await repository.credential(down), TakenDown)
        assert await unreadable(database, "documents") == sorted(map(str, (active, revoked)))
        await repository.store_documents(issued)
        after = await database["documents"].find().sort("_id", 1).to_list(None)
        assert (after == before) is (field == "document")
        await repository.store_documents(closed)
        assert isinstance(await repository.credential(down), TakenDown)
    finally:
        await client.drop_database(database.name)
        await mongo.close(client)


SEEDS = [int(os.environ.get("TEST_SEED", "20261123")) + offset for offset in range(5)]


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_order_any_cut_and_any_repetition_on_two_replicas_end_in_the_same_documents(
    infrastructure: Stack, seed: int
) -> None:
    chance = random.Random(seed)
    client = mongo.connect(infrastructure.mongo_url, "test")
    database = client[f"verifier_test_{uuid4().hex}"]
    school = School(slug="wattle-grove")
    ids = [UUID(int=number + 1) for number in range(20)]
    one_text = school.badge(ids[0])
    events: list[Event] = [
        CredentialDocument(credential_id=one, issuer_id="i", state="active", document=one_text, changed_at=ISSUED)
        for one in ids
    ]
    events += [
        CredentialDocument(credential_id=one, issuer_id="i", state="revoked", document=one_text, changed_at=REVOKED)
        for one in ids[:10]
    ]
    events += [
        CredentialDocument(
            credential_id=one, issuer_id="i", state="taken_down", reason=TakeDownReason.SAFETY, changed_at=TAKEN_DOWN
        )
        for one in ids[5:15]
    ]
    events += [issuer(school, version, f"name {version}") for version in range(1, 9)]
    events += [listed(school, version) for version in range(8)]
    events += [version_of(school, number) for number in (1, 2, 3)]
    try:
        await asyncio.gather(*(replica(database, [*events], chance) for _ in range(2)))
        states = {one["_id"]: one["state"] async for one in database["documents"].find()}
        assert states == {
            one: "revoked" if number < 5 else "taken_down" if number < 15 else "active"
            for number, one in enumerate(ids)
        }
        assert [one["changed_at"] async for one in database["documents"].find({"state": "revoked"})] == [REVOKED] * 5
        withheld = [one async for one in database["documents"].find({"state": "taken_down"})]
        assert {(one["document"], one["reason"], one["changed_at"]) for one in withheld} == {
            (None, "safety", TAKEN_DOWN)
        }
        assert [one["name"] async for one in database["issuers"].find()] == ["name 8"]
        assert [one["version"] async for one in database["status_lists"].find()] == [7]
        versions = [f"{school.slug}/resilience/{number}" for number in (1, 2, 3)]
        assert sorted([one["_id"] async for one in database["achievements"].find()]) == versions
    finally:
        await client.drop_database(database.name)
        await mongo.close(client)


async def replica(database: mongo.Database, events: list[Event], chance: random.Random) -> None:
    """One replica that is given everything, in batches cut anywhere, twice, in an order of its own."""
    projection = Projection(Repository(database), now)
    given = events * 2
    chance.shuffle(given)
    while given:
        size = chance.randint(1, 12)
        batch, given = given[:size], given[size:]
        await projection.documents([_received(e) for e in batch if isinstance(e, CredentialDocument)])
        await projection.issuers([_received(e) for e in batch if isinstance(e, IssuerPublished)])
        await projection.achievements([_received(e) for e in batch if isinstance(e, AchievementPublished)])
        await projection.status_lists([_received(e) for e in batch if isinstance(e, StatusListPublished)])


def _received(event: EventT) -> Received[EventT]:
    return Received(event, event.key, new_trace())


def placed(event: StatusListPublished, offset: int = -1) -> Received[StatusListPublished]:
    return Received(event, event.key, new_trace(), offset=offset)


async def test_a_status_list_that_goes_back_is_refused_loudly_and_one_that_is_read_again_in_silence(
    infrastructure: Stack,
) -> None:
    client = mongo.connect(infrastructure.mongo_url, "test")
    database = client[f"verifier_test_{uuid4().hex}"]
    school, repository = School(slug="wattle-grove"), Repository(database)
    projection = Projection(repository, now)

    def version(epoch: int, number: int, revoked: Sequence[int] = ()) -> StatusListPublished:
        return listed(school, number, revoked).model_copy(update={"epoch": epoch})

    async def refused(*batch: Received[StatusListPublished]) -> float:
        before = metrics.STATUS_LISTS_REFUSED._value.get()
        await projection.status_lists(batch)
        return float(metrics.STATUS_LISTS_REFUSED._value.get() - before)

    async def held() -> tuple[int, int]:
        stored = await repository.status_list(school.list_id)
        assert stored is not None
        return stored.order

    try:
        assert await refused(placed(version(EPOCH, 3), 10)) == 0
        assert await refused(placed(version(EPOCH, 10, [7]), 11), placed(version(EPOCH, 11, [7]), 12)) == 0
        # A restored issuer that began no new epoch, or a record that somebody sends again.
        assert await refused(placed(version(EPOCH, 4), 13)) == 1
        assert await refused(placed(version(EPOCH - 1, 99), 14)) == 1
        assert await refused(placed(version(EPOCH, 4))) == 1, "no one knows where it stands"
        assert await held() == (EPOCH, 11)
        assert await refused(placed(version(EPOCH, 3), 10), placed(version(EPOCH, 10), 11)) == 0, "read again"
        assert await refused(placed(version(EPOCH, 11), 15)) == 0, "the same"
        # A new epoch begins its versions anew, and holds.
        assert await refused(placed(version(EPOCH + 5, 2), 16), placed(version(EPOCH, 12), 17)) == 1
        assert await held() == (EPOCH + 5, 2)
        assert await refused(placed(version(EPOCH, 12), 17)) == 1
        assert await held() == (EPOCH + 5, 2)
        newer = version(EPOCH + 5, 3)
        assert (await repository.store_status_lists([(newer, 18)])).replaced == [newer]
        assert (await repository.store_status_lists([(version(EPOCH, 12), 17)])).replaced == []
    finally:
        await client.drop_database(database.name)
        await mongo.close(client)
