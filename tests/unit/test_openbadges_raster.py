"""The default picture in pixels: the same bytes every time, in every script that the package has fonts for."""

import hashlib
import json
import struct
from pathlib import Path

import pytest

from libs.openbadges.baking import bake, unbake
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.solo import SoloLevel
from libs.openbadges.pictures.raster import badge_png
from tests.unit.openbadges_samples import signed

FONTS = Path(__file__).parents[2] / "libs" / "openbadges" / "data" / "fonts"


def test_the_same_badge_gives_the_same_bytes_in_the_size_asked_for() -> None:
    picture = badge_png(name="Resilience", issuer="Wattle Grove", level="relational", size=64)
    assert picture == badge_png(name="Resilience", issuer="Wattle Grove", level="relational", size=64)
    assert struct.unpack_from(">II", picture, 16) == (64, 64)
    assert len(picture) < 10_000


def test_every_level_looks_different_at_64_pixels() -> None:
    drawn = {badge_png(name="Resilience", issuer="Wattle", level=level, size=64) for level in (None, *SoloLevel)}
    assert len(drawn) == 6


@pytest.mark.parametrize(
    ("one", "other"),
    [("回復", "復回"), ("مرونة", "حكمة"), ("חוסן", "חכמה"), ("लचक", "गगन"), ("Жук", "Яма")],
)
def test_every_script_that_is_carried_is_drawn_and_not_boxed(one: str, other: str) -> None:
    # Boxes would look the same.
    assert badge_png(name=one, issuer="", size=128) != badge_png(name=other, issuer="", size=128)


def test_a_badge_in_pixels_can_be_baked() -> None:
    credential = signed()
    assert unbake(bake(badge_png(name="Resilience", issuer="Wattle"), credential)).content.text == credential


def test_a_size_out_of_bounds_or_a_font_that_is_not_there_is_refused() -> None:
    for size in (0, 15, 100_000):
        with pytest.raises(CredentialError, match="pixels"):
            badge_png(name="x", issuer="y", size=size)
    with pytest.raises(CredentialError, match="font"):
        badge_png(name="x", issuer="y", fonts=[Path("/nowhere.ttf")])


def test_every_carried_font_has_its_version_licence_and_digest_noted() -> None:
    noted = {entry["file"]: entry for entry in json.loads((FONTS / "manifest.json").read_text())}
    assert noted.keys() == {path.name for path in FONTS.glob("*.ttf")}
    for name, entry in noted.items():
        assert hashlib.sha256((FONTS / name).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["licence"] in {"OFL-1.1", "Apache-2.0"}
