"""Ids depend on their inputs and on nothing else; levels have an order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.contracts import ids
from libs.contracts.results import Result, SoloLevel

slug = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-._", min_size=1, max_size=20)


@given(slug, slug, slug, slug)
def test_different_inputs_give_different_learners(issuer: str, local: str, other_issuer: str, other_local: str) -> None:
    same_inputs = (issuer, local) == (other_issuer, other_local)
    assert (ids.learner_id(issuer, local) == ids.learner_id(other_issuer, other_local)) == same_inputs


def test_the_ids_of_today_are_the_ids_of_tomorrow() -> None:
    assert str(ids.learner_id("northside", "S-1001")) == "3e0e2515-866f-5cad-bf04-6d41dc63fe57"
    assert str(ids.event_id("bowerbird.credential.issued.v1", "x")) == "0ad40b4d-22ff-526f-88b7-32ae326dece7"


def test_the_levels_stand_in_the_order_of_the_taxonomy() -> None:
    assert [level.rank for level in SoloLevel] == [0, 1, 2, 3, 4]
    assert SoloLevel.EXTENDED_ABSTRACT.label == "Extended abstract"


@pytest.mark.parametrize("text", ["Extended abstract", "extended-abstract", " EXTENDED_ABSTRACT "])
def test_a_level_is_read_as_people_write_it(text: str) -> None:
    assert SoloLevel.parse(text) is SoloLevel.EXTENDED_ABSTRACT


@pytest.mark.parametrize("wrong", [{}, {"level": "relational", "score": 3}, {"score": 101}, {"score": float("nan")}])
def test_a_result_is_either_a_level_or_a_score_in_range(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Result.model_validate(wrong)
