"""The mail: what it says, how it is built, and that no name can break out of its header."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from uuid import UUID

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.addresses import Address
from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.contracts.results import SoloLevel
from services.notifier.catalogue.repository import AchievementText, LevelText
from services.notifier.channels.email import closing
from services.notifier.channels.email.closing import why
from services.notifier.channels.email.links import without_links
from services.notifier.channels.email.message import EmailMessage, EmailRenderer, one_line
from services.notifier.channels.email.picture import picture_alt
from services.notifier.occasion import Occasion

DELIVERY = UUID("0b8f2f0e-5a3c-5e0f-9d0a-111111111111")
PAGE = "https://badges.example/badges/3f1d"
FROM = Address("badges", "bowerbird.example")
RESILIENCE = AchievementText(
    "Resilience",
    "Keeping going when it is hard.",
    {SoloLevel.RELATIONAL: LevelText("Relational", "You kept going, and you said how each try helped the next.")},
)
RENDERER = EmailRenderer(FROM)
PICTURE = base64.encodebytes(b"a picture").strip()


def write(message: EmailMessage, picture: bytes | None = PICTURE) -> bytes:
    return RENDERER.render(message, picture)


def email(
    *,
    to: str = "mia@school.example",
    learner_name: str | None = "Mia Tran",
    issuer_name: str = "Northside Primary",
    achievement: AchievementText = RESILIENCE,
    level: SoloLevel | None = SoloLevel.RELATIONAL,
    score: float | None = None,
) -> EmailMessage:
    address = Address.parse(to)
    assert address is not None
    return EmailMessage(
        delivery_id=DELIVERY,
        to=address,
        learner_name=learner_name,
        issuer_name=issuer_name,
        achievement=achievement,
        level=level,
        score=score,
        page_url=PAGE,
        download_url=f"{PAGE}/credential.json",
        written_at=datetime(2026, 10, 12, 9, tzinfo=UTC),
    )


def read(content: bytes) -> ParsedMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, ParsedMessage)
    assert not message.defects
    assert all(not part.defects for part in message.walk())
    return message


def body(message: ParsedMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text


def test_text_and_html_both_say_what_was_shown_and_who_says_so() -> None:
    message = read(write(email()))
    for kind in ("plain", "html"):
        text = body(message, kind)
        for said in ("Mia Tran", "Resilience", "Relational", "Keeping going when it is hard.", "Northside Primary"):
            assert said in text, (kind, said)
        assert "you said how each try helped" not in text, "a level's text tells what is not shown yet, too"
        assert "teacher" not in text, "who learns may be grown up"
        assert PAGE in text
        assert f"{PAGE}/credential.json" in text


def test_the_header_says_from_whom_to_whom_and_that_a_machine_wrote_it() -> None:
    message = read(write(email()))
    assert str(message["From"]) == "Northside Primary via Bowerbird <badges@bowerbird.example>"
    assert str(message["To"]) == "Mia Tran <mia@school.example>"
    assert str(message["Subject"]) == "Your badge: Resilience"
    assert message["Date"].datetime == datetime(2026, 10, 12, 9, tzinfo=UTC)
    assert message["Auto-Submitted"] == "auto-generated"


def test_every_attempt_at_a_delivery_carries_the_same_message_id() -> None:
    first, second = read(write(email())), read(write(email(learner_name="Mia")))
    assert first["Message-ID"] == second["Message-ID"] == f"<{DELIVERY}@bowerbird.example>"


def test_the_picture_travels_inside_the_mail_and_has_words_for_who_cannot_see_it() -> None:
    message = read(write(email()))
    pictures = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert len(pictures) == 1
    assert pictures[0].get_content() == b"a picture"
    html = body(message, "html")
    assert f'src="cid:{pictures[0]["Content-ID"].strip("<>")}"' in html
    assert 'alt="Badge: Resilience, Relational, 4 of 5 steps lit. Northside Primary."' in html


def test_where_there_is_no_picture_its_words_stand_in_its_place() -> None:
    message = read(write(email(), picture=None))
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    html = body(message, "html")
    assert "<img" not in html
    assert picture_alt("Resilience", "Northside Primary", SoloLevel.RELATIONAL, "Relational") in html


def test_the_html_is_accessible() -> None:
    html = body(read(write(email())), "html")
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)
    assert tree.get("lang") == "en"
    assert tree.findtext("head/title") == "Your badge: Resilience"
    assert all(image.get("alt") for image in tree.iter("img"))
    assert all(table.get("role") == "presentation" for table in tree.iter("table"))
    assert len(list(tree.iter("h1"))) == 1
    assert not list(tree.iter("style")), "styles are inlined: several mail clients drop the head"
    assert all(link.text for link in tree.iter("a"))


def test_without_a_name_nobody_is_called_none() -> None:
    message = read(write(email(learner_name=None)))
    assert "None" not in body(message, "plain")
    assert body(message, "plain").startswith("Well done!")
    assert str(message["To"]) == "mia@school.example"


def test_a_badge_for_a_score_tells_the_achievement_and_no_level() -> None:
    message = read(write(email(level=None, score=82.5)))
    for kind in ("plain", "html"):
        assert "with a score of 82.5 of 100." in re.sub("<[^>]*>", "", body(message, kind))
    assert "Keeping going when it is hard." in body(message, "plain")
    assert "level" not in body(message, "plain")


def test_an_award_in_the_place_of_another_says_so_kindly_and_any_other_says_nothing_of_it() -> None:
    said = "It takes the place of a badge that Northside Primary gave you before. The earlier one no longer counts."
    for kind in ("plain", "html"):
        for replaces in (True, False):
            text = body(read(write(replace(email(), replaces=replaces))), kind)
            assert (said in " ".join(re.sub("<[^>]*>", "", text).split())) is replaces
            assert "mistake" not in text


def test_a_level_without_a_text_is_called_as_the_taxonomy_does() -> None:
    message = read(write(email(level=SoloLevel.PRESTRUCTURAL)))
    assert 'the badge "Resilience" at the level "Prestructural".' in body(message, "plain")


def test_a_level_is_called_by_its_authors_name_in_text_and_picture() -> None:
    levels = {SoloLevel.RELATIONAL: LevelText("Puts it together", "…")}
    message = email(achievement=AchievementText("Resilience", "Keeping going.", levels))
    assert message.depiction.level_name == "Puts it together"
    written = read(write(message))
    for kind in ("plain", "html"):
        assert "Puts it together" in body(written, kind)
        assert "Relational" not in body(written, kind)


def test_it_names_the_department_and_answers_go_to_the_issuers_public_address() -> None:
    plain = read(write(email()))
    assert plain["Reply-To"] is None
    assert "Ask Northside Primary." in body(plain, "plain")
    told = replace(email(), department_name="Department of Education", reply_to=Address("office", "northside.example"))
    message = read(write(told))
    assert str(message["Reply-To"]) == "Northside Primary <office@northside.example>"
    for kind in ("plain", "html"):
        assert "Department of Education" in body(message, kind)
        assert "Reply to this mail" in body(message, kind)


HOSTILE = (
    "Mia\r\nBcc: everybody@example.org",
    "Mia\nSubject: you won\n\nClick here",
    "Mia\x00\x07\x1b[31m",
    "Mia\u2028Bcc: x@example.org",
    "\u202egnihsihp\u202c",
    '"Mia" <evil@example.org>, other@example.org',
    "=?utf-8?q?=0ABcc=3A_x=40example.org?=",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %}",
    "Nguyễn Thị Ánh 明日香 محمد",
    "a" * 5000,
    "\ud800broken",
    ".\r\n.\r\nQUIT",
)
FIELDS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"}
FIELDS |= {"MIME-Version", "Content-Type"}


def stays_in_its_place(name: str) -> None:
    achievement = AchievementText(name, name, {SoloLevel.RELATIONAL: LevelText(name, name)})
    content = write(email(learner_name=name, issuer_name=name, achievement=achievement))
    assert content.isascii()
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert all(len(line) <= 998 for line in content.split(b"\r\n")), "RFC 5322, section 2.1.1"
    message = read(content)
    assert set(message.keys()) == FIELDS
    assert len(message.keys()) == len(FIELDS), "no field stands twice"
    assert [address.addr_spec for address in message["To"].addresses] == ["mia@school.example"]
    assert [address.addr_spec for address in message["From"].addresses] == ["badges@bowerbird.example"]
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
    ]
    tree = html5lib.HTMLParser(namespaceHTMLElements=False).parse(body(message, "html"))
    assert not list(tree.iter("script"))
    assert {link.get("href") for link in tree.iter("a")} == {PAGE, f"{PAGE}/credential.json"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_in_its_place(name: str) -> None:
    stays_in_its_place(name)


@given(st.text(max_size=200))
def test_any_name_stays_in_its_place(name: str) -> None:
    stays_in_its_place(name)


def test_a_name_keeps_its_letters_and_loses_what_turns_text_around() -> None:
    assert one_line("  Nguyễn\tThị\nÁnh ") == "Nguyễn Thị Ánh"
    assert one_line("\u202eMia\u202c") == "Mia"
    assert one_line("M\u200bi\u2060a\u00ad") == "Mia"
    assert one_line("علی‌رضا") == "علی‌رضا", "a joiner is spelling"  # a real name
    assert len(one_line("a" * 500)) == 80


@pytest.mark.parametrize(
    "text",
    ["mia@school.example", "m.t+x@a.b.example", "o'neil@x.example", "MIA@SCHOOL.EXAMPLE", "mia@bücher.example"],
)
def test_an_address_is_read(text: str) -> None:
    address = Address.parse(text)
    assert address is not None
    assert address.domain == address.domain.lower()
    assert str(address).isascii()


@pytest.mark.parametrize(
    "text",
    ["", "mia", "@x.example", "mia@", "mia@localhost", "a b@x.example", "mia@x..example", "a@b@c.example",
     "mia\r\nRCPT TO:<x@y.example>@x.example", "mia@x.example>", "<mia@x.example", "mia@-x.example",
     "a" * 300 + "@x.example", "mia@x.example\r\nDATA", "m\u202eia@x.example"],
)  # fmt: skip
def test_what_is_no_address_is_not_read(text: str) -> None:
    assert Address.parse(text) is None


@pytest.mark.parametrize(
    "text", ["MIA.Tran@X.example", "miatran+1@x.example", "m.i.a.tran+a+b@x.example", "\uff2dia\uff34ran@x.example"]
)
def test_addresses_that_lead_to_one_mailbox_count_as_one(text: str) -> None:
    address = Address.parse(text)
    assert address is not None
    assert address.mailbox == "miatran@x.example"
    assert Address("miatran", "y.example").mailbox != address.mailbox
    assert Address("+1", "x.example").mailbox != Address("+2", "x.example").mailbox


def test_a_domain_is_read_as_registries_register_it() -> None:
    address = Address.parse("mia@Straße.example")
    assert address is not None
    assert address.domain == "xn--strae-oqa.example", "IDNA 2003 would make it the domain of somebody else"


def test_an_address_beyond_ascii_makes_a_mail_that_says_so_in_its_header_only() -> None:
    message = email(to="mía@school.example")
    assert not message.to.is_ascii
    assert "mía@school.example".encode() in write(message)


def test_an_address_does_not_show_in_a_traceback() -> None:
    assert "mia" not in repr(Address("mia", "school.example"))


def closed(occasion: Occasion, reason: str, **changed: str) -> EmailMessage:
    return replace(email(**changed), occasion=occasion, why=why(occasion, reason))  # type: ignore[arg-type]  # texts


@pytest.mark.parametrize(
    ("occasion", "reason", "said"),
    [
        (Occasion.REVOKED, "wrong_learner", "It was meant for somebody else."),
        (Occasion.REVOKED, "other", "may earn the badge again"),
        (Occasion.TAKEN_DOWN, "personal_data", "Nobody can open the page any more"),
        (Occasion.TAKEN_DOWN, "Kim's mother asked", "may earn the badge again"),
    ],
)
def test_who_is_told_that_a_badge_was_closed_is_told_what_that_means_and_no_words_of_others(
    occasion: Occasion, reason: str, said: str
) -> None:
    message = read(write(closed(occasion, reason), None))
    for kind in ("plain", "html"):
        text = " ".join(body(message, kind).split())
        assert said in text
        assert "Kim" not in text
        assert "Well done" not in text
        assert PAGE not in text, "there is nothing to see, or to download, that helps"
    assert str(message["Subject"]).startswith("Your badge was taken ")


def test_every_reason_code_has_a_sentence_or_says_that_it_has_none() -> None:
    assert closing.REVOKED.keys() == set(RevocationReason)
    assert closing.TAKEN_DOWN.keys() == set(TakeDownReason)


def test_a_mail_that_is_sent_again_has_a_message_id_of_its_own() -> None:
    ids = {str(read(write(replace(email(), sending=number)))["Message-ID"]) for number in range(3)}
    assert len(ids) == 3


LINKS = [
    "https://evil.example/win",
    "You won: HTTPS://evil.example",
    "www.evil.example",
    "//evil.example/x",
    "Claim at evil.example/now",
    "evil。example",
    "mailto:a@evil.example",
    "a@evil.example",
]


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("place", ["learner_name", "issuer_name", "achievement"])
def test_no_name_becomes_something_to_click(link: str, place: str) -> None:
    named: dict[str, object] = {place: AchievementText(link, link, {}) if place == "achievement" else link}
    message = read(write(email(**named)))  # type: ignore[arg-type]  # names
    shown = [
        str(message["Subject"]),
        str(message["From"]),
        str(message["To"]),
        body(message, "plain"),
        body(message, "html"),
    ]
    for text in shown:
        assert "evil.example" not in text.lower()
        assert "evil。example" not in text


@pytest.mark.parametrize("name", ["J.R. Smith", "St. Mary's", "Anne-Marie O'Neil", "Ngā Rōpū 2.0", "李 小龙"])
def test_a_name_without_a_link_stays_as_it_is(name: str) -> None:
    assert without_links(name) == name
