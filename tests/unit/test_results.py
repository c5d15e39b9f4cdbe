"""Levels have an order; a result is one of both."""

import pytest
from pydantic import ValidationError

from libs.contracts.results import Result, SoloLevel


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
