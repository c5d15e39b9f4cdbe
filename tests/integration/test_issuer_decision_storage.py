"""Decisions on the real MongoDB: all or nothing, one award, whatever is killed, repeated or done at once."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pymongo.errors import DuplicateKeyError, OperationFailure

from libs.common import mongo
from libs.common.errors import NotFoundError
from libs.contracts import ids
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import (
    Counted,
    CredentialDocument,
    CredentialIssued,
    EvidenceDecided,
    EvidenceSubmitted,
    Outcome,
    ReconsiderHolding,
    StatusListPublished,
)
from libs.contracts.reasons import RevocationReason
from libs.contracts.results import Result, SoloLevel
from services.issuer.credentials.award import HeldAward
from services.issuer.credentials.credential import Credential, CredentialState, Revocation
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.api import answer_of
from services.issuer.decisions.context import Owner
from services.issuer.decisions.decision import Changes, Decision, Lack, Parked, Reason, Waiting
from services.issuer.decisions.explaining import Explanations
from services.issuer.decisions.holdings import Sweeps
from services.issuer.decisions.kept import Kept, KeptPiece
from services.issuer.decisions.learner_events import LearnerEvents
from services.issuer.decisions.published import MongoPublishedDecisions
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.decisions.waiting import WaitingEvidence
from services.issuer.decisions.worker import Awarding
from services.issuer.status.entry import StatusEntry
from tests.ids import IDS, PROOFS, event_id
from tests.issuer_doubles import (
    NOW,
    TRACE,
    MemoryCatalogue,
    MemoryCredentials,
    MemoryDecisions,
    achievement,
    counted_together,
    event_ids,
    evidence,
    issuer,
    received,
    ruled,
)
from tests.issuer_world import (
    KilledError,
    World,
    closing,
    command,
    school_week,
    ticking,
    told,
)

pytestmark = pytest.mark.integration

UNKNOWN = Reason.UNKNOWN_ACHIEVEMENT


def offered() -> MemoryCatalogue:
    """One achievement that each piece earns by itself, one of which two count together, and two above them."""
    return MemoryCatalogue([issuer()], [achievement(), *counted_together()])


class DiesAfter:
    """A worker that is killed right after one numbered step of `Awarding.handle`."""

    def __init__(self, world: World, step: int) -> None:
        self._world, self._step = world, step

    async def handle(self, batch: Sequence[Received[EvidenceSubmitted]]) -> None:
        step, entries = self._step, self._world.entries()

        class Decisions(MongoDecisions):
            async def owners(self, evidence_ids: Any) -> Any:
                _die(step == 1, None)
                return await super().owners(evidence_ids)

            async def record(self, *parts: Any) -> bool:
                _die(step == 4, None)
                return bool(_die(step == 5, await super().record(*parts)))

        class Credentials(MongoCredentials):
            async def holdings(self, holding_ids: Any) -> Any:
                found = await super().holdings(holding_ids)
                return _die(step == 2, found)

        class StatusEntries:
            async def allocate(self, count: int) -> list[StatusEntry]:
                _die(step == 3, None)
                return await entries.allocate(count)

        credentials = Credentials(self._world.database)
        worker = self._world.worker(
            decisions=Decisions(self._world.client, self._world.database, credentials),
            credentials=credentials,
            entries=StatusEntries(),
            catalogue=offered(),
        )
        await worker.handle(batch)
        raise KilledError  # step 6: returned, and neither published nor committed


def _die(here: bool, value: Any) -> Any:
    if here:
        raise KilledError
    return value


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
async def test_killed_after_any_step_the_next_worker_ends_in_the_same_decisions(world: World, step: int) -> None:
    counting = [evidence(100 + row, learner=f"s{row // 2}", achievement="wit") for row in range(16)]
    batch = received([*school_week(), *counting])
    with pytest.raises(KilledError):
        await DiesAfter(world, step).handle(batch)
    recorded = await world.stored("decisions")
    assert len(recorded) == (len(batch) if step >= 5 else 0), "a part of a batch is visible"

    assert len(await world.stored("kept_evidence")) == (24 if step >= 5 else 0)

    first = await world.worker(catalogue=offered()).handle(batch)
    again = await world.worker(catalogue=offered()).handle(batch)

    decisions = await world.stored("decisions")
    outcomes = [(each["outcome"], each.get("reason")) for each in decisions]
    assert outcomes == 8 * [
        ("issued", None),
        ("duplicate", "sent_before"),
        ("duplicate", "already_awarded"),
        ("issued", None),
        ("not_yet", "below_required_level"),
    ] + 8 * [("not_yet", "more_evidence_needed"), ("issued", None)]
    assert [len(each["stacked"]) for each in decisions if "stacked" in each] == [2] * 8
    assert len(await world.stored("credentials")) == 40
    assert {each["version"] for each in await world.stored("kept_evidence")} == {1}
    everything = [each.event for each in [*world.published, *first, *again]]
    counted = {
        kind: len({each.model_dump_json() for each in everything if isinstance(each, kind)})
        for kind in (EvidenceDecided, CredentialIssued, CredentialDocument)
    }
    assert counted == {EvidenceDecided: 56, CredentialIssued: 40, CredentialDocument: 40}


async def test_redelivery_publishes_the_same_ids_and_bytes(world: World) -> None:
    batch = received(school_week(3))

    async def published() -> list[Outgoing]:
        world.published.clear()
        rest = await world.worker().handle(batch)
        return [each for each in [*world.published, *rest] if not isinstance(each.event, StatusListPublished)]

    first, second = await published(), await published()
    assert event_ids(first) == event_ids(second)
    assert told(first) == told(second)


async def as_the_loop_does(worker: Awarding | LearnerEvents, batch: Sequence[Received[Any]]) -> Sequence[Outgoing]:
    """A batch whose write met another worker's in flight is done again, as the consumer loop does it."""
    while True:
        try:
            return await worker.handle(batch)
        except OperationFailure as error:
            assert not mongo.is_permanent(error)
            await asyncio.sleep(0.02)


