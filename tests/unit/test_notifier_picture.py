"""The mail's picture: the one of the badge's page, drawn once, and never the reason why a mail does not go."""

import asyncio
import base64
import struct
import threading

import pytest
from prometheus_client import REGISTRY

from libs.contracts.results import SoloLevel
from libs.openbadges.pictures.description import Depiction
from libs.openbadges.pictures.raster import badge_png
from services.notifier.channels.email.picture import SIZE, Pictures, picture_alt

BADGE = Depiction("Resilience", "Northside Primary", SoloLevel.RELATIONAL)


class Brush:
    """Draws nothing, slowly enough that callers overlap, and counts."""

    def __init__(self) -> None:
        self.drawn: list[Depiction] = []
        self.at_once = 0
        self.most_at_once = 0
        self.threads: set[int] = set()

    def __call__(self, badge: Depiction) -> bytes:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.threads.add(threading.get_ident())
        threading.Event().wait(0.005)
        self.drawn.append(badge)
        self.at_once -= 1
        return badge.name.encode()


async def test_the_picture_is_the_one_that_the_badges_page_shows_at_twice_its_size_in_the_mail() -> None:
    lines = await Pictures().get(BADGE)
    assert lines is not None
    picture = base64.b64decode(lines)
    assert picture == badge_png(name="Resilience", issuer="Northside Primary", level="relational", size=2 * SIZE)
    assert struct.unpack_from(">II", picture, 16) == (2 * SIZE, 2 * SIZE)
    assert max(len(line) for line in lines.split(b"\r\n")) <= 76, "RFC 2045, section 6.8"


async def test_mails_that_want_the_same_picture_at_the_same_time_have_it_drawn_once_and_off_the_loop() -> None:
    brush = Brush()
    pictures = Pictures(brush)
    others = [Depiction("Resilience", "Northside Primary", level) for level in (None, SoloLevel.UNISTRUCTURAL)]
    answers = await asyncio.gather(*(pictures.get(badge) for badge in [BADGE, *others] * 5))
    assert len(set(answers)) == 1
    assert sorted(map(repr, brush.drawn)) == sorted(map(repr, [BADGE, *others]))
    assert brush.most_at_once == 1
    assert threading.get_ident() not in brush.threads


async def test_only_so_many_pictures_are_kept_and_those_asked_for_last_stay() -> None:
    brush = Brush()
    pictures = Pictures(brush, entries=2)
    one, two, three = (Depiction(name, "Northside") for name in ("one", "two", "three"))
    for badge in (one, two, one, three, one, two):
        await pictures.get(badge)
    assert brush.drawn == [one, two, three, two]


class PanicError(BaseException):
    """As a library written in Rust panics."""


@pytest.mark.parametrize("error", [ValueError("no such font"), MemoryError(), PanicError()])
async def test_what_cannot_be_drawn_is_counted_and_tried_again_with_the_next_mail(error: BaseException) -> None:
    wrong: list[BaseException] = [error]

    def draw(_: Depiction) -> bytes:
        if wrong:
            raise wrong.pop()
        return b"PNG"

    before = REGISTRY.get_sample_value("bowerbird_notifier_pictures_missing_total") or 0
    pictures = Pictures(draw)
    assert await pictures.get(BADGE) is None
    assert REGISTRY.get_sample_value("bowerbird_notifier_pictures_missing_total") == before + 1
    assert await pictures.get(BADGE) == base64.b64encode(b"PNG")


def test_the_words_tell_all_that_the_picture_shows() -> None:
    assert picture_alt("Resilience", "Northside", SoloLevel.EXTENDED_ABSTRACT, "Extended abstract") == (
        "Badge: Resilience, Extended abstract, 5 of 5 steps lit. Northside."
    )
    assert picture_alt("Resilience", "Northside", None, "") == "Badge: Resilience. Northside."
