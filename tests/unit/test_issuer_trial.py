"""Nothing is published that could not be signed, and nothing that was published stops evidence from being decided."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from libs.common.errors import InvalidRequestError
from libs.contracts.events import AchievementLevel
from libs.contracts.results import SoloLevel
from services.issuer.catalogue.achievement_api import AchievementRequest
from services.issuer.catalogue.api import IssuerRequest
from services.issuer.catalogue.public_texts import refuse_contact_details, warnings_of
from services.issuer.catalogue.trial import try_achievement, try_issuer
from tests.issuer_doubles import NOW, achievement, issuer

INPUTS = Path(__file__).parents[1] / "inputs"
URL = "https://badges.example/achievements/department/resilience/1"
GOOD: dict[str, Any] = {"id": "resilience", "name": "Resilience", "description": "Goes on.", "criteria": "Seen."}


def test_an_address_that_rdf_cannot_hold_is_written_so_that_it_can() -> None:
    asked = IssuerRequest.model_validate_json((INPUTS / "issuer-address-with-pipe.json").read_bytes())
    assert asked.url == "https://bad.example/?id=3%7Chome"
    try_issuer(issuer("bad-luck").model_copy(update={"url": asked.url}), URL, NOW)


def test_an_issuer_that_no_credential_can_name_is_not_published() -> None:
    with pytest.raises(InvalidRequestError, match="signed"):
        try_issuer(issuer("bad-luck").model_copy(update={"url": "https://bad.example/?id=3|home"}), URL, NOW)


def test_a_control_character_in_an_achievement_is_refused_with_its_place() -> None:
    with pytest.raises(ValidationError, match=r"U\+000B at character 27"):
        AchievementRequest.model_validate(json.loads((INPUTS / "achievement-with-vertical-tab.json").read_bytes()))
    with pytest.raises(InvalidRequestError, match="signed"):
        try_achievement(achievement(description="Goes on.\x0bLearns."), issuer("department"), URL, NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"required_level": "relational", "required_score": 50},
        {"required_level": "relational", "levels": [{"level": "unistructural", "description": "One way."}]},
        {"levels": [{"level": "relational", "description": "A"}, {"level": "relational", "description": "B"}]},
    ],
)
def test_an_achievement_that_nobody_can_earn_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AchievementRequest.model_validate({**GOOD, **wrong})


@pytest.mark.parametrize(
    "rule",
    [{"required_level": SoloLevel.EXTENDED_ABSTRACT}, {"required_level": None, "required_score": 99.5},
     {"required_level": None, "required_score": None}],
)  # fmt: skip
def test_every_result_that_earns_an_achievement_is_tried(rule: dict[str, Any]) -> None:
    try_achievement(achievement(**rule), issuer("department"), URL, NOW)


def test_contact_details_in_an_achievements_texts_are_named_by_field_and_never_repeated() -> None:
    levels = [AchievementLevel(level=SoloLevel.RELATIONAL, name="Ring 0412 345 678", description="Good")]
    version = achievement(criteria="Seen by pike@school.example", levels=levels)
    assert [(each["field"], each["code"]) for each in warnings_of(version)] == [
        ("criteria", "email_in_text"),
        ("levels.relational.name", "telephone_in_text"),
    ]
    assert not any("pike" in each["reason"] or "0412" in each["reason"] for each in warnings_of(version))
    with pytest.raises(InvalidRequestError) as refused:
        refuse_contact_details(version)
    assert refused.value.errors == warnings_of(version)
    refuse_contact_details(achievement())
