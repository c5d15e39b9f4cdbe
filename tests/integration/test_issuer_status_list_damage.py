"""Status lists on the real MongoDB whose documents somebody's hand has damaged, or those of credentials on them."""

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from bowerbird.auditing import lists
from bowerbird.auditing.difference import Difference
from bowerbird.auditing.store_repairs import StoreRepairs
from bowerbird.auditing.topics import TopicIndex
from libs.common.damage import Damage
from libs.common.mongo import Document
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import CredentialDocument, StatusListPublished
from libs.openbadges.status.bitstring import StatusList
from services.issuer.credentials.announcements import Announcer
from services.issuer.status.publication import StatusListPublication
from services.issuer.status.repository import ShownList, StatusListRepository
from tests.ids import SEALING
from tests.issuer_doubles import NOW, evidence, received
from tests.issuer_world import URLS, KilledError, World, closing, command, take_down, waiting_closing

pytestmark = pytest.mark.integration

LIST = f"{int(NOW.timestamp())}-1"


class Encoded:
    """Instead of a signed list: its bits alone, as a list has them."""

    async def status_list(self, _list_id: str, _purpose: str, bits: StatusList, *_: object, **__: object) -> str:
        return json.dumps({"credentialSubject": {"encodedList": bits.encode()}})


def entries_of(event: StatusListPublished) -> set[int]:
    return set(StatusList.decode(json.loads(event.credential)["credentialSubject"]["encodedList"]).entries())


async def credentials(world: World, count: int) -> list[Document]:
    """Return new credentials of one list; what was published of it so far is forgotten."""
    await world.worker().handle(received([evidence(row, learner=f"s{row}") for row in range(1, count + 1)]))
    await world.publication(signer=Encoded()).tick()
    world.published.clear()
    return await world.stored("credentials")


async def tick(world: World) -> set[int]:
    """Publish what has changed; return what is set in the last version, as a process that has just started does it."""
    await world.publication(signer=Encoded()).tick()
    return entries_of(world.published_lists[-1])


@pytest.mark.parametrize("lost", ["state", "status_index", "status_list"])
async def test_a_credential_that_loses_a_field_loses_no_published_entry_and_holds_up_no_revocation(
    world: World, lost: str
) -> None:
    first, second = await credentials(world, 2)
    await closing(world).handle([command(first)])
    await tick(world)
    await world.database["credentials"].update_one({"_id": first["_id"]}, {"$unset": {lost: ""}})
    await closing(world).handle([command(second)])
    with capture_logs() as logs:
        assert await tick(world) == {first["status_index"], second["status_index"]}
    told = [each for each in logs if "that no credential explains" in each["event"]]
    assert [(each["list"], each["entries"]) for each in told] == [(LIST, [first["status_index"]])]


@pytest.mark.parametrize("index", ["none", -1, 131_072, None, 1.5])
async def test_an_entry_that_no_list_has_is_told_of_by_its_credential_and_left_out(world: World, index: object) -> None:
    first, second = await credentials(world, 2)
    await world.database["credentials"].update_one({"_id": first["_id"]}, {"$set": {"status_index": index}})
    await world.database["credentials"].update_one({"_id": first["_id"]}, {"$set": {"state": "revoked"}})
    await closing(world).handle([command(second)])
    with capture_logs() as logs:
        assert await tick(world) == {second["status_index"]}
    assert str(first["_id"]) in [each.get("document") for each in logs]


async def test_what_no_credential_explains_is_told_once_as_long_as_it_is_the_same(world: World) -> None:
    first, *others = await credentials(world, 3)
    await closing(world).handle([command(first)])
    await tick(world)
    await world.database["credentials"].delete_one({"_id": first["_id"]})
    publication = world.publication(signer=Encoded())
    with capture_logs() as logs:
        for each in others:
            await closing(world).handle([command(each)])
            await publication.tick()
    assert len([each for each in logs if "that no credential explains" in each["event"]]) == 1


