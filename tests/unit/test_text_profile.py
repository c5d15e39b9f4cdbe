"""Names and signed texts are cleaned in the ways that the profile states, or refused with the code point and place."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.text import MOST_MARKS, TextRefusedError, clean_line, clean_text

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"

WRITTEN_SO = [
    "Zoë Ånström",
    "Ngô Thị Ánh",
    "李小龍さん",
    "葛\U000e0100城",  # the variant of a name
    "می‌خواهم",  # Persian: a non-joiner between letters that join
    "क्‍ष",  # Hindi: a joiner after a virama
    "ක්‍රමය",  # Sinhala
    "র‍্যাম",  # Bengali: a joiner before a virama
    "👩🏽‍🚀 👨‍👩‍👧‍👦 ❤️‍🔥 🏳️‍🌈 1️⃣",
    ENGLAND,
    "שָׁלוֹם",
    "ཧཱུྂ",
    "O'Neill-Smith (7B) & Co. 100%",
    "\u0661\u0664\u0664\u0667\u0600",  # an Arabic sign of number
]  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN_SO, ids=ascii)
def test_what_people_write_stays_as_they_write_it(text: str) -> None:
    assert clean_line(text) == clean_text(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\ufeff Zoë\u00a0Ånström\u3000\t", "Zoë Ånström"),
        ("Zoe\u0308", "Zoë"),
        ("Ban\u200bk\u00adsia\u2060", "Banksia"),
        ("\u200eBanksia\u200f\u061c", "Banksia"),
        ("Raft\r\nbuilding\tin  rain\u2028today", "Raft building in rain today"),
        ("a\u200db\u200cc", "abc"),
        ("x\ufe0fy\U000e0100z\ufe00", "xyz"),
        ("Hi\U000e0041\U000e0042\U000e007f", "Hi"),
        ("\u3164\u115f\u2800\u17b5", ""),
        ("\U0001d173x\U0001bca0", "x"),
        ("\U0001f3f4\U000e0068\U000e0069\U000e007f", "\U0001f3f4"),  # no flag that there is
    ],
    ids=ascii,
)
def test_what_says_nothing_is_taken_out(text: str, cleaned: str) -> None:
    assert clean_line(text) == cleaned


def test_a_text_keeps_its_lines_and_a_line_has_one() -> None:
    assert clean_text(" one \r\ntwo\r\rthree\u2029four\u0085 \n") == "one\ntwo\n\nthree\nfour"
    assert clean_line(" one \r\ntwo\r\rthree\u2029four\u0085 \n") == "one two three four"


@pytest.mark.parametrize(
    ("text", "code_point", "place"),
    [
        ("a\x00", "U+0000", 2),
        ("Goes on.\x0bLearns.", "U+000B", 9),
        ("\x1b[31mred", "U+001B", 1),
        ("ab\x7f", "U+007F", 3),
        ("a\x9f", "U+009F", 2),
        ("a\u202eb", "U+202E", 2),
        ("\u2066a", "U+2066", 1),
        ("a\u206ab", "U+206A", 2),
        ("a\ue000", "U+E000", 2),
        ("a\U000f0000", "U+F0000", 2),
        ("a\ud800", "U+D800", 2),
        ("a\u0378", "U+0378", 2),
        ("a\ufdd0", "U+FDD0", 2),
        ("a\U0001ffff", "U+1FFFF", 2),
        ("Zo\ufffd", "U+FFFD", 3),
        ("\ufff9a", "U+FFF9", 1),
    ],
    ids=ascii,
)
def test_what_no_text_may_hold_is_named_with_its_place(text: str, code_point: str, place: int) -> None:
    for clean in (clean_line, clean_text):
        with pytest.raises(TextRefusedError, match=rf"{code_point.replace('+', '.')}.* at character {place}\b"):
            clean(text)


def test_marks_are_not_heaped_upon_one_letter() -> None:
    heap = "".join(chr(0x0310 + number) for number in range(MOST_MARKS))
    assert clean_line(f"x{heap}y") == f"x{heap}y"
    with pytest.raises(TextRefusedError, match="more than 4 marks"):
        clean_line(f"x{heap}\u0320")


_ODD = (
    "a1 \u0627\u0631\u06cc\u0915\u094d\u0930\u200c\u200d\ufe0f\ufe0e👩🚀🏽\u0301❤葛\U000e0100\U000e0067\U000e007f🏴"
    "\n\t\r\u00a0\u200b\u2028\u200e"
)


@settings(max_examples=500)
@given(st.text(st.one_of(st.characters(), st.sampled_from(_ODD)), max_size=12))
def test_what_is_clean_is_clean_already(text: str) -> None:
    for clean in (clean_line, clean_text):
        try:
            cleaned = clean(text)
        except TextRefusedError:
            continue
        assert clean(cleaned) == cleaned == cleaned.strip()
        assert unicodedata.is_normalized("NFC", cleaned)
        assert not {unicodedata.category(each) for each in cleaned.replace("\n", "")} & {"Cc", "Co", "Cs", "Zl", "Zp"}
    if "\n" not in text:
        assert "\n" not in clean_line_or_nothing(text)


def clean_line_or_nothing(text: str) -> str:
    try:
        return clean_line(text)
    except TextRefusedError:
        return ""
