"""What the picture shows is read out of any document, and is what the issuer awarded whatever it calls its levels."""

from typing import Any

import pytest

from libs.contracts.events import AchievementLevel
from libs.contracts.results import SoloLevel
from libs.openbadges.pictures.description import Depiction
from libs.openbadges.pictures.drawing import badge_svg
from libs.openbadges.pictures.raster import badge_png
from services.notifier.catalogue.repository import AchievementText, LevelText
from tests.issuer_doubles import achievement, evidence
from tests.unit.test_issuer_credentials import SCHOOL, issued
from tests.unit.test_notifier_message import email

OWN_NAMES = [AchievementLevel(level=level, name=f"Stage {level.rank}", description="…") for level in SoloLevel]


@pytest.mark.parametrize("level", [SoloLevel.MULTISTRUCTURAL, SoloLevel.EXTENDED_ABSTRACT])
async def test_the_page_and_the_mail_of_one_award_show_the_same_whatever_its_levels_are_called(
    level: SoloLevel,
) -> None:
    version = achievement(levels=OWN_NAMES, name="Going on")
    _, document = await issued(evidence(level=level), version)
    names = {each.level: LevelText(each.name, each.description) for each in OWN_NAMES}
    mailed = email(
        issuer_name=SCHOOL.name, achievement=AchievementText(version.name, version.description, names), level=level
    )
    assert Depiction.of(document) == mailed.depiction
    assert mailed.depiction == Depiction("Going on", SCHOOL.name, level, f"Stage {level.rank}")


async def test_a_score_shows_no_level() -> None:
    version = achievement(required_level=None, required_score=50)
    _, document = await issued(evidence(level=None, score=87), version)
    assert Depiction.of(document) == Depiction(version.name, SCHOOL.name)


ACHIEVED = {"resultDescription": "d", "achievedLevel": "d#4"}


def document(level: dict[str, Any]) -> dict[str, Any]:
    described = [{"id": "d", "rubricCriterionLevel": level}]
    subject = {"achievement": {"name": "Resilience", "resultDescription": described}, "result": ACHIEVED}
    return {"issuer": {"name": "Wattle"}, "credentialSubject": [subject]}


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ({"id": "d#4", "level": "Extended abstract"}, ("extended_abstract", "")),
        ({"id": "d#4", "name": "Extended-Abstract"}, ("extended_abstract", "Extended-Abstract")),
        ({"id": "d#4", "name": "extended abstract "}, ("extended_abstract", "")),
        ({"id": "d#4", "name": "Gold", "level": "relational"}, ("relational", "Gold")),
        ({"id": "d#4", "name": "Gold"}, None),
        ({"id": "d#3", "name": "Relational"}, None),
        ({"id": "d#4", "name": ["Relational"]}, None),
    ],
)
def test_a_level_is_shown_where_it_is_one_of_the_taxonomy_and_called_as_its_author_does(
    level: dict[str, Any], shown: tuple[str, str] | None
) -> None:
    reached = (None, "") if shown is None else (SoloLevel(shown[0]), shown[1])
    assert Depiction.of(document(level)) == Depiction("Resilience", "Wattle", *reached)


@pytest.mark.parametrize("called", ["Puts it together", "Several ways to go on, and says which", "長い名前" * 30])
def test_the_picture_writes_the_level_as_its_author_calls_it(called: str) -> None:
    picture = badge_svg(name="Resilience", issuer="Wattle", level="relational", level_name=called)
    assert "Relational" not in picture
    assert called[:8] in picture
    badge_png(name="Resilience", issuer="Wattle", level="relational", level_name=called, size=64)


@pytest.mark.parametrize(
    "of",
    [{}, {"issuer": "did:x"}, {"credentialSubject": {"achievement": 5, "result": [None, 3]}}, {"issuer": [[], {}]}],
)
def test_a_document_of_any_shape_has_a_picture(of: dict[str, Any]) -> None:
    shown = Depiction.of(of)
    assert "Badge" in badge_svg(name=shown.name, issuer=shown.issuer, level=shown.level)
