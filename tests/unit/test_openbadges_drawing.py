"""The default picture: the same every time, well-formed whatever the names, and the level countable."""

import re
from xml.etree import ElementTree as ET

import pytest

from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.solo import SoloLevel
from libs.openbadges.pictures.drawing import Colours, badge_svg

SVG = "{http://www.w3.org/2000/svg}"
LONG = "Kooperationsfähigkeitsnachweisübung für Fortgeschrittene in der gymnasialen Oberstufe"


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314  our own drawing


@pytest.mark.parametrize(
    "name", ["Resilience", "<script>&\"'", "a\x00\x1f\u202eb\ud800", LONG, "回復力", "", " ", "🙂🙂", "---"]
)
@pytest.mark.parametrize("level", [None, *SoloLevel])
def test_any_name_gives_well_formed_markup(name: str, level: str | None) -> None:
    picture = badge_svg(name=name, issuer=name, level=level)
    assert ET.fromstring(picture).tag == f"{SVG}svg"  # noqa: S314  our own drawing
    assert "<script" not in picture
    picture.encode()


def test_the_same_badge_is_drawn_the_same() -> None:
    assert badge_svg(name="Resilience", issuer="Wattle") == badge_svg(name="Resilience", issuer="Wattle")


@pytest.mark.parametrize("number", range(5))
def test_as_many_steps_are_lit_as_the_level_has(number: int) -> None:
    colours = Colours("#112233", "#ffcc00")
    picture = badge_svg(name="Resilience", issuer="Wattle", level=list(SoloLevel)[number], colours=colours)
    assert len(re.findall(r'rx="5" fill="#ffcc00"', picture)) == number + 1
    assert len(re.findall(r'rx="5" fill="#ffffff"', picture)) == 4 - number


def test_a_long_name_is_broken_into_two_lines_and_then_cut() -> None:
    lines = [text for text in texts(badge_svg(name=LONG, issuer="")) if len(text) > 2]
    assert len(lines) == 2
    assert lines[1].endswith("…")


def test_a_short_name_stands_whole_with_its_level() -> None:
    written = texts(badge_svg(name="Values Week", issuer="Wattle", level="extended_abstract"))
    assert written == ["Wattle", "VW", "Values Week", "Extended abstract"]


def test_colours_are_colours_and_levels_are_solo() -> None:
    with pytest.raises(CredentialError, match="colour"):
        Colours('#fff"/><script>', "#000000")
    with pytest.raises(CredentialError, match="SOLO"):
        badge_svg(name="x", issuer="y", level="gold")