async def test_two_workers_on_the_same_records_agree_and_store_once(world: World) -> None:
    batch = received(school_week())
    answers = await asyncio.gather(
        *(as_the_loop_does(world.worker(), some) for some in (batch, batch[:13], batch[:29]))
    )
    assert len(await world.stored("decisions")) == 40
    assert len(await world.stored("credentials")) == 16
    contents: dict[object, set[str]] = {}
    for each in [*world.published, *(out for answer in answers for out in answer)]:
        if not isinstance(each.event, StatusListPublished):
            contents.setdefault(event_id(each.event), set()).add(each.event.model_dump_json())
    assert {len(each) for each in contents.values()} == {1}, "one event id, two contents"


async def test_workers_that_know_different_versions_leave_no_credential_without_its_decision(world: World) -> None:
    strict = MemoryCatalogue([issuer()], [achievement(version=2, required_level=SoloLevel.EXTENDED_ABSTRACT)])
    batch = received([evidence(row, learner=f"s{row}") for row in range(1, 41)])
    for start in range(0, 40, 10):
        some = batch[start : start + 10]
        await asyncio.gather(
            as_the_loop_does(world.worker(), some), as_the_loop_does(world.worker(catalogue=strict), some[:7])
        )
    issued = {each["credential_id"] for each in await world.stored("decisions") if each["outcome"] == "issued"}
    assert {each["_id"] for each in await world.stored("credentials")} == issued
    assert len(await world.stored("decisions")) == 40


@dataclass
class Stores:
    """Decisions and credentials, both in memory or both in MongoDB."""

    decisions: MemoryDecisions | MongoDecisions
    credentials: MemoryCredentials | MongoCredentials


@pytest.fixture(params=["in memory", "MongoDB"])
def either(request: pytest.FixtureRequest, world: World) -> Stores:
    """Both stores: what the unit tests believe of the ones in memory must be true of the real ones."""
    if request.param == "in memory":
        decisions = MemoryDecisions()
        return Stores(decisions, decisions.credentials)
    return Stores(world.decisions, world.credentials)


