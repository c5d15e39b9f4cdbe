"""Accept headers: which representation of a badge a client gets."""

import pytest

from libs.common.errors import NotAcceptableError
from services.verifier.pages.error_pages import HTML
from services.verifier.pages.negotiation import choose
from services.verifier.verification.api import REPRESENTATIONS

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, HTML),
        ("", HTML),
        ("*/*", HTML),
        (CHROMIUM, HTML),
        ("application/json", "application/json"),
        ("Application/LD+JSON", "application/ld+json"),
        ("application/vc+ld+json", "application/vc+ld+json"),
        ("application/vc", "application/vc"),
        ("application/*", "application/vc+ld+json"),
        ("text/*", HTML),
        ("text/html;q=0.5, application/json;q=0.8", "application/json"),
        ("text/html; q=0.8, application/json; q=0.8", HTML),
        ("*/*;q=0.1, application/json", "application/json"),
        ("application/ld+json, application/json;q=0.9", "application/ld+json"),
        ('application/ld+json;profile="https://www.w3.org/ns/json-ld#compacted"', "application/ld+json"),
        ("text/html;q=0, */*", "application/vc+ld+json"),
        ("application/json;charset=utf-8", "application/json"),
    ],
)
def test_the_client_gets_what_it_prefers(accept: str | None, chosen: str) -> None:
    assert choose(accept, REPRESENTATIONS) == chosen


@pytest.mark.parametrize("accept", ["nonsense", ";;;", "text/html;q=2", "*/html", ", ,", "text/html;q=-1", "a/b/c"])
def test_a_header_that_cannot_be_read_means_that_anything_will_do(accept: str) -> None:
    assert choose(accept, REPRESENTATIONS) == HTML


@pytest.mark.parametrize("accept", ["image/png", "*/*;q=0", "text/plain, image/*"])
def test_a_client_that_takes_none_of_them_is_told_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match="text/html"):
        choose(accept, REPRESENTATIONS)


def test_a_header_of_thousands_of_ranges_is_read_as_far_as_is_reasonable() -> None:
    assert choose("image/png," * 100_000 + "text/html", ["image/png"]) == "image/png"
