"""E-mail addresses and telephone numbers in texts are found as people write them; dates, ids and marks are none."""

from datetime import date, datetime, timedelta
from itertools import product

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from libs.common.contact_details import ContactDetail, contact_detail_in, contact_detail_in_url

_DAY_ONE = datetime(1990, 1, 1)  # noqa: DTZ001  # as people write it
_DAYS = st.dates(date(1990, 1, 1), date(2099, 12, 31))
_FORMS = ("%d/%m/%Y", "%d/%m/%y", "%d.%m.%Y", "%d-%m-%Y", "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d%m%Y", "%d %B %Y")
_BETWEEN = ("", " ", " \u2013 ", "\u2013", " - ", "-", " to ", ", ", "; ", " bis ", "/")
_WORDS = st.sampled_from(["", "Raft building ", "Camp, ", "(Jo) ", "Ask Jo: ", "Day 3 of Values Week \u2013 "])
_REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize(
    "text",
    [
        "0412 345 678", "Zoe 0412345678.", "(02) 9876 5432", "02 9876 5432", "+61 4 1234 5678", "+61 (0)412 345 678",
        "1300 123 456", "04 1234 5678", "0412.345.678", "0412-345-678/0498 765 432", "0011 44 20 7946 0018",
        "+44 20 7946 0018", "0412\u00a0345\u00a0678", "(04)12345678", "\uff10\uff14\uff11\uff12 345 678",
        "\u0660\u0664\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", "Mob: 0412345678 after 12/03/2026",
        "12/03/2026 0412 345 678", "tel:+61412345678", "call Jo on 98765432", "Ring 9876-5432", "0412345678/Jo",
        "0412345678-home", "(+61 400 000 000)", "(ring 0412 345 678)",
        "(0412 345 678)", "0412 345 678 ext 5", "(02) 9876 5432 ext. 12", "0412,345,678", "0412_345_678",
        "0412~345~678", "0412 \u2022 345 \u2022 678", "0412/345678", "0412:345:678", "0412*345*678",
        "O412 345 678", "o412345678", "04I2 345 678", "O4l2345678",
        "ring 61412345678", "Kim, mobile 61 412 345 678", "WhatsApp: 447911123456", "call 6421345678",
        "Kim 0412/345/678",
        "02/9876/5432", "Nathan#0412345678", "Nathan #0412 345 678", "Group 5:0412345678", "Group 5: 0412 345 678",
        "https://wa.me/61412345678", "wa.me/61412345678", "https://api.whatsapp.com/send?phone=61412345678",
        "https://t.me/+61412345678", "https://signal.me/#p/+61412345678",
    ],
)  # fmt: skip
def test_a_telephone_number_is_found_as_people_write_it(text: str) -> None:
    assert contact_detail_in(text) is ContactDetail.TELEPHONE


@pytest.mark.parametrize(
    "text",
    [
        "zoe@school.example", "mail zoe.o'brien+x@school.example.",
        "zoe [at] school.example", "<zoe@fußball.example>",
        "kim.lee at school dot example", "kim.lee @ school . example", "kimlee at gmail dot com",
        "Kim.Lee AT school DOT edu DOT au",
        "kim.lee@school dot example", "kim.lee (at) school . example", "kim @gmail.com",
        "kim.lee [at] school dot edu.au",
        "kim.lee(@)school.example", "kim[@]school.example", "kim*at*school*dot*example", "kim.lee-at-school.example",
        "kim.lee_at_school.example", "kim%40school.example", "kim&#64;school.example", "kim&commat;school.example",
        "zoe(at)school(dot)example", "zoe\uff20school.example", "zoe @ school.example", "Zo\u00eb@schule.example",
    ],
)  # fmt: skip
def test_an_address_is_found_as_people_write_it(text: str) -> None:
    assert contact_detail_in(text) is ContactDetail.EMAIL


