"""Whatever shows checks knows all of them: the badge page has words for each, the VC API a problem type."""

from datetime import UTC, datetime

import pytest

from libs.openbadges.verify import CHECKS, PRESENTATION_CHECKS, Check
from services.verifier.pages.badge import BESIDE, CLAIMS, GOOD, REAL, SIGNED_BY
from services.verifier.vc_api.answer import BY_CHECK, problem_of

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def test_the_badge_page_has_words_for_every_check() -> None:
    assert set(CLAIMS) == set(CHECKS)


def test_every_check_answers_one_of_the_pages_questions_or_is_said_to_stand_beside_them() -> None:
    assert {*REAL, *SIGNED_BY, *GOOD, *BESIDE} == set(CHECKS)
    assert not set(BESIDE) & {*REAL, *SIGNED_BY, *GOOD}


def test_the_vc_api_has_a_problem_type_for_every_check() -> None:
    assert set(BY_CHECK) == {*CHECKS, *PRESENTATION_CHECKS}


def test_a_check_without_a_problem_type_is_an_error_and_not_a_wrong_proof() -> None:
    with pytest.raises(KeyError, match="new_check"):
        problem_of(Check("new_check", "fail", "new_code", "It is new.", NOW))