PIECE = evidence(1, link="https://wattle.example/1", class_id="7B", term="2026-T1", assessor_id=uuid4())


async def filled(world: World, stores: Stores) -> tuple[Decision, Credential]:
    """Stores with one award; its decision and its credential."""
    await world.worker(decisions=stores.decisions, credentials=stores.credentials).handle(received([PIECE]))
    decision = (await stores.decisions.newest([PieceId(PIECE.batch_id, PIECE.row)]))[PIECE.submission_id]
    assert decision.issued_id is not None
    return decision, (await stores.credentials.by_ids([decision.issued_id]))[decision.issued_id]


def of(decision: Decision, row: int, **changes: Any) -> Decision:
    """The same decision on another piece."""
    other = {"row": row, "submission_id": ids.submission_id(decision.evidence.batch_id, row), "evidence_id": uuid4()}
    return replace(decision, evidence=decision.evidence.model_copy(update={**other, **changes}))


async def test_either_store_keeps_a_piece_whole_beside_its_decision_and_a_credential_as_it_was(
    world: World, either: Stores
) -> None:
    decision, credential = await filled(world, either)
    assert decision.evidence == PIECE
    assert (decision.sequence, decision.outcome, decision.owns_evidence) == (1, Outcome.ISSUED, True)
    assert credential.decision_id == decision.decision_id
    assert (credential.level, credential.state, credential.issued_at) == (
        SoloLevel.RELATIONAL,
        CredentialState.ACTIVE,
        decision.decided_at,
    )
    score = of(decision, 2, result=Result(score=87.5), link=None, class_id=None, term=None, assessor_id=None)
    assert await either.decisions.record([score], [], [])
    kept = await either.decisions.newest([score.decision_id.piece])
    assert kept == {score.evidence.submission_id: score}


async def test_either_store_knows_the_owner_of_evidence_and_what_is_held(world: World, either: Stores) -> None:
    decision, credential = await filled(world, either)
    owners = await either.decisions.owners([decision.evidence.evidence_id, uuid4()])
    assert owners == {decision.evidence.evidence_id: Owner(PIECE.submission_id, PIECE.digest, decision.decision_id)}
    held = await either.credentials.holdings([credential.holding_id, uuid4()])
    award = HeldAward(
        credential.credential_id,
        SoloLevel.RELATIONAL,
        active=True,
        piece=credential.decision_id.piece,
        sequence=1,
        issued_at=credential.issued_at,
    )
    assert held == {credential.holding_id: [award]}


async def test_either_store_finds_the_newest_decision_on_a_piece_and_keeps_the_earlier_ones(
    world: World, either: Stores
) -> None:
    first, _ = await filled(world, either)
    later = [
        replace(first, sequence=sequence, outcome=Outcome.REFUSED, reason=reason, owns_evidence=False)
        for sequence, reason in ((2, Reason.LEVEL_NEEDED), (3, Reason.SCORE_NEEDED))
    ]
    unreviewed = of(first, 2)
    assert await either.decisions.record([*later, unreviewed], [], [])
    pieces = [first.decision_id.piece, unreviewed.decision_id.piece, PieceId(uuid4(), 1)]
    newest = await either.decisions.newest(pieces)
    assert newest == {PIECE.submission_id: later[1], unreviewed.evidence.submission_id: unreviewed}
    assert not await either.decisions.record([replace(later[0], reason=None)], [], []), "a sequence is given once"