@pytest.mark.parametrize(
    "text",
    [
        "12/03/2026 \u2013 14/05/2026", "2026-11-28", "2026-11-28T07:55:00Z", "03-04-2026 10:30", "03/04/26 10:30",
        "26.03.2026, 8.30\u201310.30", "20261128 0755", "2025 2026", "Call for papers 2025-2026",
        "0900-1030, 1100-1230",
        "ISBN 978-0-306-40615-7", "ISBN 0-306-40615-2", "0-306-40615-2", "ISBN-10: 0306406152", "ref 0412345678",
        "vw-2026-0412345678", "S0412345678", "#0412345678", "412345678", "2026-0412345678-A", "51 824 753 556",
        "0.412345678", "02 40 45 60 80", "1 2 3 4 5 6 7 8 9 10", "0 1 2 3 4 5 6 7 8 9", "Scores 07/10 08/10 09/10",
        "10,000,000", "-33.8688 151.2093", "DOI 10.1000/0412345678", "tea @ noon", "5 apples@2.50", "meet @ 10.30am",
        "@zoe", "https://medium.example/@zoe.smith/x", "a@b", "12\u201314 March 2026, 9:00\u201315:30, room 204",
        "cat-at-home", "Stay-at-home day", "look_at_me", "5*at*2", "10,000,000 & more", "Room 04O2", "H2O 345 678",
        "100%40",
        "insta @kim.lee", "follow @kim.lee on insta", "Insta: @ kim.lee", "meet @ noon. Then raft building",
        "tea @ noon . then home",
        "Painted at Aboriginal dot painting workshop", "Looked at polka dot art", "at dot to dot com\u00adpetition",
        "We looked at dot plots", "looked at this dot example", "met at the dot. Example: 3", "Yr.7 at polka dot party",
        "Ticket #0412345678", "Order#0412345678", "Student #0412 345 678", "item#0412345678", "Ref#0412345678",
        "text 9780306406157", "Call 51824753556", "ring 10000000000", "Text 2: 61 412 words", "called 100 200 300 400",
        "03/2026/2027", "12/0412/345/678", "0412/345", "07/10/08/10", "5:04 12 13", "8:0412", "5:0412345678901",
        "https://wa.me/", "https://t.me/wattlegrovehigh", "https://t.me/c/1234567890/5", "Group 5:04",
    ],
)  # fmt: skip
def test_dates_ids_marks_and_handles_are_no_contact_details(text: str) -> None:
    assert contact_detail_in(text) is None


@given(_WORDS, st.lists(st.tuples(_DAYS, st.sampled_from(_FORMS)), min_size=1, max_size=4), st.sampled_from(_BETWEEN))
def test_no_dates_however_written_are_a_telephone_number(
    words: str, days: list[tuple[date, str]], between: str
) -> None:
    form = days[0][1]
    assert contact_detail_in(words + between.join(day.strftime(form) for day, _ in days)) is None
    assert contact_detail_in(words + f" {between} ".join(day.strftime(each) for day, each in days)) is None


@given(st.datetimes(_DAY_ONE, _DAY_ONE + timedelta(days=40_000)), st.sampled_from(_FORMS), st.sampled_from(" T,"))
def test_no_moment_is_a_telephone_number(at: datetime, form: str, between: str) -> None:
    day, hour, minute, until = at, at.hour, at.minute, at + timedelta(days=1)
    for time in (f"{hour:02}:{minute:02}", f"{hour}.{minute:02}", f"{hour:02}h{minute:02}"):
        assert contact_detail_in(f"{day.strftime(form)}{between}{time} \u2013 {until.strftime(form)}") is None


@given(st.from_regex(r"[A-Z]{1,4}[-_]?[0-9]{4,12}|[1-9][0-9]{3,8}", fullmatch=True), _WORDS)
def test_no_id_is_a_telephone_number(written: str, words: str) -> None:
    assert contact_detail_in(words + written) is None


@given(st.lists(st.integers(0, 100), min_size=2, max_size=12), st.sampled_from([", ", "; ", "/100 ", "%, ", " | "]))
def test_no_list_of_scores_is_a_telephone_number(scores: list[int], between: str) -> None:
    assert contact_detail_in(between.join(map(str, scores))) is None


@given(st.integers(400_000_000, 499_999_999), _WORDS, st.sampled_from(range(6)))
def test_every_australian_mobile_number_is_found_however_it_is_grouped(number: int, words: str, form: int) -> None:
    digits = str(number)
    if not phonenumbers.is_valid_number(phonenumbers.parse(f"+61{digits}")):
        return
    a, b, c = digits[:3], digits[3:6], digits[6:]
    forms = (f"0{a} {b} {c}", f"0{digits}", f"0{a}-{b}-{c}", f"+61 {a} {b} {c}", f"+61{digits}", f"(0{a}) {b}{c}")
    assert contact_detail_in(words + forms[form]) is ContactDetail.TELEPHONE


def test_a_number_of_any_country_is_found_with_its_plus() -> None:
    for region, kind in product(_REGIONS, (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None or len(phonenumbers.national_significant_number(number)) < 7:
            continue
        for form in (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL):
            text = f"Ask Jo, {phonenumbers.format_number(number, form)}, please"
            assert contact_detail_in(text) is ContactDetail.TELEPHONE, text


@given(st.text())
def test_any_text_can_be_looked_at(text: str) -> None:
    contact_detail_in(text)
    contact_detail_in_url(f"https://school.example/{text}")


def test_in_a_link_addresses_are_found_and_numbers_are_ids() -> None:
    assert contact_detail_in_url("https://school.example/?by=zoe%40school.example") is ContactDetail.EMAIL
    assert contact_detail_in_url("https://school.example/zoe@school.example/raft") is ContactDetail.EMAIL
    assert contact_detail_in_url("https://school.example/works/0412345678") is None
    assert contact_detail_in_url("https://video.example/@zoe.smith") is None
