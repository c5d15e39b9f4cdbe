"""Names that look alike have one skeleton, and names are shown without what nobody sees."""
# ruff: noqa: RUF001  # letters that look alike are what is tested

import string

import pytest
from confusable_homoglyphs.confusables import confusables_data

from libs.openbadges.trust.names import LONGEST_NAME, names_no_school, shown_name, skeleton, skeletons

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


@pytest.mark.parametrize(
    "holding",
    [
        "The Banksia College",
        "Banksia College (official)",
        "Banksia College \u2714 Verified",
        "Banksia College, registered here",
        "\u0299anksia College",
        "8anksia C0llege of Perth",
        "Banksia Coll&#101;ge",
        "Real\u200b Ban\u200bksia_College",
    ],
)
def test_a_name_that_holds_another_has_its_skeleton_too(holding: str) -> None:
    assert skeleton("Banksia College") in skeletons(holding)


@pytest.mark.parametrize(
    "name",
    ["Bowerbird Team", "B\u043ewerbird", "An unknown party", "X, registered here", "did:web:a.example", ".", "Q"],
)
def test_names_that_speak_for_the_verifier_are_no_schools(name: str) -> None:
    assert names_no_school(name)


@pytest.mark.parametrize("name", ["Banksia College", "Bower Primary School", "\u30d0\u30f3\u30af\u30b7\u30a2"])
def test_names_of_schools_are(name: str) -> None:
    assert not names_no_school(name)


@pytest.mark.parametrize("other", ["Banksia and College", "College Hill", "a b c d", "Ba nk"])
def test_a_name_that_shares_words_with_another_does_not(other: str) -> None:
    assert skeleton("Banksia College") not in skeletons(other)


def test_the_longest_name_has_a_bounded_number_of_skeletons() -> None:
    assert len(skeletons("ab " * 9_999)) <= 400


def test_a_name_of_nothing_visible_has_an_empty_skeleton() -> None:
    assert skeleton("\u200b\u202e\ufeff") == ""


def test_a_name_is_shown_on_one_line_without_what_is_invisible() -> None:
    assert shown_name("A\u202eB\n\x1b[31m C\u200b") == "AB [31m C"
    assert len(shown_name("x" * 9_999)) == LONGEST_NAME + 1