async def test_a_list_that_was_adopted_keeps_what_was_published_of_it_where_no_credential_says_so(world: World) -> None:
    first, second = await credentials(world, 2)
    before = await world.stored("status_lists")
    await closing(world).handle([command(first)])
    await tick(world)
    published = world.published_lists
    lists = StatusListRepository(world.database)
    for stored in ([], before):
        await world.database["status_lists"].delete_many({})
        await world.database["credentials"].update_one({"_id": first["_id"]}, {"$set": {"state": "active"}})
        if stored:
            await world.database["status_lists"].insert_many(stored)
        lacking = await lists.lacking(published)
        assert [each.list_id for each in lacking] == [LIST]
        await lists.adopt(lacking, 131_072)
        assert await lists.lacking(published) == []
        await world.epochs().begin_new(0)
        await closing(world).handle([command(second)])
        assert first["status_index"] in await tick(world)


async def test_a_store_that_lacks_a_published_entry_and_no_version_went_back(world: World) -> None:
    first, _ = await credentials(world, 2)
    before = await world.stored("status_lists")
    await closing(world).handle([command(first)])
    await tick(world)
    (last,) = world.published_lists
    await world.database["status_lists"].delete_many({})
    await world.database["status_lists"].insert_many([{**each, "version": last.version} for each in before])
    lists = StatusListRepository(world.database)
    assert await lists.lacking([last]) == [last]
    await lists.adopt([last], 131_072)
    assert await lists.lacking([last]) == []


async def snapshot(world: World) -> dict[str, list[Document]]:
    return {name: await world.stored(name) for name in ("status_lists", "credentials", "epoch")}


async def set_back(world: World, then: dict[str, list[Document]]) -> None:
    """Put the store back, and take up of it what was published of lists, as a process that starts does."""
    for name, documents in then.items():
        await world.database[name].delete_many({})
        await world.database[name].insert_many(documents)
    lists, published = StatusListRepository(world.database), world.published_lists
    await lists.adopt(await lists.lacking(published), 131_072)
    await world.epochs().begin_new(1 + max((each.epoch for each in published), default=0))


@pytest.mark.parametrize("seed", range(12))
async def test_the_entries_of_successive_versions_only_grow(world: World, seed: int) -> None:
    chance = random.Random(seed)  # an order of events, the same at each run
    all_of_them = await credentials(world, 12)
    kept = [await snapshot(world)]
    left, revoked = all_of_them[1:], all_of_them[:1]

    def restarted(minute: int) -> StatusListPublication:
        def at() -> datetime:
            return NOW + timedelta(minutes=minute)

        return world.publication(at, signer=Encoded())

    publication = restarted(0)

    async def killed(outgoing: Sequence[Outgoing]) -> None:
        if chance.random() < 0.5:
            await world.publish(outgoing)
        raise KilledError

    for step in range(40):
        what = chance.choice(["revoke", "revoke", "lose", "restart", "killed", "set back", "keep"])
        if what == "revoke" and left:
            revoked.append(left.pop(chance.randrange(len(left))))
            await closing(world).handle([command(revoked[-1])])
        elif what == "lose":
            field = chance.choice(["state", "status_index", "status_list", "revoked_at"])
            harmed = {"_id": chance.choice(revoked)["_id"]}
            # Two that have lost it cannot be stored in one list.
            harm = {"$set": {field: f"lost {step}"}} if field == "status_index" else {"$unset": {field: ""}}
            await world.database["credentials"].update_one(harmed, harm)
        elif what == "restart":
            publication = restarted(step)
        elif what == "killed":
            try:
                await world.publication(signer=Encoded(), publish=killed).tick()
            except KilledError:
                publication = restarted(step)
        elif what == "set back":
            await set_back(world, chance.choice(kept))
        else:
            kept.append(await snapshot(world))
        await publication.tick()
    versions = [entries_of(each) for each in world.published_lists if each.list_id == LIST]
    assert versions[-1]
    for earlier, later in pairwise(versions):
        assert earlier <= later
    orders = [each.order for each in world.published_lists if each.list_id == LIST]
    assert orders == sorted(orders)