@pytest.mark.parametrize("broken", ["submission", "evidence", "credential", "business key"])
async def test_either_store_refuses_the_whole_where_one_part_is_there(
    world: World, either: Stores, broken: str
) -> None:
    decision, credential = await filled(world, either)
    other_decision = of(decision, 2)
    other_credential = replace(
        credential, credential_id=uuid4(), holding_id=uuid4(), status=StatusEntry(credential.status.list_id, 3)
    )
    bad_decision = {
        "submission": of(decision, 1),
        "evidence": of(decision, 2, evidence_id=decision.evidence.evidence_id),
    }.get(broken, other_decision)
    bad_credential = {
        "credential": replace(other_credential, credential_id=credential.credential_id),
        "business key": replace(other_credential, holding_id=credential.holding_id),
    }.get(broken, other_credential)
    innocent = of(decision, 3)
    waiting = Waiting(innocent.decision_id.piece, "wattle", "flying", UNKNOWN, NOW, NOW, TRACE)
    assert not await either.decisions.record([innocent, bad_decision], [bad_credential], [waiting])
    assert await either.decisions.newest([innocent.decision_id.piece]) == {}
    assert await either.decisions.count_waiting() == 0
    assert await either.decisions.record([innocent, other_decision], [other_credential], [])


async def test_either_store_lets_evidence_that_owns_nothing_come_again(world: World, either: Stores) -> None:
    decision, _ = await filled(world, either)
    again = of(decision, 2, evidence_id=decision.evidence.evidence_id)
    assert await either.decisions.record([replace(again, owns_evidence=False)], [], [])


async def test_either_store_lists_what_waits_by_what_it_lacks_and_by_its_time(either: Stores) -> None:
    batch_id, store = uuid4(), either.decisions

    def waits(row: int, achievement_id: str, minutes: int) -> Waiting:
        since = NOW + timedelta(minutes=minutes)
        until = since + timedelta(hours=1)
        return Waiting(PieceId(batch_id, row), "wattle", achievement_id, UNKNOWN, since, until, TRACE)

    first, second, third, fourth = waits(1, "b", 2), waits(2, "a", 1), waits(3, "b", 0), waits(4, "c", 3)
    assert await store.record([], [], [first, second, third, fourth])
    a, b, c = (Lack("wattle", UNKNOWN, each) for each in "abc")
    assert await store.lacking("", 2) == [a, b]
    assert await store.lacking(b.text, 9) == [c]
    either_of, later = [b, a], NOW + timedelta(minutes=9)
    assert await store.waiting_for(either_of, later, 2) == [third, second]
    assert await store.waiting_for(either_of, NOW, 2) == [third]
    assert await store.overdue(NOW + timedelta(minutes=61), 9) == [third, second]
    await store.end_waiting([third.piece, PieceId(batch_id, 9)])
    assert await store.overdue(NOW + timedelta(hours=9), 9) == [second, first, fourth]
    assert await store.count_waiting() == 3
    await store.put_off(second, NOW + timedelta(hours=3))
    assert await store.waiting_for(either_of, later, 2) == [first]
    assert await store.overdue(NOW + timedelta(hours=9), 9) == [
        first,
        fourth,
        replace(second, since=NOW + timedelta(hours=3), until=NOW + timedelta(hours=3)),
    ]


async def test_either_store_notes_what_a_piece_waits_for_by_now_and_lets_what_is_parked_wait_without_end(
    either: Stores,
) -> None:
    store, piece = either.decisions, PieceId(uuid4(), 1)
    waiting = Waiting(piece, "wattle", "a/b", UNKNOWN, NOW, NOW + timedelta(hours=1), TRACE)
    assert await store.record([], [], [waiting])
    parked = replace(waiting, reason=Reason.SIGNING_KEY_MISSING, since=NOW + timedelta(minutes=1), until=None)
    await store.wait_on([parked, replace(parked, piece=PieceId(piece.batch_id, 2))])
    assert await store.lacking("", 9) == [Lack("wattle", Reason.SIGNING_KEY_MISSING, "a/b")]
    assert await store.waiting_for([parked.lack], NOW + timedelta(days=900), 9) == [parked]
    assert await store.overdue(NOW + timedelta(days=900), 9) == []
    await store.put_off(parked, NOW + timedelta(hours=2))
    assert await store.overdue(NOW + timedelta(days=900), 9) == []
    assert await store.waiting_for([parked.lack], NOW + timedelta(hours=1), 9) == []


