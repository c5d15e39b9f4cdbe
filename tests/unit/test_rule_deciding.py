"""Deciding by rules that count evidence together, and by what is held: one award, whatever comes first."""

import itertools
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import AchievementPublished, CredentialIssued, EvidenceDecided, EvidenceSubmitted, Outcome
from libs.contracts.results import SoloLevel
from services.issuer.credentials.hindrance import Hindrance
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.context import DecisionContext, stacking_of
from services.issuer.decisions.decision import Decision, Reason
from services.issuer.decisions.kept import MOST_KEPT, Kept, KeptPiece
from services.issuer.decisions.rules import decide
from tests.ids import IDS
from tests.issuer_doubles import (
    MemoryCatalogue,
    MemoryDecisions,
    MemoryPublished,
    PlainSigner,
    achievement,
    counted_together,
    evidence,
    issuer,
    received,
    ruled,
)
from tests.unit.test_issuer_awarding import awarding

M, R, E = SoloLevel.MULTISTRUCTURAL, SoloLevel.RELATIONAL, SoloLevel.EXTENDED_ABSTRACT
TWO = ruled("wit", {"type": "evidence", "level": "relational", "activities": 2})
HELD = {"type": "holds", "achievement": "wattle/wit"}
CHARACTER = {"type": "all", "of": [{"type": "holds", "achievement": "wattle/resilience"}, HELD]}


def offering(*versions: AchievementPublished) -> MemoryCatalogue:
    return MemoryCatalogue([issuer()], list(versions))


def wit(row: int, level: SoloLevel = R, **changes: Any) -> EvidenceSubmitted:
    return evidence(row, level, **({"achievement": "wit", "activity": f"Riddle {row}"} | changes))


async def decided(
    pieces: Sequence[EvidenceSubmitted], catalogue: MemoryCatalogue, store: MemoryDecisions | None = None
) -> list[EvidenceDecided]:
    """Decide piece by piece; return the newest announcement about each."""
    published: list[Outgoing] = []
    worker = awarding(store or MemoryDecisions(), published, catalogue)
    for each in pieces:
        published += await worker.handle(received([each]))
    return [each.event for each in published if isinstance(each.event, EvidenceDecided)]


async def test_the_piece_that_meets_the_rule_earns_the_award_and_earlier_ones_say_what_is_missing() -> None:
    first, same, last, more = await decided([wit(1), wit(2, activity="riddle  1"), wit(3), wit(4, M)], offering(TWO))
    assert (first.outcome, first.reason) == (Outcome.NOT_YET, "more_evidence_needed")
    missing = "Still missing: one more piece of evidence at relational or above in another activity."
    assert first.detail == same.detail == f"It is kept and counts; this achievement asks for more together. {missing}"
    assert (last.outcome, last.level, last.score) == (Outcome.ISSUED, R, None)
    assert last.counted is not None
    assert set(last.counted.evidence) == {wit(1).evidence_id, wit(3).evidence_id}
    assert (more.outcome, more.reason, more.credential_id) == (
        Outcome.DUPLICATE, "already_awarded", last.credential_id,
    )  # fmt: skip


async def test_a_higher_level_is_the_next_award_and_lower_evidence_is_already_above() -> None:
    events = await decided([wit(1), wit(2), wit(3, E), wit(4, E), wit(5)], offering(TWO))
    assert [(each.outcome, each.reason, each.level) for each in events[1:]] == [
        (Outcome.ISSUED, None, R),
        (Outcome.DUPLICATE, "already_awarded", None),
        (Outcome.ISSUED, None, E),
        (Outcome.DUPLICATE, "already_awarded", None),
    ]
    store = MemoryDecisions()
    higher = await decided([wit(3, E), wit(4, E)], offering(TWO), store)
    assert higher[-1].credential_id == events[3].credential_id


async def test_the_same_evidence_sent_again_counts_once() -> None:
    events = await decided([wit(1, source_id="x"), wit(2, source_id="x", activity="Riddle 1")], offering(TWO))
    assert [each.outcome for each in events] == [Outcome.NOT_YET, Outcome.DUPLICATE]
    assert events[1].reason == "sent_before"


async def test_evidence_that_no_condition_can_count_is_refused_and_keeps_nothing() -> None:
    store = MemoryDecisions()
    (event,) = await decided([evidence(1, None, score=80, achievement="wit")], offering(TWO), store)
    assert (event.outcome, event.reason) == (Outcome.REFUSED, "level_needed")
    assert not store.kept_evidence


