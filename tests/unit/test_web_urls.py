"""Whatever URL is taken can stand in a credential; people's URLs are written so, or refused."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.addresses import PATTERN as ADDRESS_PATTERN
from libs.common.addresses import Address
from libs.common.web_urls import PATTERN, web_url
from libs.openbadges.issue.building import CredentialTemplate
from libs.openbadges.issue.signing import prepare
from libs.openbadges.model.documents import Achievement, Criteria, Profile

BADGE = CredentialTemplate(
    Profile(id="did:web:school.example", name="School"),
    Achievement(
        id="https://school.example/a", name="A", description="B", criteria=Criteria(narrative="C")
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("https://bad.example/?id=3|home", "https://bad.example/?id=3%7Chome"),
        ('https://x.example/{a}[b]^`"<>', "https://x.example/%7Ba%7D%5Bb%5D%5E%60%22%3C%3E"),
        ("HTTPS://Bücher.Example/Ü", "https://xn--bcher-kva.example/Ü"),
        ("https://fußball.example", "https://xn--fuball-cta.example"),
        ("https://x.example/#a#b", "https://x.example/#a%23b"),
        ("http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("https://x.example:0443/a%20b", "https://x.example:443/a%20b"),
    ],
)
def test_a_url_is_written_as_a_credential_can_hold_it(text: str, written: str) -> None:
    assert web_url(text) == written


@pytest.mark.parametrize(
    "text",
    ["", "school.example", "ftp://x.example", "javascript:alert(1)", "https://", "https://.example", "https://a b/",
     "https://x.example/a b", "https://x.example/%zz", "https://x.example/100%", "https://u:p@x.example/",
     "https://x.example\\@evil.example/", "https://x.example/a\x00", "https://x.example:99999/", "https://-x.example",
     "https://xn--\u00e4.example/", "https://[1::2::3]/", "https://x..example/", "https://" + "a" * 64 + ".example"],
)  # fmt: skip
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        web_url(text)


PARTS = st.text(st.sampled_from("aA1.-_~/?#&=%20%7B{}|^`[]<>\"'()*+,;:@!$üß界\u200d😀"), max_size=20)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["https://x.example/", "https://x.example", "http://bücher.example?"]), PARTS)
def test_every_url_that_is_taken_can_be_signed(start: str, rest: str) -> None:
    try:
        url = web_url(start + rest)
    except ValueError:
        return
    assert web_url(url) == url
    document = BADGE.document(
        credential_id="urn:uuid:6f4e7b4e-0e2b-4a9e-8d75-8d1b9c2f7a01",
        subject_id="urn:uuid:6f4e7b4e-0e2b-4a9e-8d75-8d1b9c2f7a02",
        valid_from=datetime(2026, 3, 9, tzinfo=UTC),
        evidence=[{"type": ["Evidence"], "id": url}],
    )
    prepare(document)
    Profile(id="did:web:school.example", name="School", url=url)


@settings(max_examples=200, deadline=None)
@given(st.from_regex(re.compile(PATTERN), fullmatch=True))
def test_the_published_pattern_of_urls_says_what_is_taken(text: str) -> None:
    web_url(text)


@settings(max_examples=200, deadline=None)
@given(st.from_regex(re.compile(ADDRESS_PATTERN), fullmatch=True))
def test_the_published_pattern_of_addresses_says_what_is_taken(text: str) -> None:
    assert len(text) > 254 or Address.parse(text) is not None