async def test_what_is_parked_is_counted_by_issuer_and_reason_and_what_was_put_off_is_released(world: World) -> None:
    missing, closed = Reason.SIGNING_KEY_MISSING, Reason.SIGNING_KEY_CLOSED
    batch_id, store = uuid4(), world.decisions
    places = [("wattle", missing), ("wattle", missing), ("wattle", UNKNOWN), ("banksia", closed)]
    waiting = [
        Waiting(PieceId(batch_id, row), name, "a", reason, NOW + timedelta(hours=row), None, TRACE)
        for row, (name, reason) in enumerate(places, start=1)
    ]
    assert await store.record([], [], waiting)
    assert await store.parked() == [
        Parked("wattle", missing, 2, NOW + timedelta(hours=1)),
        Parked("banksia", closed, 1, NOW + timedelta(hours=4)),
    ]
    assert await store.release("wattle", NOW + timedelta(hours=2)) == 1
    assert await store.waiting_for([waiting[2].lack], NOW + timedelta(hours=2), 9) != []
    assert (await store.parked())[1].since == NOW + timedelta(hours=4)


async def test_what_an_earlier_version_stored_of_waiting_evidence_is_read_and_decided(world: World) -> None:
    await world.worker(catalogue=MemoryCatalogue([issuer()], [])).handle(received([evidence(1)]))
    before = {"schema": 1, "lacks": "wattle/resilience"}
    await world.database["waiting"].update_one({}, {"$set": before, "$unset": {"reason": ""}})
    catalogue = MemoryCatalogue([issuer()], [achievement()])
    worker = world.worker(catalogue=catalogue)
    await WaitingEvidence(world.decisions, awarding=worker, catalogue=catalogue, clock=lambda: NOW).tick()
    assert len(await world.stored("credentials")) == 1
    assert await world.stored("waiting") == []


async def test_of_all_that_waits_no_more_is_read_than_is_decided_at_once(world: World) -> None:
    batch_id, until = uuid4(), NOW + timedelta(hours=1)
    waiting = [
        Waiting(PieceId(batch_id, row), f"school-{row % 3}", "resilience", UNKNOWN, NOW, until, TRACE)
        for row in range(1, 61)
    ]
    lacks = [Lack(f"school-{number}", UNKNOWN, "resilience") for number in range(3)]
    assert await world.decisions.record([], [], waiting)
    await world.database.command("profile", 2)
    found = await world.decisions.waiting_for(lacks, NOW, 10)
    await world.database.command("profile", 0)
    assert found == waiting[:10]
    (read,) = await world.database["system.profile"].find({"command.find": "waiting"}).to_list(None)
    assert read["docsExamined"] == 10


async def test_decisions_of_a_batch_stand_beside_each_other_in_the_order_of_its_rows(world: World) -> None:
    batches = sorted([uuid4(), uuid4()])
    pieces = [evidence(row, learner=f"s{row}", batch_id=batch) for row in (300, 2, 70_000) for batch in batches]
    await world.worker().handle(received(pieces))
    stored = [(each["learner_id"], each["evidence_id"]) for each in await world.stored("decisions")]
    in_order = sorted(pieces, key=lambda each: (each.batch_id, each.row))
    assert [learner for learner, _ in stored] == [each.learner_id for each in in_order]


