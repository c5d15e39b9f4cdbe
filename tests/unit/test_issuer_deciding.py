"""The rules of deciding, one fact each."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from libs.contracts.events import AchievementPublished, EvidenceSubmitted, Outcome
from libs.contracts.results import SoloLevel
from services.issuer.credentials.award import HeldAward
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.context import DecisionContext, Owner, RuleOutcome
from services.issuer.decisions.decision import Reason
from services.issuer.decisions.messages import MESSAGES
from services.issuer.decisions.rules import decide
from tests.ids import IDS
from tests.issuer_doubles import NOW, achievement, evidence, some_id

U, M, R, E = (
    SoloLevel.UNISTRUCTURAL,
    SoloLevel.MULTISTRUCTURAL,
    SoloLevel.RELATIONAL,
    SoloLevel.EXTENDED_ABSTRACT,
)

LEARNER = IDS.learner_id("wattle", "s1")
HOLDING = IDS.holding_id(LEARNER, "wattle/resilience")


def known(
    *achievements: AchievementPublished,
    owners: dict[UUID, Owner] | None = None,
    awards: list[HeldAward] | None = None,
    unwritable: set[UUID] | None = None,
    overdue: set[UUID] | None = None,
) -> DecisionContext:
    offered = achievements or (achievement(),)
    return DecisionContext(
        ids=IDS,
        issuers={"wattle"},
        achievements={("wattle", each.achievement_id): each for each in offered},
        owners=owners or {},
        holdings={HOLDING: awards or []},
        unwritable=unwritable or set(),
        overdue=overdue or set(),
    )


def decided(*batch: EvidenceSubmitted, knowing: DecisionContext | None = None) -> list[tuple[Outcome, Reason | None]]:
    return [(each.outcome, each.reason) for each in decide(batch, knowing or known())]


def one(piece: EvidenceSubmitted, knowing: DecisionContext | None = None) -> RuleOutcome:
    return decide([piece], knowing or known())[0]


ISSUED = (Outcome.ISSUED, None)


def test_the_required_level_is_enough() -> None:
    assert decided(evidence(level=M)) == [ISSUED]


def test_a_lower_level_is_not_yet_and_says_so() -> None:
    assert decided(evidence(level=U)) == [(Outcome.NOT_YET, Reason.BELOW_REQUIRED_LEVEL)]


def test_an_achievement_that_requires_nothing_is_earned_at_the_lowest_level() -> None:
    offered = achievement(required_level=None)
    assert decided(evidence(level=SoloLevel.PRESTRUCTURAL), knowing=known(offered)) == [ISSUED]


@pytest.mark.parametrize(("score", "outcome"), [(49.9, Outcome.NOT_YET), (50, Outcome.ISSUED), (100, Outcome.ISSUED)])
def test_a_score_is_held_against_the_required_score(score: float, outcome: Outcome) -> None:
    offered = achievement(required_level=None, required_score=50)
    assert one(evidence(level=None, score=score), known(offered)).outcome is outcome


def test_a_score_cannot_earn_what_asks_for_a_level_nor_the_other_way_round() -> None:
    by_score = achievement(required_level=None, required_score=50)
    assert decided(evidence(level=None, score=90)) == [(Outcome.REFUSED, Reason.LEVEL_NEEDED)]
    assert decided(evidence(), knowing=known(by_score)) == [(Outcome.REFUSED, Reason.SCORE_NEEDED)]


def test_evidence_waits_for_an_issuer_or_achievement_that_is_not_known_and_is_refused_when_its_time_is_over() -> None:
    for piece, reason in (
        (evidence(issuer_id="nobody"), Reason.UNKNOWN_ISSUER),
        (evidence(achievement="flying"), Reason.UNKNOWN_ACHIEVEMENT),
    ):
        assert decided(piece) == [(Outcome.WAITING, reason)]
        assert decided(piece, knowing=known(overdue={piece.submission_id})) == [(Outcome.REFUSED, reason)]


def test_evidence_that_waits_owns_nothing_so_the_same_source_id_may_be_sent_corrected() -> None:
    wrong = evidence(1, source_id="x", achievement="resilence", digest="misspelt")
    assert not one(wrong).owns_evidence
    assert decided(wrong, evidence(2, source_id="x"))[1] == ISSUED


def test_the_same_evidence_sent_again_is_a_duplicate_also_within_one_batch() -> None:
    first, again = evidence(1, source_id="x"), evidence(2, source_id="x")
    assert decided(first, again) == [ISSUED, (Outcome.DUPLICATE, Reason.SENT_BEFORE)]


def test_evidence_that_was_not_enough_is_a_duplicate_when_sent_again() -> None:
    first, again = evidence(1, U, source_id="x"), evidence(2, U, source_id="x")
    assert decided(first, again)[1] == (Outcome.DUPLICATE, Reason.SENT_BEFORE)


def test_other_evidence_under_a_used_source_id_is_refused() -> None:
    owners = {evidence(source_id="x").evidence_id: Owner(some_id("earlier"), "another digest")}
    assert decided(evidence(source_id="x"), knowing=known(owners=owners)) == [
        (Outcome.REFUSED, Reason.SOURCE_ID_REUSED)
    ]


def test_refused_evidence_can_be_corrected_and_sent_again_under_its_source_id() -> None:
    wrong = evidence(1, None, score=80, source_id="x", digest="a score")
    corrected = evidence(2, source_id="x")
    assert decided(wrong, corrected) == [(Outcome.REFUSED, Reason.LEVEL_NEEDED), ISSUED]


def test_the_same_level_is_awarded_once_and_the_duplicate_names_the_award() -> None:
    first, second = decide([evidence(1), evidence(2)], known())
    assert (second.outcome, second.reason) == (Outcome.DUPLICATE, Reason.ALREADY_AWARDED)
    assert second.credential_id == first.credential_id is not None


def test_a_higher_level_is_awarded_beside_the_lower_one() -> None:
    first, second = decide([evidence(1, M), evidence(2, E)], known())
    assert first.outcome is second.outcome is Outcome.ISSUED
    assert first.credential_id != second.credential_id


def test_a_lower_level_than_the_one_held_is_a_duplicate_of_it() -> None:
    first, second = decide([evidence(1, E), evidence(2, M)], known())
    assert (second.outcome, second.reason) == (Outcome.DUPLICATE, Reason.HIGHER_LEVEL_HELD)
    assert second.credential_id == first.credential_id


def test_a_new_version_of_an_achievement_awards_nothing_again() -> None:
    first = one(evidence(1))
    assert first.credential_id is not None
    held = [HeldAward(first.credential_id, R, active=True)]
    second = one(evidence(2), known(achievement(version=2), awards=held))
    assert second.reason is Reason.ALREADY_AWARDED


def test_a_revoked_award_can_be_earned_anew_under_another_id() -> None:
    first = one(evidence(1))
    assert first.credential_id is not None
    revoked = [HeldAward(first.credential_id, R, active=False)]
    second = one(evidence(2), known(awards=revoked))
    assert second.outcome is Outcome.ISSUED
    assert second.credential_id != first.credential_id


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("changes", [{}, {"version": 2, "required_level": E}])
def test_a_piece_whose_credential_was_published_issues_that_one_again(active: bool, changes: dict[str, Any]) -> None:
    published = some_id("published")
    held = [HeldAward(published, R, active, piece=PieceId(evidence(1).batch_id, 1), sequence=1, issued_at=NOW)]
    knowing = known(achievement(**changes), awards=held)
    again, other = decide([evidence(1), evidence(2, E)], knowing)
    assert (again.outcome, again.credential_id, again.award, again.owns_evidence) == (ISSUED[0], published, None, True)
    assert again.decision(1, NOW + timedelta(days=1), None).decided_at == NOW
    assert other.credential_id != published


def test_a_revoked_higher_level_does_not_stand_in_the_way() -> None:
    assert one(evidence(level=M), known(awards=[HeldAward(some_id("e"), E, active=False)])).outcome is Outcome.ISSUED


def test_a_repeatable_achievement_is_awarded_once_for_each_piece_of_evidence() -> None:
    offered = known(achievement(repeatable=True))
    first, second, again = decide([evidence(1), evidence(2), evidence(3, source_id="e1")], offered)
    assert first.outcome is second.outcome is Outcome.ISSUED
    assert first.credential_id != second.credential_id
    assert again.reason is Reason.SENT_BEFORE


def test_no_holding_of_a_repeatable_achievement_grows_with_the_pieces_that_one_learner_has() -> None:
    offered = known(achievement(repeatable=True))
    decide([evidence(number, source_id=f"e{number}") for number in range(1, 101)], offered)
    assert max(len(awards) for awards in offered.holdings.values()) == 1


def test_learners_do_not_share_awards() -> None:
    assert decided(evidence(1), evidence(2, learner="s2")) == [ISSUED, ISSUED]


def test_what_cannot_stand_in_a_credential_is_refused_and_hides_nothing_from_later_evidence() -> None:
    piece, later = evidence(1), evidence(2)
    knowing = known(unwritable={piece.submission_id})
    assert decided(piece, later, knowing=knowing) == [(Outcome.REFUSED, Reason.CANNOT_BE_WRITTEN), ISSUED]


def test_a_decision_names_the_version_and_the_rules_that_made_it() -> None:
    assert one(evidence()).rule_version == "wattle/resilience/1, rules 5"
    assert one(evidence(issuer_id="nobody")).rule_version == "rules 5"


def test_every_reason_has_a_message_for_people() -> None:
    assert MESSAGES.keys() == set(Reason)