async def test_what_a_revoked_award_was_made_of_counts_for_no_other() -> None:
    store, catalogue = MemoryDecisions(), offering(TWO)
    *_, issued = await decided([wit(1), wit(2)], catalogue, store)
    assert issued.credential_id is not None
    store.credentials.revoke(issued.credential_id)
    third, fourth = await decided([wit(3), wit(4)], catalogue, store)
    assert (third.outcome, fourth.outcome) == (Outcome.NOT_YET, Outcome.ISSUED)
    assert fourth.credential_id != issued.credential_id


async def test_an_achievement_that_asks_for_others_awards_itself_in_any_order_once_three_layers_deep() -> None:
    catalogue = offering(achievement(), *counted_together())
    sent = [evidence(1), wit(2), wit(3)]
    given: set[frozenset[object]] = set()
    for order in itertools.permutations(sent):
        store = MemoryDecisions()
        events = await decided([*order, evidence(4, E)], catalogue, store)
        assert len(store.credentials.stored) == 5, "resilience twice, wit, character, diploma"
        last = events[2]
        assert last.stacked is not None
        assert [each.achievement for each in last.stacked] == ["wattle/character/1", "wattle/diploma/1"]
        assert [each.stacked for each in (*events[:2], events[3])] == [None, None, None]
        given.add(frozenset(store.credentials.stored))
        (diploma,) = (each for each in store.credentials.stored.values() if "diploma" in each.achievement)
        assert diploma.decision_id.piece == PieceId(order[2].batch_id, order[2].row)
    assert len(given) == 1, "other credentials in another order"


async def test_all_that_a_piece_earns_is_announced_and_announced_again_alike() -> None:
    catalogue, store = offering(achievement(), *counted_together()), MemoryDecisions()
    await decided([wit(1), wit(2)], catalogue, store)
    first, again = list[Outgoing](), list[Outgoing]()
    first += await awarding(store, first, catalogue).handle(received([evidence(3)]))
    again += await awarding(store, again, catalogue).handle(received([evidence(3)]))
    issued = [each.event.achievement for each in first if isinstance(each.event, CredentialIssued)]
    assert issued == ["wattle/resilience/1", "wattle/character/1", "wattle/diploma/1"]
    assert [each.event for each in first] == [each.event for each in again]


async def test_evidence_counts_with_what_is_held_whichever_comes_first() -> None:
    both = {"type": "all", "of": [{"type": "evidence", "level": "relational"}, HELD]}
    catalogue = offering(TWO, ruled("bard", both))
    bard = evidence(9, achievement="bard")
    first = await decided([bard, wit(1), wit(2)], catalogue)
    assert first[0].detail is not None and first[0].detail.endswith("Still missing: wit, to be held.")
    assert first[2].stacked is not None
    (stacked,) = first[2].stacked
    last = (await decided([wit(1), wit(2), bard], catalogue))[2]
    assert (last.outcome, last.credential_id, last.level) == (Outcome.ISSUED, stacked.credential_id, R)


async def test_two_awards_at_once_each_of_which_lacks_the_other_are_decided_one_after_the_other() -> None:
    catalogue, store = offering(achievement(), *counted_together()), MemoryDecisions()
    await decided([wit(1)], catalogue, store)

    class Interrupted(MemoryDecisions):
        async def record(self, decisions: Sequence[Decision], *parts: Any) -> bool:
            turns.append(len(decisions))
            if len(turns) == 1:
                await decided([wit(2)], catalogue, store)
            return await store.record(decisions, *parts)

        async def kept(self, holding_ids: Any) -> dict[UUID, Kept]:
            return await store.kept(holding_ids)

    turns: list[int] = []
    interrupted = Interrupted(store.credentials)
    await awarding(interrupted, None, catalogue).handle(received([evidence(3)]))
    assert turns == [1, 1], "the first attempt knew nothing of the other award, and was refused"
    assert {each.achievement for each in store.credentials.stored.values()} == {
        "wattle/resilience/1", "wattle/wit/1", "wattle/character/1", "wattle/diploma/1",
    }  # fmt: skip