async def test_either_store_keeps_evidence_that_counts_together_and_refuses_whoever_read_it_before(
    world: World, either: Stores
) -> None:
    piece = KeptPiece.of(PIECE, IDS)
    score = piece._replace(evidence_id=uuid4(), level=None, score=62.5, class_id=None, term=None, assessor_id=None)
    counted = Counted(level=SoloLevel.RELATIONAL, evidence=(piece.evidence_id,), credentials=(uuid4(),))
    kept = Kept(uuid4(), "wattle", PIECE.learner_id, "wattle/wit").with_piece(piece).with_piece(score)
    assert await either.decisions.kept([]) == {}
    assert await either.decisions.record([], [], [], [kept])
    (read,) = (await either.decisions.kept([kept.holding_id, uuid4()])).values()
    assert read == replace(kept, version=1)
    assert not await either.decisions.record([], [], [], [kept]), "somebody else was first"
    assert await either.decisions.record([], [], [], [read.with_award(uuid4(), counted)])
    decision, _ = await filled(world, either)
    assert not await either.decisions.record([of(decision, 2)], [], [], [read]), "stored meanwhile"
    assert await either.decisions.newest([PieceId(PIECE.batch_id, 2)]) == {}
    (newest,) = (await either.decisions.kept([kept.holding_id])).values()
    assert (newest.version, newest.pieces, newest.awards[0].counted) == (2, kept.pieces, counted)


async def test_either_store_takes_evidence_from_one_decision_for_another_and_revokes_with_it_or_neither(
    world: World, either: Stores
) -> None:
    first, credential = await filled(world, either)
    gone = replace(first, sequence=2, outcome=Outcome.WITHDRAWN, reason=Reason.CORRECTED, credential_id=None)
    gone = replace(gone, revoked=(credential.credential_id,))
    revocation = Revocation(NOW, RevocationReason.EVIDENCE_WITHDRAWN)
    target = credential.credential_id, credential.issuer_id
    changes = Changes(frozenset({first.decision_id}), {target: revocation})
    assert not await either.decisions.record([gone], [], []), "the piece belongs to its first decision"
    other = replace(credential, credential_id=uuid4(), status=StatusEntry(credential.status.list_id, 3))
    assert not await either.decisions.record([gone, first], [other], [], (), changes), "all of it, or none"
    assert (await either.credentials.by_ids([credential.credential_id]))[credential.credential_id] == credential
    assert await either.decisions.record([gone], [other], [], (), changes), "it takes the place of what is revoked"
    assert await either.decisions.newest([PieceId(PIECE.batch_id, PIECE.row)]) == {PIECE.submission_id: gone}
    owner = Owner(PIECE.submission_id, PIECE.digest, gone.decision_id, withdrawn=True)
    assert await either.decisions.owners([PIECE.evidence_id]) == {PIECE.evidence_id: owner}
    held = {
        each.credential_id: each for each in (await either.credentials.holdings([other.holding_id]))[other.holding_id]
    }
    closed = held[credential.credential_id]
    assert (closed.active, closed.reopened, held[other.credential_id].active) == (False, True, True)
    again = replace(gone, sequence=3, owns_evidence=False)
    assert not await either.decisions.record([again], [], [], (), Changes(revocations={target: revocation}))


async def test_either_store_finds_what_was_held_against_a_credential(world: World, either: Stores) -> None:
    _, credential = await filled(world, either)
    later = [evidence(row, SoloLevel.MULTISTRUCTURAL) for row in (5, 4, 6)]
    await world.worker(decisions=either.decisions, credentials=either.credentials).handle(received(later))
    found = await either.decisions.held_against([credential.credential_id, uuid4()], 2)
    assert found == [PieceId(PIECE.batch_id, 4), PieceId(PIECE.batch_id, 5)]


async def test_awards_at_once_of_which_each_lacks_the_other_are_stacked_upon_by_one_of_them(world: World) -> None:
    learners = [f"s{number}" for number in range(10)]
    first = [evidence(row, learner=name, achievement="wit") for row, name in enumerate(learners, 1)]
    await world.worker(catalogue=offered()).handle(received(first))
    second = [evidence(20 + row, learner=name, achievement="wit") for row, name in enumerate(learners)]
    others = [evidence(40 + row, learner=name) for row, name in enumerate(learners)]
    halves = [pieces[start : start + 5] for pieces in (second, others) for start in (0, 5)]
    await asyncio.gather(*(as_the_loop_does(world.worker(catalogue=offered()), received(pieces)) for pieces in halves))
    names = Counter(each["achievement"].split("/")[1] for each in await world.stored("credentials"))
    assert names == {"resilience": 10, "wit": 10, "character": 10, "diploma": 10}


