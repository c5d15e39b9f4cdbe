"""The mail's picture: the one of the badge's page, drawn once, and never the reason why a mail does not go."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from prometheus_client import REGISTRY

from libs.common.errors import UnavailableError
from libs.common.workers.jobs import Answer, Job, JobEndedError
from libs.contracts.results import SoloLevel
from libs.openbadges.pictures.description import Depiction
from services.notifier.channels.email.picture import Pictures, picture_alt

T = TypeVar("T")
BADGE = Depiction("Resilience", "Northside Primary", SoloLevel.RELATIONAL)


class Brush:
    """Draws nothing, slowly enough that callers overlap, and counts."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.ends: list[Exception] = []

    async def run(self, job: Callable[..., Job[T]], *drawn: Any, answer: Answer) -> Any:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.005)
        self.at_once -= 1
        if self.ends:
            raise self.ends.pop()
        self.drawn.append(drawn[0])
        return drawn[0].encode()


async def test_mails_that_want_the_same_picture_at_the_same_time_have_it_drawn_once() -> None:
    brush = Brush()
    pictures = Pictures(brush)
    others = [Depiction("Resilience", "Northside Primary", level) for level in (None, SoloLevel.UNISTRUCTURAL)]
    answers = await asyncio.gather(*(pictures.get(badge) for badge in [BADGE, *others] * 5))
    assert len(set(answers)) == 1
    assert brush.drawn == ["Resilience"] * 3
    assert brush.most_at_once == 1


async def test_only_so_many_pictures_are_kept_and_those_asked_for_last_stay() -> None:
    brush = Brush()
    pictures = Pictures(brush, entries=2)
    one, two, three = (Depiction(name, "Northside") for name in ("one", "two", "three"))
    for badge in (one, two, one, three, one, two):
        await pictures.get(badge)
    assert brush.drawn == ["one", "two", "three", "two"]


@pytest.mark.parametrize("error", [JobEndedError("too_costly"), UnavailableError("starting anew")])
async def test_what_cannot_be_drawn_is_counted_and_tried_again_with_the_next_mail(error: Exception) -> None:
    brush = Brush()
    brush.ends = [error]
    before = REGISTRY.get_sample_value("bowerbird_notifier_pictures_missing_total") or 0
    pictures = Pictures(brush)
    assert await pictures.get(BADGE) is None
    assert REGISTRY.get_sample_value("bowerbird_notifier_pictures_missing_total") == before + 1
    assert await pictures.get(BADGE) == base64.b64encode(b"Resilience")


def test_the_words_tell_all_that_the_picture_shows() -> None:
    assert picture_alt("Resilience", "Northside", SoloLevel.EXTENDED_ABSTRACT, "Extended abstract") == (
        "Badge: Resilience, Extended abstract, 5 of 5 steps lit. Northside."
    )
    assert picture_alt("Resilience", "Northside", None, "") == "Badge: Resilience. Northside."