FIELDS = (
    *("schema", "purpose", "begun_in", "number", "next", "epoch", "version", "published_version", "publishing"),
    *("bits", "permutation_key", "created_at", "signed_at", "renew_at", "revoked_since", "publishing_since"),
)
NEEDED_TO_PUBLISH = {"purpose", "epoch", "version", "bits"}


@pytest.mark.parametrize("how", [{"$unset": ""}, {"$set": "damaged"}, {"$set": 5.5}])
@pytest.mark.parametrize("field", FIELDS)
async def test_a_damaged_list_costs_no_evidence_its_decision_and_holds_up_no_other_list(
    world: World, field: str, how: dict[str, Any]
) -> None:
    first, second = await credentials(world, 2)
    entries, worker = world.entries(), world.worker()
    await worker.handle(received([evidence(3, learner="s3")]))
    ((operator, value),) = how.items()
    await world.database["status_lists"].update_one({"_id": LIST}, {operator: {field: value}})
    later = NOW + timedelta(minutes=5)
    for process in (worker, world.worker()):
        number = 10 + len(await world.stored("credentials"))
        await process.handle(received([evidence(number, learner=f"s{number}")]))
    assert len(await entries.allocate(300)) == 300
    newest = [each for each in await world.stored("credentials") if each["_id"] not in {first["_id"], second["_id"]}]
    assert len(newest) == 3
    await closing(world).handle([command(each) for each in (first, second, *newest)])
    publication = world.publication(lambda: later, signer=Encoded())
    with capture_logs() as logs:
        for _ in range(3):
            await publication.tick()
            await publication.renew()
    last = {each.list_id: entries_of(each) for each in world.published_lists if each.published_at == later}
    for list_id in {each["status_list"] for each in newest} - {LIST}:
        assert {each["status_index"] for each in newest if each["status_list"] == list_id} <= last[list_id]
    if LIST in last:
        assert {first["status_index"], second["status_index"]} <= last[LIST]
    else:
        assert field in NEEDED_TO_PUBLISH
        assert {"document": LIST, "event": "a stored document cannot be read"}.items() <= _told(logs, LIST).items()
    assert [each["publishing"] for each in await world.stored("status_lists") if each["_id"] != LIST] in ([], [[]])


def _told(logs: Sequence[Any], document: str) -> dict[str, Any]:
    return next(each for each in logs if each.get("document") == document)


async def test_a_list_that_has_lost_its_version_is_published_under_no_lower_one(world: World) -> None:
    first, second = await credentials(world, 2)
    await closing(world).handle([command(first)])
    await tick(world)
    world.published.clear()
    await world.database["status_lists"].update_one({"_id": LIST}, {"$unset": {"version": ""}})
    await closing(world).handle([command(second)])
    publication = world.publication(lambda: NOW + timedelta(days=30), signer=Encoded())
    await publication.tick()
    await publication.renew()
    await StatusListRepository(world.database).change_all()
    await publication.tick()
    assert world.published_lists == []


async def repaired(world: World, *differences: Difference) -> list[str]:
    """Put these right as an audit does; return what it recorded."""
    recorded: list[str] = []

    async def record() -> None:
        recorded.append("it repairs")

    repairs = StoreRepairs(world.database, SEALING, record, NOW + timedelta(hours=1))
    for each in differences:
        await repairs.add(each)
    await repairs.publish()
    return recorded


