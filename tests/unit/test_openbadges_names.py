"""Names that look alike have one skeleton, and names are shown without what nobody sees."""
# ruff: noqa: RUF001  # letters that look alike are what is tested

import string

import pytest
from confusable_homoglyphs.confusables import confusables_data

from libs.openbadges.trust.names import LONGEST_NAME, shown_name, skeleton

ALIKE = {
    "Cyrillic": "Ваnksіа Соllеgе",
    "Greek": "Βαnksiα Cοllege",
    "capitals": "BANKSIA COLLEGE",
    "spaces": "Banksia   College",
    "no-break space": "Banksia\u00a0College",
    "digits": "Banks1a Co11ege",
    "full width": "Ｂａｎｋｓｉａ College",
    "mathematical": "𝐁𝐚𝐧𝐤𝐬𝐢𝐚 𝐂𝐨𝐥𝐥𝐞𝐠𝐞",
    "accents": "Bánksiá Còllege",
    "zero-width": "Ban\u200bksia\u2060 College\ufeff",
    "bidirectional": "\u202dBanksia College\u202c",
    "soft hyphen": "Bank\u00adsia College",
    "punctuation": "Banksia-College.",
    "variation selector": "Banksia\ufe0f College",
    "Hangul filler": "Banksia\u3164College",
    "lunate sigma": "Banksia \u03f9ollege",
    "small lunate sigma": "Banksia \u03f2ollege",
    "halfwidth line": "Banksia Co\uffe8\uffe8ege",
    "ogonek": "Banks\u02dba College",
    "Hebrew vav": "Banksia Co\u05d5lege",
    "Roman numeral": "Banksia Co\uff4c\u217cege",
    "invisible padding": "\u200b" * LONGEST_NAME + "Banksia College",
    "padding of spaces": " " * LONGEST_NAME + "Banksia College",
}


@pytest.mark.parametrize("kind", ALIKE)
def test_names_that_look_alike_have_one_skeleton(kind: str) -> None:
    assert skeleton(ALIKE[kind]) == skeleton("Banksia College")


def test_every_character_that_looks_like_a_letter_has_the_skeleton_of_that_letter() -> None:
    # The library writes what runs from right to left between marks of direction.
    pairs = [
        (looking.strip("\u200e"), one["c"])
        for looking, alike in confusables_data.items()
        for one in alike
        if one["c"] in string.ascii_letters and len(looking.strip("\u200e")) == 1
    ]
    assert len(pairs) > 1_200
    assert [pair for pair in pairs if skeleton(pair[0]) != skeleton(pair[1])] == []


@pytest.mark.parametrize("other", ["Banksia High School", "Wattle Grove", "College", "バンクシア"])
def test_other_names_have_another(other: str) -> None:
    assert skeleton(other) != skeleton("Banksia College")


def test_a_name_of_nothing_visible_has_an_empty_skeleton() -> None:
    assert skeleton("\u200b\u202e\ufeff") == ""


def test_a_name_is_shown_on_one_line_without_what_is_invisible() -> None:
    assert shown_name("A\u202eB\n\x1b[31m C\u200b") == "AB [31m C"
    assert len(shown_name("x" * 9_999)) == LONGEST_NAME + 1
