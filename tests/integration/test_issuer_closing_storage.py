"""Revoking and taking down on the real MongoDB: the first holds, and none is lost."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from bowerbird.parked import print_commands
from libs.contracts.events import (
    CredentialDocument,
    CredentialRevoked,
    CredentialTakenDown,
    Event,
    EvidenceDecided,
)
from libs.contracts.reasons import RevocationReason, TakeDownReason
from services.issuer.credentials.requests import ClosingRequest, ClosingRequests, RequestKind
from services.issuer.credentials.waiting_commands import WaitingCommands
from services.issuer.credentials.worker import TooManyWaitError
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.decision import Lack, Reason
from services.issuer.decisions.published import MongoPublishedDecisions
from services.issuer.status.publication import StatusListPublication
from tests.ids import SEALING
from tests.issuer_doubles import NOW, MemoryCatalogue, evidence, issuer, received
from tests.issuer_world import (
    World,
    closing,
    command,
    take_down,
    told,
    waiting_closing,
)

pytestmark = pytest.mark.integration


async def test_of_10_000_concurrent_changes_none_is_lost_and_a_few_publications_hold_them_all(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    published_before = len(world.published_lists)
    copies = [
        {**held, "_id": uuid4(), "holding_id": uuid4(), "status_index": (held["status_index"] + place) % 100_000}
        for place in range(1, 10_000)
    ]
    await world.database["credentials"].insert_many(copies)
    credentials = [held, *copies]
    workers, publishers = [closing(world) for _ in range(4)], [world.publication() for _ in range(3)]
    ended = asyncio.Event()

    async def publish(publisher: StatusListPublication) -> None:
        while not ended.is_set():
            await publisher.tick()

    loops = [asyncio.create_task(publish(each)) for each in publishers]
    batches = [[command(each) for each in credentials[start : start + 50]] for start in range(0, len(credentials), 50)]
    await asyncio.gather(*(workers[number % 4].handle(batch) for number, batch in enumerate(batches)))
    ended.set()
    await asyncio.gather(*loops)
    await publishers[0].tick()
    published = world.published_lists[published_before:]
    assert set(json.loads(published[-1].credential)) == {each["status_index"] for each in credentials}
    assert [each.order for each in published] == sorted(each.order for each in published), "none goes back"
    assert len(published) < len(batches), "changes are joined"
    assert [each["publishing"] for each in await world.stored("status_lists")] == [[]]


async def test_the_first_revocation_holds_and_a_repeat_tells_the_same(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    first = await closing(world).handle([command(held, RevocationReason.WRONG_LEARNER)])
    again = await closing(world).handle([command(held, RevocationReason.OTHER, seconds=60)])
    assert told(first) == told(again)
    (event,) = [each.event for each in first if isinstance(each.event, CredentialRevoked)]
    assert event.reason is RevocationReason.WRONG_LEARNER


@pytest.mark.parametrize("before", [[], ["revoke"]])
async def test_taking_down_revokes_withholds_the_text_and_is_told_again_the_same(
    world: World, before: list[str]
) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    for _ in before:
        await closing(world).handle([command(held, RevocationReason.WRONG_LEARNER)])
    first = await closing(world).handle([take_down(held)])
    again = await closing(world).handle([take_down(held, seconds=60), command(held, seconds=61)])
    assert told(first) == told(again)
    revoked, taken_down, document = (each.event for each in first)
    assert isinstance(revoked, CredentialRevoked)
    assert revoked.reason is (RevocationReason.WRONG_LEARNER if before else RevocationReason.TAKEN_DOWN)
    assert isinstance(taken_down, CredentialTakenDown)
    assert taken_down.reason is TakeDownReason.PERSONAL_DATA
    assert isinstance(document, CredentialDocument)
    assert (document.state, document.document, document.reason) == ("taken_down", None, TakeDownReason.PERSONAL_DATA)
    await world.publication().tick()
    assert json.loads(world.published_lists[-1].credential) == [held["status_index"]]
    again_issued = await world.worker().handle(received([evidence(1)]))
    texts = [each.event for each in [*world.published, *again_issued] if isinstance(each.event, CredentialDocument)]
    assert [each.document is None for each in texts] == [False, True], "redelivery does not bring the text back"


async def test_what_was_taken_down_leaves_no_text_of_it_in_the_store_and_stays_explained(world: World) -> None:
    pieces = [evidence(row, activity="Camp with Kim", link="https://kim.example/", learner=f"s{row}") for row in (1, 2)]
    await world.worker(catalogue=MemoryCatalogue([issuer()], [])).handle(received(pieces))
    lack = Lack("wattle", Reason.UNKNOWN_ACHIEVEMENT, "resilience")
    waiting = await world.decisions.waiting_for([lack], NOW + timedelta(hours=1), 2)
    assert len((await world.worker().reconsider(waiting, NOW)).ended) == 2
    held, other = await world.stored("credentials")
    assert held["sequence"] == other["sequence"] == 2, "the evidence stands in two decisions"
    await closing(world).handle([take_down(held)])
    kept = str([await world.stored(name) for name in await world.database.list_collection_names()])
    assert (kept.count("Camp with Kim"), kept.count("https://kim.example/")) == (2, 2), "the other learner's alone"
    piece = PieceId(held["batch_id"], held["row"])
    (decision,) = (await world.decisions.newest([piece])).values()
    assert (decision.issued_id, decision.evidence.activity, decision.evidence.link) == (held["_id"], "", None)
    (sent,) = [each for each in pieces if each.row == piece.row]
    assert decision.evidence == sent.model_copy(update={"activity": "", "link": None})


async def test_what_was_taken_down_stays_so_in_a_store_that_was_set_back_and_brings_no_text_back(world: World) -> None:
    piece = evidence(1, activity="Camp with Kim", link="https://kim.example/")
    await world.worker().handle(received([piece]))
    (held,) = await world.stored("credentials")
    told_last = [*world.published, *await closing(world).handle([take_down(held)])]
    documents = [each.event for each in told_last if isinstance(each.event, CredentialDocument)]
    decided = [each.event for each in told_last if isinstance(each.event, EvidenceDecided)]
    for collection in ("credentials", "decisions"):
        await world.database[collection].delete_many({})
    published = MongoPublishedDecisions(world.database, world.decisions.recorded)
    contradicting = await world.credentials.adopt([SEALING.open(each) for each in documents])
    await world.credentials.adopt(contradicting)
    await published.adopt(decided)
    await world.worker().handle(received([piece]))
    (credential,) = await world.stored("credentials")
    assert (credential["state"], "document" in credential) == ("revoked", False)
    kept = str([await world.stored(name) for name in await world.database.list_collection_names()])
    assert "Camp with Kim" not in kept
    assert "kim.example" not in kept


async def test_of_commands_in_one_batch_the_first_reason_holds_and_each_is_announced_once(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    announced = await closing(world).handle([command(held), take_down(held, 1), command(held, seconds=2)])
    expected: list[type[Event]] = [CredentialRevoked, CredentialTakenDown, CredentialDocument]
    assert [type(each.event) for each in announced] == expected


async def test_what_was_taken_down_can_be_earned_again(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    await closing(world).handle([take_down(held)])
    await world.worker().handle(received([evidence(2)]))
    assert sorted(each["state"] for each in await world.stored("credentials")) == ["active", "revoked"]


async def test_a_command_before_its_credential_is_kept_and_revokes_it_once_it_is_here(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    for each in ("credentials", "decisions"):
        await world.database[each].delete_many({})
    world.published.clear()
    early = [command(held, RevocationReason.WRONG_LEARNER), take_down(held, 1), command(held, seconds=2)]
    for asked in early:
        assert await closing(world).handle([asked]) == []
    await waiting_closing(world).tick()
    assert sorted(each["kind"] for each in await world.stored("waiting_commands")) == ["revoke", "take_down"]
    await world.worker().handle(received([evidence(1)]))
    (again,) = await world.stored("credentials")
    assert again["_id"] == held["_id"]
    for _ in range(2):
        await waiting_closing(world).tick()
        await world.publication().tick()
    (ended,) = await world.stored("credentials")
    assert (ended["state"], ended["revocation_reason"], "document" in ended) == ("revoked", "wrong_learner", False)
    assert ended["revoked_at"] == NOW
    assert json.loads(world.published_lists[-1].credential) == [again["status_index"]]
    closings = [each.event for each in world.published if isinstance(each.event, CredentialRevoked)]
    assert len(closings) == 1, "told once"
    assert await world.stored("waiting_commands") == []
    assert await closing(world).handle(early) != [], "again: the same, and nothing waits"
    assert await world.stored("waiting_commands") == []


async def test_commands_that_wait_are_read_in_pages_listed_and_bounded(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [{"_id": uuid4(), "issuer_id": "wattle"} for _ in range(4)]
    await closing(world).handle([command(each) for each in others[:3]])
    with pytest.raises(TooManyWaitError):
        await closing(world).handle([command(others[3])])
    store = WaitingCommands(world.database)
    first, after = await store.page("", 2)
    rest, end = await store.page(after, 2)
    assert (after, end) == (first[-1].key, "")
    assert [each.key for each in [*first, *rest]] == sorted(f"{each['_id']}/revoke/wattle" for each in others[:3])
    assert (await store.count(), await store.oldest()) == (3, NOW)
    assert await print_commands(world.database) == 3
    assert f"wattle: to revoke {others[0]['_id']}, which is not here, waits since" in capsys.readouterr().out
    await waiting_closing(world, lambda: NOW + timedelta(days=15)).tick()
    assert (await store.count(), await store.oldest()) == (0, None)


async def test_another_tenant_cannot_revoke(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    assert await closing(world).handle([command({**held, "issuer_id": "banksia"})]) == []
    assert (await world.stored("credentials"))[0]["state"] == "active"


async def test_words_beside_a_closing_end_after_their_life_who_asked_stays_and_what_is_lost_comes_back(
    world: World,
) -> None:
    requests = ClosingRequests(world.database)
    kept = [
        ClosingRequest(
            request_id=uuid4(),
            issuer_id="oak",
            credential_id=uuid4(),
            kind=RequestKind.REVOKE,
            principal="key:oak/office",
            key="0123456789abcdef",
            reason="wrong_learner",
            note="The row above.",
            requested_at=NOW - timedelta(days=days),
        )
        for days in (9, 8, 1)
    ]
    for each in kept:
        await requests.keep(each)
    ids = [each.request_id for each in kept]
    before = NOW - timedelta(days=2)
    assert await requests.oldest_note() == NOW - timedelta(days=9)
    assert await requests.remove_notes(before, 1) == 1
    assert await requests.oldest_note() == NOW - timedelta(days=8)
    assert await requests.remove_notes(before, 10) == 1
    assert await requests.remove_notes(before, 10) == 0
    expected = [replace(kept[0], note=None), replace(kept[1], note=None), kept[2]]
    lost = replace(kept[2], request_id=uuid4())
    await requests.keep_missing([*kept, lost])
    assert await requests.of_issuer("oak", [lost.request_id]) == {lost.request_id: lost}
    assert await requests.of_issuer("oak", ids) == {each.request_id: each for each in expected}
    assert await requests.of_issuer("elm", ids) == {}