async def test_a_revoked_badge_that_was_put_back_from_a_backup_as_good_is_revoked_again(world: World) -> None:
    backed_up, other = await credentials(world, 2)
    outgoing = await closing(world).handle([command(backed_up)])
    await tick(world)
    revoked = await world.database["credentials"].find_one({"_id": backed_up["_id"]})
    await world.database["credentials"].replace_one({"_id": backed_up["_id"]}, backed_up)
    await world.database["status_lists"].update_one({"_id": LIST}, {"$set": {"bits": StatusList().encode()}})
    await closing(world).handle([command(other)])
    assert backed_up["status_index"] not in await tick(world)

    (ended,) = [each.event for each in outgoing if isinstance(each.event, CredentialDocument)]
    (found,) = await world.credentials.lacking([SEALING.open(ended)])
    assert found.revocation is not None
    with TopicIndex() as index:
        index.note(ended.topic.name, [(ended.key, ended)])
        stands = (await world.credentials.by_ids([backed_up["_id"]]))[backed_up["_id"]]
        difference = index.taken_back(Announcer(URLS, SEALING).document(stands, "").event)
        assert difference is not None
        assert (difference.check, difference.repair) == ("topics_exceed", ()), "what is good is not published over it"
        assert await repaired(world, difference)
        assert await world.database["credentials"].find_one({"_id": backed_up["_id"]}) == revoked
        assert {backed_up["status_index"], other["status_index"]} == await tick(world)
        assert index.taken_back(ended) is None


async def test_a_list_that_lacks_a_revocation_is_published_anew_by_the_repair(world: World) -> None:
    first, _ = await credentials(world, 2)
    await world.database["credentials"].update_one({"_id": first["_id"]}, {"$set": {"state": "revoked"}})
    difference = Difference("revocations_not_shown", str(first["_id"]), status_list=LIST)
    assert len(await repaired(world, difference, difference)) == 1
    assert await tick(world) == {first["status_index"]}
    assert len(world.published_lists) == 1


@pytest.mark.parametrize("how", ["$set", "$unset"])
@pytest.mark.parametrize("field", ["purpose", "epoch", "version", "bits"])
async def test_a_damaged_list_is_made_anew_by_the_repair_with_all_that_was_set_and_is_filled_no_further(
    world: World, field: str, how: str
) -> None:
    first, second, third = await credentials(world, 3)
    for each in (first, second):
        await closing(world).handle([command(each)])
        await tick(world)
    await world.database["credentials"].delete_one({"_id": first["_id"]})
    before = world.published_lists[-1]
    await world.database["status_lists"].update_one({"_id": LIST}, {how: {field: "damaged"}})
    await closing(world).handle([command(third)])
    await world.publication(signer=Encoded()).tick()
    assert world.published_lists[-1] is before
    shown = ShownList.of(LIST, before.epoch, before.version, before.credential)
    assert await repaired(world, Difference("lists_behind", LIST, shown=shown))
    assert await tick(world) == {each["status_index"] for each in (first, second, third)}
    assert world.published_lists[-1].order > before.order
    assert {each.list_id for each in await world.entries().allocate(1)} != {LIST}
    epoch = await world.epochs(lambda: NOW + timedelta(hours=2)).begin_new(0)
    await tick(world)
    last = {each.list_id: each for each in world.published_lists}[LIST]
    assert (last.epoch, first["status_index"] in entries_of(last)) == (epoch, True)


def signed(credential: Document) -> str:
    """Return a text that names the entry of a credential, as signed ones do."""
    entry = {"statusListIndex": str(credential["status_index"]), "statusListCredential": URLS.status_list(LIST)}
    return json.dumps({"credentialStatus": entry})


async def misplaced(world: World, changes: Document) -> tuple[Document, Document]:
    """Return two credentials with texts that name their entries; the first is stored with another one since."""
    first, second = await credentials(world, 2)
    for each in (first, second):
        each["document"] = signed(each)
        await world.database["credentials"].replace_one({"_id": each["_id"]}, each)
        shown = {"_id": each["_id"], "state": "active", "document": each["document"]}
        await world.database["documents"].insert_one(shown)
    await world.database["credentials"].update_one({"_id": first["_id"]}, {"$set": changes})
    return first, second


ELSEWHERE = [{"status_index": 77}, {"status_list": "1-1"}]


async def audited(world: World) -> list[Difference]:
    databases: Any = {"issuer": world.database, "verifier": {"status_lists": world.database["shown_lists"]}}
    databases["verifier"]["documents"] = world.database["documents"]
    found = [each async for each in lists.differences(databases, NOW + timedelta(hours=1), Damage())]
    return [each for each in found if each.check == "entries_differ"]