async def test_an_award_is_explained_by_the_same_bytes_once_everything_was_read_anew(world: World) -> None:
    async def explained() -> list[bytes]:
        explanations = Explanations(
            ids=IDS, catalogue=offered(), decisions=world.decisions, credentials=world.credentials
        )
        wanted = [("wattle", "s1", name) for name in ("wit", "character", "diploma", "resilience")]
        wanted += [("wattle", "s2", name) for name in ("wit", "character")]
        return [answer_of(each[0], await explanations.explain(*each)).model_dump_json().encode() for each in wanted]

    def sent(row: int, name: str) -> EvidenceSubmitted:
        return evidence(row, learner=name, achievement="wit")

    pieces = [
        sent(1, "s1"),
        sent(2, "s2"),
        evidence(3, learner="s1"),
        sent(4, "s1"),
        evidence(5, learner="s2"),
    ]
    for each in pieces:
        await world.publish(await world.worker(catalogue=offered()).handle(received([each])))
    before = await explained()
    issued = [each async for some in world.credentials.everything() for each in some]
    told_of = [each.event for each in world.published if isinstance(each.event, EvidenceDecided)]
    for name in ("decisions", "credentials", "kept_evidence", "waiting"):
        await world.database[name].delete_many({})
    await world.credentials.adopt(issued)
    # The last decision was never published.
    await MongoPublishedDecisions(world.database, world.decisions.recorded).adopt(told_of[:-1])
    await world.worker(catalogue=offered()).handle(received(pieces))
    assert await explained() == before
    with pytest.raises(NotFoundError):
        await Explanations(
            ids=IDS, catalogue=offered(), decisions=world.decisions, credentials=world.credentials
        ).explain("wattle", "s9", "wit")


async def test_a_sweep_awards_what_is_published_above_held_badges_wherever_it_is_killed(world: World) -> None:
    catalogue = MemoryCatalogue([issuer()], [achievement()])
    pieces = [evidence(row, learner=f"s{row}") for row in range(1, 8)]
    await world.worker(catalogue=catalogue).handle(received(pieces))
    diploma = ruled("diploma", {"type": "holds", "achievement": "wattle/resilience"})
    catalogue.versions.append(diploma)
    clock = ticking()
    for _ in range(2):
        await world.sweeps(clock).begin([diploma, achievement("other")])

    async def killed(outgoing: Sequence[Outgoing]) -> None:
        await world.publish(outgoing)
        raise KilledError

    world.published.clear()
    with pytest.raises(KilledError):
        await Sweeps(world.database, credentials=world.credentials, proofs=PROOFS, publish=killed, clock=clock).tick()
    for _ in range(3):
        await world.sweeps(clock).tick()
    asked = [each.event for each in world.published if isinstance(each.event, ReconsiderHolding)]
    assert len(asked) == 14, "the page on which it was killed comes again"
    await world.sweeps(lambda: NOW + timedelta(minutes=5)).tick()
    asked = [each.event for each in world.published if isinstance(each.event, ReconsiderHolding)]
    assert len(asked) == 21, "once more, for what was decided meanwhile"
    (stored,) = await world.stored("sweeps")
    assert (stored["passes"], stored.get("after")) == (0, None)
    await asyncio.gather(
        *(
            as_the_loop_does(world.learner_events(catalogue), [Received(each, each.key, TRACE) for each in some])
            for some in (asked[:7], asked[7:14], asked[14:])
        )
    )
    names = Counter(each["achievement"] for each in await world.stored("credentials"))
    assert names == {"wattle/resilience/1": 7, "wattle/diploma/1": 7}


