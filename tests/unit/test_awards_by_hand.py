"""Awards by hand: decided as all evidence is, but that no rule counts them; and what they leave for other evidence."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from libs.contracts.events import ByHand, EvidenceSubmitted, Outcome
from libs.contracts.reasons import AwardReason
from libs.contracts.results import SoloLevel
from services.evidence.batches.batch import Upload
from services.evidence.batches.chunks import Chunker
from tests.ids import IDS, SUPERSEDING_PROOFS
from tests.issuer_doubles import MemoryDecisions, achievement, evidence, ruled
from tests.unit.test_rule_deciding import CHARACTER, TWO, decided, offering, wit

M, R, E = SoloLevel.MULTISTRUCTURAL, SoloLevel.RELATIONAL, SoloLevel.EXTENDED_ABSTRACT
BY_HAND = ByHand(reason=AwardReason.APPEAL, awarded_by="key:wattle/registry")


def by_hand(row: int, level: SoloLevel = R, **changes: Any) -> EvidenceSubmitted:
    return wit(row, level, by_hand=BY_HAND, **changes)


async def test_what_a_rule_would_count_several_pieces_for_is_awarded_at_once_and_says_what_it_is_made_of() -> None:
    (event,) = await decided([by_hand(1, E)], offering(TWO))
    assert (event.outcome, event.level, event.score) == (Outcome.ISSUED, E, None)
    assert event.counted is not None
    assert event.counted.evidence == (by_hand(1).evidence_id,)


async def test_what_the_achievement_asks_for_at_least_is_asked_by_hand_too() -> None:
    below, score = await decided([by_hand(1, M), by_hand(2, None, score=90)], offering(TWO))  # type: ignore[arg-type]
    assert (below.outcome, below.reason) == (Outcome.NOT_YET, "below_required_level")
    assert (score.outcome, score.reason) == (Outcome.REFUSED, "level_needed")
    plain = achievement("wit", required_level=R)
    (low,) = await decided([by_hand(1, M)], offering(plain))
    assert (low.outcome, low.reason) == (Outcome.NOT_YET, "below_required_level")


async def test_it_counts_with_no_other_evidence_and_is_held_against_what_comes_later() -> None:
    store = MemoryDecisions()
    first, one, two, higher = await decided([by_hand(1), wit(2), wit(3), wit(4, E)], offering(TWO), store)
    assert first.outcome is Outcome.ISSUED
    assert (one.outcome, one.reason) == (Outcome.NOT_YET, "more_evidence_needed")
    assert (two.outcome, two.reason, two.credential_id) == (Outcome.DUPLICATE, "already_awarded", first.credential_id)
    assert higher.outcome is Outcome.DUPLICATE
    kept = (await store.kept([IDS.holding_id(wit(2).learner_id, TWO.key_of_all_versions)])).values()
    assert {piece.source_id for each in kept for piece in each.pieces} == {"e2", "e3", "e4"}


async def test_the_same_award_again_is_one_and_what_it_completes_stacks_on_it() -> None:
    resilience = achievement("resilience", required_level=R)
    catalogue = offering(TWO, resilience, ruled("character", CHARACTER))
    _, last, again = await decided([evidence(1), by_hand(2), by_hand(2)], catalogue)
    assert last == again
    assert last.outcome is Outcome.ISSUED
    (character,) = last.stacked or ()
    assert last.credential_id in character.credentials
    assert character.achievement == "wattle/character/1"


async def test_a_rule_that_names_no_level_awards_none_by_hand() -> None:
    (event,) = await decided([by_hand(1, achievement="character")], offering(ruled("character", CHARACTER)))
    assert (event.outcome, event.level) == (Outcome.ISSUED, None)


def submitted(reason: AwardReason | None, key: str = "award k") -> EvidenceSubmitted:
    hand = None if reason is None else ByHand(reason=reason, awarded_by="key:wattle/registry")
    upload = Upload("wattle", "by-hand", "json", "trace", key, hand)
    fields = {
        "source_id": "a1", "learner_id": "s1", "achievement": "wit", "level": "relational",
        "date": "2026-03-02", "activity": "Riddles",
    }  # fmt: skip
    chunk = Chunker(upload, UUID(int=7), IDS, SUPERSEDING_PROOFS).chunk([(1, fields)], datetime(2026, 3, 9, tzinfo=UTC))
    (event,) = chunk.submissions
    return event


def test_a_row_awarded_by_hand_is_other_content_than_the_row_as_evidence_or_for_another_reason() -> None:
    appeal, other, plain = submitted(AwardReason.APPEAL), submitted(AwardReason.OTHER), submitted(None)
    assert appeal.by_hand is not None
    assert plain.by_hand is None
    assert appeal.evidence_id == other.evidence_id == plain.evidence_id
    assert len({appeal.digest, other.digest, plain.digest}) == 3


def test_under_one_key_all_is_awarded_for_one_reason() -> None:
    hands = [ByHand(reason=each, awarded_by="key:wattle/a") for each in (AwardReason.APPEAL, AwardReason.OTHER)]
    keys = {Upload("wattle", "by-hand", "json", "t", "award k", each).fingerprint_key for each in hands}
    assert len(keys) == 2
    another = ByHand(reason=AwardReason.APPEAL, awarded_by="key:wattle/b")
    assert Upload("wattle", "by-hand", "json", "t", "award k", another).fingerprint_key in keys
