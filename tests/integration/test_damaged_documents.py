"""One stored document that somebody's hand has damaged, on the real MongoDB: it costs no other document its turn."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from bowerbird.auditing.loops import READ, look
from bowerbird.deliveries import name_damaged
from bowerbird.parked import print_commands
from deploy.embedded.stack import Stack
from libs.access.api_keys import ApiKeys
from libs.access.key_text import key_sha256, new_key
from libs.access.repository import KeyRepository, granting
from libs.common import mongo
from libs.common.damage import Damage
from libs.common.errors import UnauthenticatedError
from libs.common.fence import Fence
from libs.common.positions import Position, Positions
from libs.common.retention import Kept, Retention
from libs.common.stored import name_of
from libs.contracts.events import LearnerContact, ReconsiderHolding
from services.evidence.service import ServiceSettings as EvidenceSettings
from services.evidence.service import kept as evidence_kept
from services.issuer.service import kept as issuer_kept
from services.issuer.settings import ServiceSettings as IssuerSettings
from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.repository import Deliveries, HeldDeliveries
from services.notifier.service import kept as notifier_kept
from services.notifier.settings import ServiceSettings as NotifierSettings
from tests.damage import told, unreadable
from tests.issuer_doubles import NOW, evidence, received, ruled
from tests.issuer_world import World, closing, command, waiting_closing
from tests.keys_in_memory import grant

pytestmark = pytest.mark.integration


@pytest.fixture
async def database(infrastructure: Stack) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    name = f"damaged-{uuid4().hex}"
    yield client[name]
    await client.drop_database(name)
    await mongo.close(client)


@pytest.mark.parametrize(
    "harm",
    [
        {"$unset": {"expires_at": ""}},
        {"$unset": {"scopes": ""}},
        {"$set": {"expires_at": None}},
        {"$set": {"changed_at": None}},
        {"$unset": {"changed_at": ""}},
        {"$set": {"changed_at": "today"}},
        {"$set": {"withdrawal": "{}"}},
    ],
    ids=str,
)
async def test_a_damaged_api_key_alone_is_refused_and_is_told_of(
    database: mongo.Database, harm: dict[str, Any]
) -> None:
    mine, damaged = new_key(), new_key()
    await database["api_keys"].bulk_write(
        [granting(grant(each, "wattle", ["evidence:read"])) for each in (mine, damaged)]
    )
    await database["api_keys"].update_one({"_id": key_sha256(damaged)}, harm)
    repository = KeyRepository(database)
    keys = ApiKeys(repository)
    with capture_logs() as logs:
        assert (await keys.caller(mine)).issuer_id == "wattle"
        with pytest.raises(UnauthenticatedError):
            await keys.caller(damaged)
    assert {(each["collection"], each["document"]) for each in logs} == {
        (f"{database.name}.api_keys", key_sha256(damaged))
    }
    assert [each.sha256 for each in await repository.of_issuer("wattle")] == [key_sha256(mine)]
    assert await unreadable(database, "api_keys") == [key_sha256(damaged)]


@pytest.mark.parametrize(
    "harm",
    [{"$unset": {name: ""}} for name in ("reason", "kind", "since", "trace")] + [{"$set": {"kind": "keep"}}],
    ids=str,
)
async def test_a_damaged_command_that_waits_costs_no_other_its_turn_and_stays(
    world: World, harm: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await world.worker().handle(received([evidence(1), evidence(2, learner="s2")]))
    credentials = await world.stored("credentials")
    await world.database["credentials"].delete_many({})
    for each in credentials:
        await closing(world).handle([command(each)])
    damaged, other = await world.stored("waiting_commands")
    await world.database["waiting_commands"].update_one({"_id": damaged["_id"]}, harm)
    await world.database["credentials"].insert_many(credentials)
    assert await print_commands(world.database) == 1
    assert str(other["credential_id"]) in capsys.readouterr().out
    with capture_logs() as logs:
        await waiting_closing(world, lambda: NOW + timedelta(days=15)).tick()
    assert (f"{world.database.name}.waiting_commands", damaged["_id"]) in told(logs)
    state = {each["_id"]: each["state"] for each in await world.stored("credentials")}
    assert state == {damaged["credential_id"]: "active", other["credential_id"]: "revoked"}
    assert [each["_id"] for each in await world.stored("waiting_commands")] == [damaged["_id"]]
    assert await unreadable(world.database, "waiting_commands") == [damaged["_id"]]


async def test_a_command_waits_on_where_its_credential_cannot_be_read_and_no_other_does(world: World) -> None:
    await world.worker().handle(received([evidence(1), evidence(2, learner="s2")]))
    damaged, other = credentials = await world.stored("credentials")
    await world.database["credentials"].delete_many({})
    await closing(world).handle([command(each) for each in credentials])
    del damaged["status_index"]
    await world.database["credentials"].insert_many(credentials)
    await waiting_closing(world, lambda: NOW + timedelta(days=15)).tick()
    assert [each["credential_id"] for each in await world.stored("waiting_commands")] == [damaged["_id"]]
    assert {each["_id"]: each["state"] for each in await world.stored("credentials")}[other["_id"]] == "revoked"


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", ["issuer_id", "learner_id", "achievement", "state"])
async def test_a_sweep_passes_over_a_credential_that_was_damaged(world: World, name: str, place: int) -> None:
    await world.worker().handle(received([evidence(1), evidence(2, learner="s2")]))
    credentials = await world.stored("credentials")
    await world.database["credentials"].update_one({"_id": credentials[place]["_id"]}, {"$unset": {name: ""}})
    sweeps = world.sweeps()
    await sweeps.begin([ruled("diploma", {"type": "holds", "achievement": "wattle/resilience"})])
    await sweeps.tick()
    asked = [each.event.credential_id for each in world.published if isinstance(each.event, ReconsiderHolding)]
    assert asked == [credentials[1 - place]["_id"]]
    first = await world.credentials.names_after(None, 1)
    rest = await world.credentials.names_after(first.after, 1)
    assert [each.credential_id for each in [*first.names, *rest.names]] == asked, "the way goes on behind it"


@pytest.mark.parametrize("name", ["issuer_id", "holds", "passes"])
async def test_a_sweep_that_was_damaged_does_not_keep_the_next_one_from_its_turn(world: World, name: str) -> None:
    stored: dict[str, Any] = {"schema": 1, "issuer_id": None, "holds": [], "passes": 2}
    damaged = {"_id": "dept/damaged/1", **stored, "due": NOW - timedelta(days=1)}
    await world.database["sweeps"].insert_many([damaged, {"_id": "dept/whole/1", **stored, "due": NOW}])
    await world.database["sweeps"].update_one({"_id": damaged["_id"]}, {"$set": {name: 7.5}})
    await world.sweeps().tick()
    left = {each["_id"]: each["passes"] for each in await world.stored("sweeps")}
    assert left["dept/whole/1"] == 1
    assert await unreadable(world.database, "sweeps") == [damaged["_id"]]


LIVES: dict[str, Callable[[mongo.Database], list[Kept]]] = {
    "evidence": partial(evidence_kept, settings=EvidenceSettings.model_construct()),
    "issuer": partial(issuer_kept, settings=IssuerSettings.model_construct()),
    "notifier": partial(notifier_kept, settings=NotifierSettings.model_construct()),
}
OLD: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "submissions": ("evidence", "submissions", "sent_at", {}),
    "original_rows": ("evidence", "batches", "created_at", {"has_originals": True}),
    "evidence_texts": ("evidence", "batches", "created_at", {"has_texts": True}),
    "uploads": ("evidence", "batches", "created_at", {"state": "accepted", "announced": {"fingerprint": ""}}),
    "closing_notes": ("issuer", "closing_requests", "requested_at", {"note": "for them"}),
    "deliveries": ("notifier", "deliveries", "changed_at", {"state": "sent"}),
    "contacts": ("notifier", "contacts", "life_from", {}),
}


@pytest.mark.parametrize("kind", OLD)
@pytest.mark.parametrize("harm", [{"$unset": ""}, {"$set": "yesterday"}], ids=str)
async def test_a_document_without_the_moment_of_its_life_keeps_no_other_and_is_told_of(
    database: mongo.Database, kind: str, harm: dict[str, Any]
) -> None:
    service, name, moment, fields = OLD[kind]
    young, old = NOW, NOW - timedelta(days=9000)
    ids = [uuid4() for _ in range(3)]
    # Batches with rows that wait stay, and these have none.
    documents: list[dict[str, Any]] = [{"_id": each, "issuer_id": "north", moment: young, **fields} for each in ids]
    documents[1][moment] = old
    await database[name].insert_many(documents)
    ((how, value),) = harm.items()
    await database[name].update_one({"_id": ids[0]}, {how: {moment: value}})
    lives = [each for each in LIVES[service](database) if each.kind == kind]
    (life,) = lives
    assert await life.oldest() == documents[1][moment].replace(
        microsecond=documents[1][moment].microsecond // 1000 * 1000
    )
    await Retention(lives, lambda: datetime.now(UTC), enforced=False).tick()
    assert str(ids[0]) in await unreadable(database, name)


async def test_the_last_mail_that_a_contact_was_needed_for_is_found_beside_one_without_its_moment(
    database: mongo.Database,
) -> None:
    learner, since = uuid4(), NOW - timedelta(days=1)
    open_ = {"learner_id": learner, "state": "pending"}
    await database["deliveries"].insert_many([{"_id": uuid4(), **open_}, {"_id": uuid4(), **open_, "created_at": NOW}])
    deliveries = Deliveries(database)
    assert await deliveries.last_needed([learner], since) == {learner: NOW}
    await database["deliveries"].delete_one({"created_at": NOW})
    assert await deliveries.last_needed([learner], since) == {learner: since}


@pytest.mark.parametrize("name", ["issuer_id", "occasion", "created_at"])
@pytest.mark.parametrize("change", [Deliveries.release, Deliveries.discard])
async def test_held_mails_are_listed_and_decided_of_without_one_that_was_damaged(
    database: mongo.Database,
    capsys: pytest.CaptureFixture[str],
    name: str,
    change: Callable[[Deliveries, str | None, datetime], Awaitable[int]],
) -> None:
    held = {"state": "may_have_been_sent", "issuer_id": "north", "occasion": "issued", "created_at": NOW}
    good, damaged = uuid4(), uuid4()
    await database["deliveries"].insert_many(
        [{"_id": each, **held, "learner_id": uuid4(), "changed_at": NOW} for each in (good, damaged)]
    )
    await database["deliveries"].update_one({"_id": damaged}, {"$unset": {name: ""}})
    deliveries = Deliveries(database)
    assert await deliveries.held(None) == [HeldDeliveries("north", "issued", 1, NOW, NOW)]
    assert await name_damaged(database, None) == 1
    assert f"notifier.deliveries {damaged}" in capsys.readouterr().err
    assert await name_damaged(database, "south") == 0
    assert await change(deliveries, None, NOW) == 1
    states = {each["_id"]: each["state"] async for each in database["deliveries"].find()}
    assert states[damaged] == "may_have_been_sent" != states[good]
    assert (await deliveries.held(None), await deliveries.count_held()) == ([], 1)
    assert str(damaged) in await unreadable(database, "deliveries")


async def test_a_contact_that_was_damaged_ends_no_other_and_is_written_to_no_more(database: mongo.Database) -> None:
    mia, lee = uuid4(), uuid4()
    contacts = Contacts(database)
    await contacts.store(
        [LearnerContact(learner_id=each, issuer_id="north", email="a@x.example", changed_at=NOW) for each in (mia, lee)]
    )
    await database["contacts"].update_one({"_id": mia}, {"$unset": {"issuer_id": ""}, "$set": {"email": 7}})
    assert await contacts.unused(NOW + timedelta(days=1), 10) == {lee: "north"}
    assert set(await contacts.reachable([mia, lee])) == {lee}
    assert await unreadable(database, "contacts") == [str(mia)]


@pytest.mark.parametrize("harm", [{"$unset": {"offset": ""}}, {"$set": {"known_until": "all"}}], ids=str)
async def test_a_damaged_position_counts_as_none(database: mongo.Database, harm: dict[str, Any]) -> None:
    positions = Positions(database.client, database, Fence(database.client, database))
    good, damaged = (TopicPartition("things.v1", number) for number in range(2))
    await positions.keep("readers", {good: Position(7), damaged: Position(9)})
    await database["positions"].update_one({"_id": "readers/things.v1/1"}, harm)
    assert await positions.read("readers", [good, damaged]) == {good: Position(7)}


@pytest.mark.parametrize(
    ("service", "collection", "harm"),
    [
        ("issuer", "decisions", {"$unset": {"credential_id": ""}}),
        ("issuer", "decisions", {"$set": {"credential_id": "x"}}),
        ("issuer", "decisions", {"$set": {"outcome": "given"}}),
        ("issuer", "decisions", {"$unset": {"decided_at": ""}}),
        ("evidence", "rows", {"$set": {"state": "given"}}),
        ("evidence", "rows", {"$unset": {"state": ""}}),
    ],
    ids=str,
)
async def test_a_damaged_decision_or_row_is_named_by_the_audit_with_its_field(
    world: World, service: str, collection: str, harm: dict[str, dict[str, str]]
) -> None:
    await world.worker().handle(received([evidence(1), evidence(2, learner="s2")]))
    await world.database["rows"].insert_many([{"_id": uuid4(), "state": each} for each in ("issued", "refused")])
    stored = await world.stored(collection)
    await world.database[collection].update_one({"_id": stored[0]["_id"]}, harm)
    damage = Damage()
    for each in READ:
        if (each.service, each.collection) == (service, collection):
            await look(world.database, each, damage)
    ((field,),) = harm.values()
    (told_of,) = damage.found
    assert name_of(stored[0]["_id"]) in told_of and told_of.endswith(f": DamagedFieldError: {field}")