async def test_evidence_that_waits_is_decided_once_by_several_processes_on_the_real_store(world: World) -> None:
    catalogue = MemoryCatalogue([issuer()], [])
    pieces = [evidence(row, learner=f"s{row}") for row in range(1, 31)]
    await world.worker(catalogue=catalogue).handle(received(pieces))
    assert await world.decisions.count_waiting() == 30
    catalogue.versions.append(achievement())

    async def process() -> None:
        waiting = WaitingEvidence(
            world.decisions, awarding=world.worker(catalogue=catalogue), catalogue=catalogue, clock=lambda: NOW
        )
        while await world.decisions.count_waiting():
            # As the loop of a service does: what met another process's transaction is done again.
            with contextlib.suppress(OperationFailure):
                await waiting.tick()

    await asyncio.gather(*(process() for _ in range(3)))
    assert len(await world.stored("credentials")) == 30
    outcomes = [each["outcome"] for each in await world.stored("decisions")]
    assert outcomes == ["waiting", "issued"] * 30
    decided = {event_id(each.event): each.event for each in world.published if isinstance(each.event, EvidenceDecided)}
    assert [each.sequence for each in decided.values()].count(2) == 30


async def test_no_query_of_issuing_reads_a_collection_from_end_to_end(world: World) -> None:
    catalogue = MemoryCatalogue([issuer()], [])
    waiting = WaitingEvidence(
        world.decisions, awarding=world.worker(catalogue=catalogue), catalogue=catalogue, clock=lambda: NOW
    )
    await world.database.command("profile", 2)
    batch = received([*school_week(3), *(evidence(row, achievement="wit") for row in (101, 102))])
    await world.worker(catalogue=catalogue).handle(batch)
    await waiting.tick()
    catalogue.versions += [achievement(), *counted_together()]
    await waiting.tick()
    await world.worker(catalogue=catalogue).handle(batch)
    held, *_ = await world.stored("credentials")
    await closing(world).handle([command(held)])
    await world.database.command("profile", 0)
    ours = {f"{world.database.name}.{name}" for name in ("decisions", "credentials", "waiting", "kept_evidence")}
    # The test's own look at all credentials is none of the worker's queries.
    profiled = {"ns": {"$in": list(ours)}, "planSummary": {"$exists": True}, "command.filter": {"$ne": {}}}
    plans = {
        (each["ns"].rpartition(".")[2], each["planSummary"].partition(" {")[0])
        async for each in world.database["system.profile"].find(profiled)
    }
    # EOF: of a collection that is not there yet nothing is read.
    by_index = {"EOF", "IXSCAN", "IDHACK", "DISTINCT_SCAN", "COUNT", "RECORD_STORE_FAST_COUNT"}
    assert {plan for _, plan in plans} <= by_index, plans
    assert ("waiting", "DISTINCT_SCAN") in plans, "each name that evidence waits for is read once, however many wait"


async def test_the_database_stops_a_second_active_award_of_one_business_key(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    forged = {**held, "_id": uuid4(), "status_index": held["status_index"] ^ 1}
    with pytest.raises(DuplicateKeyError):
        await world.database["credentials"].insert_one(forged)
    await world.credentials.close({(held["_id"], "wattle"): Revocation(NOW, RevocationReason.OTHER)}, {})
    await world.database["credentials"].insert_one(forged)


async def test_the_open_transaction_of_a_killed_worker_delays_and_is_no_ones_fault(world: World) -> None:
    decision, _ = await filled(world, Stores(world.decisions, world.credentials))
    another = of(decision, 2)
    async with await world.client.start_session() as session:
        session.start_transaction()
        (stored,) = await world.stored("decisions")
        await world.database["decisions"].insert_one(
            {**stored, "_id": b"another", "evidence_id": another.evidence.evidence_id}, session=session
        )
        with pytest.raises(OperationFailure) as caught:
            await world.decisions.record([another], [], [])
        assert not mongo.is_permanent(caught.value), "the consumer waits for what is away, and sets nothing aside"
        await session.abort_transaction()
    assert await world.decisions.record([another], [], [])


async def test_after_a_revocation_the_same_level_can_be_earned_again(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    await closing(world).handle([command(held)])
    await world.worker().handle(received([evidence(2)]))
    states = [each["state"] for each in await world.stored("credentials")]
    assert sorted(states) == ["active", "revoked"]
