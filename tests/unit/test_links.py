"""A name holds no link, wherever names come in; and what people write in names is taken for none."""
# ruff: noqa: RUF001  # characters that look alike are what is tested

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from libs.common.links import holds_link
from libs.common.text import TextRefusedError, clean_name
from services.evidence.sources.refusals import Reason, Refusal
from services.evidence.sources.rows import read_row
from services.issuer.catalogue.achievement_api import AchievementRequest, LevelRequest
from services.issuer.catalogue.api import IssuerRequest, ProfileRequest
from services.notifier.channels.email.links import without_links

LINKS = [
    "Well done, You won: https://evil.example/x",
    "HtTpS://x",
    "ftp://x",
    "https://[2001:db8::1]/x",
    "//evil.example/x",
    "www.evil.com",
    "WWW.EVIL.COM",
    "www\u2024evil\u2024com",
    "mailto:a@b.c",
    "a@b.c",
    "zoe@school.example",
    "ａ＠evil．example",
    "tel:+61412345678",
    "192.0.2.1/win",
    "192.0.2.1:8080/win",
    "evil.com/x",
    "evil.com./x",
    "evil.com:8080/x",
    "t.co/x",
    "evil\u2024com/x",
    "evil。com/x",
    "evil｡com/x",
    "evil．com／x",
    "ｈｔｔｐｓ：／／evil.example",
    "пример.рф/путь",
    "उदाहरण.भारत/x",
    "evil.xn--p1ai/x",
]
NAMES = [
    "St. Mary's",
    "St.Kilda Primary",
    "Year 7.2",
    "Level 3 (7.1/7.2)",
    "Dr.No",
    "Node.js basics",
    "Node.js/React",
    "ASP.NET MVC",
    "J.R. Smith",
    "Smith, J./Jones, K.",
    "Ngā Rōpū 2.0",
    "24/7 and/or A/B",
    "C/- Smith",
    "S/O Kumar",
    "Relay 4x100m @ Sydney",
    "@home",
    "Email: writing",
    "Tel: an archaeology",
    "日本語。算数/理科",
    "1.数学/2.英語",
    "10/12/2026",
    "½ and ⅔",
    "Wait…what/why",
    "C++ / C#",
    "Science//Arts",
]


def _given(kind: type[BaseModel], name: str) -> BaseModel:
    other = {"id": "a", "description": "b", "criteria": "c", "level": "relational"}
    wanted = {field: text for field, text in other.items() if field in kind.model_fields}
    return kind.model_validate({**wanted, "name": name})


def _row(name: str) -> object:
    row = {"source_id": "1", "learner_id": "2", "achievement": "a", "score": "80", "date": "2026-01-02"}
    return read_row({**row, "activity": "b", "learner_name": name}, date(2026, 1, 3))


REQUESTS: list[type[BaseModel]] = [IssuerRequest, ProfileRequest, AchievementRequest, LevelRequest]


@pytest.mark.parametrize("text", LINKS)
def test_a_name_with_a_link_is_refused_at_every_door_and_left_out_of_mails(text: str) -> None:
    assert holds_link(text)
    for kind in REQUESTS:
        with pytest.raises(ValidationError, match="holds a link or an e-mail address"):
            _given(kind, text)
    refused = _row(text)
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.column) == (Reason.NAME_LINK, "learner_name")
    assert not holds_link(without_links(text))


@pytest.mark.parametrize("text", NAMES)
def test_a_name_that_people_write_is_taken(text: str) -> None:
    assert clean_name(text) == text
    for kind in REQUESTS:
        _given(kind, text)
    assert not isinstance(_row(text), Refusal)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Won 192.0.2.1/win", "Won"),
        ("evil\u2024com", "evil. com"),
        ("evil\ufe52com", "evil. com"),
        ("evil.com", "evil. com"),
        ("St. Mary's 7.2", "St. Mary's 7.2"),
    ],
)
def test_mails_part_what_a_name_may_hold_and_a_mail_program_would_link(name: str, shown: str) -> None:
    assert without_links(name) == shown


@given(st.sampled_from(LINKS), st.text(max_size=12), st.text(max_size=12))
def test_nothing_that_stands_around_a_link_hides_it(link: str, before: str, after: str) -> None:
    try:
        clean_name(f"{before} {link} {after}")
    except TextRefusedError:
        return
    raise AssertionError("taken")


@given(st.text(max_size=60) | st.text(alphabet="a1.:/@-w \u2024\u3002é", max_size=60))
def test_no_name_that_is_taken_and_no_text_of_a_mail_holds_a_link(text: str) -> None:
    try:
        name = clean_name(text)
    except TextRefusedError:
        return
    assert not holds_link(name)
    assert not holds_link(without_links(text))


@given(st.text(alphabet="abcdé-' ", max_size=60))
def test_a_name_of_words_alone_holds_no_link(text: str) -> None:
    assert not holds_link(text)