async def test_what_was_published_is_recorded_as_it_was_also_where_evidence_is_kept_meanwhile() -> None:
    catalogue, first = offering(TWO), MemoryDecisions()
    published = await decided([wit(1), wit(2)], catalogue, first)

    class Interrupted(MemoryDecisions):
        interrupted = False

        async def kept(self, holding_ids: Any) -> dict[UUID, Kept]:
            read = await super().kept(holding_ids)
            if not self.interrupted:
                self.interrupted = True
                await decided([wit(3)], catalogue, self)
            return read

    store = Interrupted(first.credentials)
    told = MemoryPublished(published)
    # The rule would be met by the first piece now.
    await awarding(store, None, catalogue, told=told).handle(received([wit(1), wit(2)]))
    outcomes = {key.row: (each.outcome, each.counted) for key, each in store.stored.items() if key.row < 3}
    assert outcomes == {row: (each.outcome, each.counted) for row, each in enumerate(published, 1)}
    (kept,) = store.kept_evidence.values()
    assert len(kept.pieces) == 3


async def test_what_would_follow_and_cannot_be_signed_is_waited_for() -> None:
    class Hindering(PlainSigner):
        async def hindrances(self, versions: Any, issuers: Any) -> Any:
            return {pair: Hindrance.ACHIEVEMENT_UNUSABLE for pair in versions if pair[1] == "diploma"}

    store = MemoryDecisions()
    catalogue = offering(achievement(), *counted_together())
    await awarding(store, None, catalogue, signer=Hindering()).handle(received([evidence(1)]))
    (held,) = store.stored.values()
    assert (held.outcome, held.reason) == (Outcome.WAITING, Reason.ACHIEVEMENT_UNUSABLE)


async def test_deciding_without_rules_asks_for_nothing_and_stores_nothing_of_them() -> None:
    class Watching(MemoryDecisions):
        async def kept(self, holding_ids: Any) -> dict[UUID, Kept]:
            assert not holding_ids
            return {}

    store = Watching()
    await awarding(store, None, offering(achievement(), TWO)).handle(received([evidence(1)]))
    assert not store.kept_evidence


def test_of_too_much_evidence_the_best_is_kept_whatever_came_first() -> None:
    pieces = [
        KeptPiece.of(wit(row, level, observed_on=date(2026, 1, 1 + row % 28)), IDS)
        for row, level in enumerate(list(SoloLevel) * 30, 1)
    ]
    kept = Kept(UUID(int=1), "wattle", UUID(int=2), "wattle/wit")
    forward, backward = kept, kept
    for each in pieces:
        forward = forward.with_piece(each).with_piece(each)
    for each in reversed(pieces):
        backward = backward.with_piece(each)
    assert forward == backward
    assert len(forward.pieces) == MOST_KEPT
    assert sum(1 for each in forward.pieces if each.level is E) == 30


drawn = st.lists(
    st.tuples(
        st.sampled_from(["resilience", "wit", "wit", "bard"]),
        st.sampled_from(SoloLevel),
        st.integers(1, 3),
        st.sampled_from(["T1", "T2"]),
    ),
    min_size=1,
    max_size=9,
)
OFFERED = {
    ("wattle", each.achievement_id): each
    for each in (
        achievement(),
        ruled("wit", {"type": "evidence", "level": "multistructural", "activities": 2, "within": "term"}),
        ruled(
            "bard",
            {"type": "any", "of": [{"type": "evidence", "count": 2}, {"type": "holds", "achievement": "wattle/wit"}]},
        ),
        ruled("character", CHARACTER),
    )
}


def standing(pieces: Sequence[EvidenceSubmitted]) -> dict[UUID, UUID]:
    """Return the highest credential under each holding, once these are decided in this order."""
    context = DecisionContext(
        ids=IDS, issuers={"wattle"}, achievements=OFFERED, owners={}, holdings={}, stacking=stacking_of(OFFERED)
    )
    decide(pieces, context)
    return {
        holding_id: max(awards, key=lambda each: -1 if each.level is None else each.level.rank).credential_id
        for holding_id, awards in context.holdings.items()
        if awards
    }


@settings(deadline=None)
@given(content=drawn, random=st.randoms(use_true_random=False))
def test_in_any_order_and_however_often_the_same_evidence_comes_to_the_same_awards(
    content: list[tuple[str, SoloLevel, int, str]], random: Any
) -> None:
    pieces = [
        evidence(row, level, achievement=name, activity=f"a{activity}", term=term)
        for row, (name, level, activity, term) in enumerate(content, 1)
    ]
    once = standing(pieces)
    again = [*pieces, *(sent_again(each, 100 + each.row) for each in pieces)]
    random.shuffle(again)
    assert standing(again) == once


def sent_again(piece: EvidenceSubmitted, row: int) -> EvidenceSubmitted:
    """The same evidence in another row."""
    other = evidence(row)
    return piece.model_copy(update={"row": row, "submission_id": other.submission_id})