@pytest.mark.parametrize("ask", [command, take_down])
@pytest.mark.parametrize("changes", ELSEWHERE, ids=str)
async def test_a_credential_that_is_stored_with_another_entry_than_it_names_waits_and_is_closed_as_it_is_repaired(
    world: World, changes: Document, ask: Any
) -> None:
    first, second = await misplaced(world, changes)
    with capture_logs() as logs:
        await closing(world).handle([ask(first), ask(second)])
        assert await tick(world) == {second["status_index"]}
    named = [each["problem"] for each in logs if each.get("document") == str(first["_id"])]
    assert set(named) == {"DamagedFieldError: status_list, status_index"}
    assert await world.database["credentials"].find_one({"_id": first["_id"]}) == {**first, **changes}
    assert [each["credential_id"] for each in await world.stored("waiting_commands")] == [first["_id"]]

    (difference,) = await audited(world)
    assert (difference.what, difference.placed is not None) == (str(first["_id"]), True)
    assert await repaired(world, difference)
    assert await world.database["credentials"].find_one({"_id": first["_id"]}) == first
    assert await audited(world) == []
    await waiting_closing(world).tick()
    assert await tick(world) == {first["status_index"], second["status_index"]}
    assert await world.stored("waiting_commands") == []


async def test_a_text_that_the_verifier_does_not_show_repairs_no_entry(world: World) -> None:
    first, _ = await misplaced(world, {"status_index": 77})
    await world.database["documents"].update_one({"_id": first["_id"]}, {"$set": {"document": "{}"}})
    (difference,) = await audited(world)
    assert difference.placed is None


async def test_an_entry_that_another_credential_has_is_not_taken_from_it(world: World) -> None:
    first, second = await misplaced(world, {"status_index": 77})
    await world.database["credentials"].update_one(
        {"_id": second["_id"]}, {"$set": {"status_index": first["status_index"]}}
    )
    differences = await audited(world)
    await repaired(world, *[each for each in differences if each.what == str(first["_id"])])
    assert len(await audited(world)) == 2
    await repaired(world, *[each for each in differences if each.what == str(second["_id"])])
    await repaired(world, *await audited(world))
    assert await audited(world) == []


@pytest.mark.parametrize("changes", ELSEWHERE, ids=str)
async def test_what_was_revoked_and_is_stored_with_another_entry_sets_none_of_another_badge(
    world: World, changes: Document
) -> None:
    first, second = await misplaced(world, {})
    await closing(world).handle([command(first)])
    await tick(world)
    await world.database["credentials"].update_one({"_id": first["_id"]}, {"$set": changes})
    await closing(world).handle([command(second)])
    assert await tick(world) == {first["status_index"], second["status_index"]}


async def test_an_entry_that_is_set_is_given_to_nobody(world: World) -> None:
    await world.entries().allocate(1)
    every = [each.index for each in await world.entries().allocate(512)]
    await world.database["status_lists"].update_one({"_id": LIST}, {"$set": {"next": 256}})
    await StatusListRepository(world.database).keep_set(LIST, every[:2])
    again = [each.index for each in await world.entries().allocate(512)]
    assert not {*every[:2]} & {*again}
    assert again[:510] == every[2:]


async def test_an_entry_that_a_damaged_credential_has_taken_goes_to_no_other(world: World) -> None:
    worker = world.worker()
    await worker.handle(received([evidence(1)]))
    (first,) = await world.stored("credentials")
    await worker.handle(received([evidence(2, learner="s2")]))
    last = next(each for each in await world.stored("credentials") if each["_id"] != first["_id"])
    await world.database["credentials"].delete_one({"_id": last["_id"]})
    await world.database["credentials"].update_one(
        {"_id": first["_id"]}, {"$set": {"status_index": last["status_index"]}}
    )
    await world.database["status_lists"].update_one({"_id": LIST}, {"$set": {"next": 1}})
    await world.worker().handle(received([evidence(3, learner="s3")]))
    await world.worker().handle(received([evidence(3, learner="s3")]))
    given = [each["status_index"] for each in await world.stored("credentials")]
    assert len(given) == len(set(given)) == 2
