"""A link within a text that becomes public is held to what a link of its own is: no secret, no contact details."""

import pytest

from libs.common.contact_details import ContactDetail, ContactPolicy, contact_detail_in
from libs.common.errors import InvalidRequestError
from libs.common.text_links import holds_secret_link
from libs.contracts.events import AchievementLevel
from libs.contracts.results import SoloLevel
from services.evidence.sources.refusals import Reason, Refusal
from services.evidence.sources.rows import Submission, read_row
from services.issuer.catalogue.public_texts import refuse_contact_details, warnings_of
from tests.issuer_doubles import achievement
from tests.unit.test_evidence_rows import GOOD, TODAY
from tests.unit.test_url_secrets import HARMLESS, SECRET

OPENING = [
    "See https://portfolio.example/raft?token=abcDEF123", "https://school.sharepoint.com/:w:/s/x/EabcDEF?e=abc",
    "Raft (https://x.example/a?token=hush).", "[Raft](https://x.example/a?token=hush)", "Raft: HTTPS://X.example/?Sig=hush",
    "portfolio.example/raft?token=hush", "see www.dropbox.com/s/abc/raft.pdf, page 2",
    "Film:vimeo.com/123456/0a1b2c3d4e",
    "https://a.example/b,https://www.dropbox.com/s/abc", "https://ms.pike:hush@school.example/raft",
    "\uff48\uff54\uff54\uff50\uff53://x.example/a?token=hush", "ftp://pike:hush@files.example/raft", "\u201chttps://1drv.ms/b/x\u201d",
    "Raft\nhttps://x.example/a#access_token=hush\nDone", "x.example?token=hush", "http:/x.example/a?token=hush",
    "https://x.example/a?token=hush" + " https://x.example/b" * 200, "raft " * 900 + "https://x.example/a?token=hush",
]  # fmt: skip
ORDINARY = [
    "Raft building, day 3 of Values Week", "See https://school.example/raft.", "Node.js/Express, AC/DC and he/she",
    "What is a token? A signature = your name", "Wrote to the council (https://council.example/have-your-say?id=3)!",
    "Password rules: www.esafety.gov.example/passwords", "https://x.example/a?token=", "https://x.example/a?token=\u2026",
    "Called https://api.x.example/?token=<yours> from Python", "Graphs of y = x/2 and y = 2.x/3?",
    "5/10, 6.5/10; 7.b/c",
    "e.g. https://docs.google.com/document/d/1a2B3cD4eF5gH6iJ7kL8mN9oP0qR/edit", "Ratio 3:4/5.", "", "https://",
    "Term 2: key=history, code=MATH101", "Ms.Pike/Mr.Lee?", "dropbox.com is where we keep it",
    "#raft #team. Done/dusted",
]  # fmt: skip


@pytest.mark.parametrize("text", [*OPENING, *(f"Raft, see {url} for more" for url in SECRET)])
def test_a_link_that_opens_something_is_found_within_a_text(text: str) -> None:
    assert holds_secret_link(text)


@pytest.mark.parametrize("text", [*ORDINARY, *(f"Raft, see {url}, for more" for url in HARMLESS)])
def test_an_ordinary_text_and_an_ordinary_link_in_it_are_taken(text: str) -> None:
    assert not holds_secret_link(text)


def test_an_address_that_a_link_within_a_text_encodes_is_found() -> None:
    assert contact_detail_in("See https://school.example/?by=zoe%40school.example") is ContactDetail.EMAIL


def test_a_row_whose_activity_holds_such_a_link_is_taken_with_a_warning_or_refused_by_policy() -> None:
    row = {**GOOD, "activity": "See https://portfolio.example/raft?token=hush"}
    taken = read_row(row, TODAY)
    assert isinstance(taken, Submission)
    assert [(each.column, each.reason) for each in taken.warnings] == [("activity", Reason.LINK_SECRET)]
    assert "hush" not in taken.warnings[0].message
    assert read_row(row, TODAY, ContactPolicy.REFUSE) == taken.warnings[0]
    assert isinstance(read_row({**GOOD, "comment": row["activity"]}, TODAY, ContactPolicy.REFUSE), Submission)


def test_a_row_with_both_is_warned_of_both() -> None:
    taken = read_row({**GOOD, "activity": "zoe@school.example https://x.example/?token=hush"}, TODAY)
    assert not isinstance(taken, Refusal)
    assert [each.reason for each in taken.warnings] == [Reason.EMAIL_IN_TEXT, Reason.LINK_SECRET]


def test_such_links_in_an_achievements_texts_are_named_by_field_or_refused_by_policy() -> None:
    link = "https://portfolio.example/raft?token=hush"
    levels = [AchievementLevel(level=SoloLevel.RELATIONAL, name="Good", description=f"As in {link}")]
    version = achievement(description=f"See {link}", criteria=f"Seen at {link}", levels=levels)
    assert [(each["field"], each["code"]) for each in warnings_of(version)] == [
        ("description", "link_secret"),
        ("criteria", "link_secret"),
        ("levels.relational.description", "link_secret"),
    ]
    assert not any("hush" in each["reason"] for each in warnings_of(version))
    with pytest.raises(InvalidRequestError):
        refuse_contact_details(version)
