"""Accept headers: which representation of a badge a client gets."""

import pytest

from libs.common.errors import NotAcceptableError
from services.verifier.pages.error_pages import HTML
from services.verifier.pages.negotiation import choose
from services.verifier.published.badges import REPRESENTATIONS

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
        # What is named goes before what is taken among others: axios, jQuery, Angular.
        ("application/json, text/plain, */*", "application/json"),
        ("application/json, text/javascript, */*; q=0.01", "application/json"),
        ("*/*, application/json", "application/json"),
        ("application/*, */*", "application/vc+ld+json"),
        ("text/plain, */*", HTML),
        ("image/avif,image/webp,image/png,image/*;q=0.8,*/*;q=0.5", HTML),
        # Java's HttpURLConnection.
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", HTML),
        ("application/json;q=.9, text/html;q=.8", "application/json"),
        ("*", HTML),
        # Of several that are named, the first: wallets, JSON-LD processors, ActivityPub.
        ("application/json, application/vc+ld+json", "application/json"),
        ("application/vc, application/vc+ld+json, application/json", "application/vc"),
        ("application/vc+sd-jwt, application/vc+jwt, application/vc+ld+json, */*;q=0.1", "application/vc+ld+json"),
        (
            'application/activity+json, application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
            "application/ld+json",
        ),
        ("application/json, text/html", "application/json"),
        ("text/html, application/json", HTML),
        # A quoted string separates nothing.
        (
            'application/ld+json; profile="https://a.example/, text/html;q=0.1, b"; q=0.5, text/html;q=0.4',
            "application/ld+json",
        ),
        ('text/html;x="\\", application/json";q=0.3, application/json;q=0.2', HTML),
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
    with pytest.raises(NotAcceptableError):
        choose('a/b;c="' + "\\" * 100_000, REPRESENTATIONS)


@pytest.mark.parametrize("accept", ['"' + '\\"' * 1_999, '"a' * 2_000, '"\\"' * 1_300, '";' * 2_000])
def test_a_header_of_quotation_marks_costs_what_it_costs_to_read_it_through(accept: str) -> None:
    # 0.2 s each, where every mark was tried as the beginning of a quoted string.
    for _ in range(1_000):
        assert choose(accept, REPRESENTATIONS) == HTML
