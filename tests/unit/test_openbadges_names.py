"""Names that look alike have one skeleton, and names are shown without what nobody sees."""
# ruff: noqa: RUF001  # letters that look alike are what is tested

import string

import pytest
from confusable_homoglyphs.confusables import confusables_data

from libs.openbadges.trust.names import (
    LONGEST_NAME,
    likenesses,
    names_installation,
    names_no_school,
    shown_name,
    skeleton,
    sought_likenesses,
    whole_likenesses,
)

STATE = "Wattle State Department of Education"
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
    "strokes": "\u0180anksia C\u00f8\u0142\u0142\u0247ge",
    "bars and hooks": "Ban\u0199s\u0268a Co\u019a\u026bege",
    "stroke as a mark": "Banksia Co\u0338llege",
    "negative squared": "\U0001f171anksia College",
    "negative circled": "\U0001f151anksia \U0001f152ollege",
    "squared": "\U0001f131anksia \U0001f132ollege",
    "circled": "\u24b7anksia \u24d2ollege",
    "flags": "\U0001f1e7anksia \U0001f1e8ollege",
    "currencies": "\u0e3fanksia \u20acollege",
    "circled digits": "Banksia C\u24ff\u2776\u278aege",
    "turned, open and reversed": "B\u0250nksia Colleg\u025b",
    "turned v": "B\u028cnksia College",
    "kra": "Ban\u0138sia College",
    "Cyrillic ka with a stroke": "Ban\u049fsia College",
    "Cyrillic pe": "Ba\u043fksia College",
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


@pytest.mark.parametrize(
    "other",
    [
        "Banksia High School",
        "Wattle Grove",
        "College",
        "バンクシア",
        "\U0001f171 College",
        "Banksia \U0001f3eb",
        "\u24b7",
    ],
)
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
        "\U0001f171anksia College (official)",
        "The real B\u237anksia C\u00f8llege",
        "Banksi\U0001f170 College of Perth",
        "Banksia \u2223 College, Perth",
        "8anksia C0llege of Perth",
        "Banksia Coll&#101;ge",
        "Real\u200b Ban\u200bksia_College",
        "Banks!a College",
        "Banks\u00a1a College",
        "Banks\uff01a College",
        "Banks\u01c3a College",
        "The real Banks!a College!",
        "Bank\u00a7ia College",
        "\u00a7Banksia College",
        "\u00a9Banksia College",
        "Banksia College!Official",
        "Banksia College\u00a7Official",
        "Banksia College!",
    ],
)
def test_a_name_that_holds_another_could_be_taken_for_it(holding: str) -> None:
    assert pretends(holding, "Banksia College")


@pytest.mark.parametrize(
    ("holding", "registered"),
    [
        ("BanksiaCollege (official)", "Banksia College"),
        ("BanksiaCollege Office", "Banksia College"),
        ("Banksia\u00adCollege Office", "Banksia College"),
        ("Banksia\u200bCollege Office", "Banksia College"),
        ("Banksia\u2060College\u00ad Office", "Banksia College"),
        ("Office of BanksiaColleges", "Banksia College"),
        ("B\u0430nksiaC\u043ellege Office", "Banksia College"),
        ("BANKSIAC0LLEGE OFFICE", "Banksia College"),
        ("The real BanksiaCollage", "Banksia College"),
        ("BanksiaColege (official)", "Banksia College"),
        ("One Two Three Four Five Six Seven BanksiaCollege", "Banksia College"),
        ("BanksiaCollegeOffice", "Banksia College"),
        ("TheRealBanksiaCollege of Perth", "Banksia College"),
        ("B\u0430nksi\u0430\u0421ollege\u041effice", "Banksia College"),
        ("CollegeOfBanksia (official)", "College of Banksia"),
        ("CollegeBanksia (official)", "College of Banksia"),
        ("BanksiaCollege (official)", "BanksiaCollege"),
        ("StMarysCollege Office", "St Mary's College"),
        ("WattleGrove (official)", "Wattle Grove"),
        ("WattleGrovePrimarySchool, Perth", "Wattle Grove Primary School"),
        ("WattleGrove Primary School (official)", "Wattle Grove Primary School"),
    ],
)
def test_a_name_that_holds_another_as_one_word_could_be_taken_for_it(holding: str, registered: str) -> None:
    assert pretends(holding, registered)


@pytest.mark.parametrize(
    ("short", "registered"),
    [
        ("Banksia Coll. (official)", "Banksia College"),
        ("Banksia Coll.", "Banksia College"),
        ("Banksia Col.", "Banksia College"),
        ("Banksia College", "Banksia Coll."),
        ("Wattle Grove Primary Sch.", "Wattle Grove Primary School"),
        ("Uni. of Banksia", "University of Banksia"),
        ("Banksia Univ", "University of Banksia"),
        ("Lyrebird Acad. Office", "Lyrebird Academy"),
        ("Saltbush Inst.", "Saltbush Institute"),
        ("Dept. of Education", STATE),
        ("Dept of Ed", "Department of Education"),
        ("Dept of Ed", STATE),
        ("Department of Ed.", "Department of Education"),
        ("Dep't of Educ.", "Department of Education"),
        ("Kensington Prim. School", "Kensington Primary School"),
        ("Kensington P.S.", "Kensington Primary School"),
        ("Kensington P. S.", "Kensington Public School"),
        ("Kensington PS (official)", "Kensington Primary School"),
        ("KensingtonPS", "Kensington Primary School"),
        ("Kensington Primary School", "Kensington P.S."),
        ("Kensington Public School, the real one", "Kensington PS"),
        ("Wattle Grove HS", "Wattle Grove High School"),
        ("Wattle Grove Sec. Coll.", "Wattle Grove S.C."),
        ("Saint Mary's Primary School", "St Mary's Primary School"),
        ("St. Mary's Primary School", "Saint Mary's Primary School"),
        ("St Mary's PS", "St Mary's Primary School"),
        ("St Mary's P.S.", "Saint Mary's Primary School"),
        ("Saint Mary's PS, Perth", "St Mary's Primary School"),
        ("SaintMarysCollege Office", "Saint Mary's College"),
    ],
)
def test_what_a_word_is_short_for_makes_no_other_name(short: str, registered: str) -> None:
    assert pretends(short, registered)


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("Parkside Primary School", "Park"),
        ("Park Primary School", "Park"),
        ("Kensington Primary School", "Kensington"),
        ("Springdale Primary School", "Springvale"),
        ("Parklands College", "Park Lane"),
        ("Collegiate School Perth", "College"),
        ("Wattle College", "College"),
        ("Wattle Preschool", "Preschool"),
        ("McDonald Primary School", "Mcdonald"),
        ("BanksiaPrimary School", "Banksia College"),
        ("Banksiacolleges", "Wattle College"),
        ("Northbank Primary School", "North Ban"),
        ("Sunnyband Primary School", "Sunny Bank"),
        ("Colton Institute", "Colton College"),
        ("Instow Academy", "Stow Academy"),
        ("Schofields Public School", "Fields Public School"),
        ("Unity College", "University College"),
        ("Banksia Sch.", "Banksia College"),
        ("Kensington Primary School", "Kensington Public School"),
        ("Kensington PS", "Kensington High School"),
        ("Saint Mark's PS", "St Mary's Primary School"),
        ("Ed Smith Academy", "Department of Education"),
    ],
)
def test_a_place_or_a_word_that_begins_as_another_is_not_taken_for_it(name: str, registered: str) -> None:
    assert not pretends(name, registered)


def pretends(name: str, registered: str) -> bool:
    """Whether a stranger's name, or one that a school would take, could be taken for that of a registered party."""
    return bool(sought_likenesses(name) & likenesses(registered))


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("College Banksia", "Banksia College"),
        ("CollegeBanksia", "Banksia College"),
        ("The College of Banksia", "Banksia College"),
        ("C\u043ellege B\u0430nksia", "Banksia College"),
        ("College Banksia (official)", "Banksia College"),
        ("School Primary Grove Wattle", "Wattle Grove Primary School"),
        ("Primary School, Wattle Grove", "Wattle Grove Primary School"),
        ("Banksia Colleges", "Banksia College"),
        ("Banksia \u20b5ollege", "Banksia College"),
        ("B4nksi4 Colle9e", "Banksia College"),
        ("\u00a9ollege Banksia", "Banksia College"),
        ("Wattle State Dept of Education", STATE),
        ("Dept. of Education", STATE),
        ("Department of Education", STATE),
        ("Education Department", STATE),
        ("The Department for Education", STATE),
        ("Wattle State", STATE),
        ("Wattle State Education Department", STATE),
        ("D\u0435partment  of-Education", STATE),
        (f"{STATE}, Office of Records", STATE),
    ],
)
def test_words_in_another_order_and_a_part_of_a_name_could_be_taken_for_it(name: str, registered: str) -> None:
    assert pretends(name, registered)


PLACES = (
    "Banksia",
    "Wattle Grove",
    "North Banksia",
    "Saint Mary's",
    "East Perth",
    "River Bend",
    "Hill",
    "Lakes Entrance",
)
KINDS = ("College", "Primary", "Primary School", "High School", "Grammar", "Senior College", "School for the Deaf")
ORDINARY = [
    (f"{place} {kind}", f"{other} {another}")
    for place in PLACES
    for kind in KINDS
    for other in PLACES
    for another in KINDS
    # 'North Banksia Primary School' does hold the name of another school, and 'Primary' is a part of 'Primary School'.
    if (place, kind) != (other, another) and place not in other and other not in place
] + [
    (f"{place} {kind}", f"{place} {another}")
    for place in PLACES
    for kind in KINDS
    for another in KINDS
    if kind not in another and another not in kind
]


def test_ordinary_schools_that_share_words_are_not_taken_for_each_other() -> None:
    assert len(ORDINARY) > 2_000
    assert [pair for pair in ORDINARY if pretends(*pair)] == []
    assert not pretends("Department of Health", STATE)
    assert not pretends("Banksia", "Banksia College")


def test_a_registered_name_is_compared_as_a_whole_with_others() -> None:
    # Schools of one department hold each other's words; each was registered by whoever answers for it.
    assert not whole_likenesses("Banksia College") & likenesses("Banksia College Junior School")
    assert not whole_likenesses("Department of Education") & likenesses(STATE)
    assert whole_likenesses("College Banksia") & likenesses("Banksia College")


@pytest.mark.parametrize(
    "name",
    [
        "Every check passes",
        "Registered issuer",
        "This badge is real",
        "Signed by Banksia",
        "Bowerbird Team",
        "B\u043ewerbird",
        "An unknown party",
        "X, registered here",
        "did:web:a.example",
        "127.0.0.1:8103",
        "[::1]:8103",
        ".",
        "Q",
    ],
)
def test_names_that_speak_for_the_verifier_are_no_schools(name: str) -> None:
    assert names_no_school(name, HOST)


HOST = "badges.wattle.example"


@pytest.mark.parametrize(
    "name", ["badges.wattle.example", "Badges Wattle Example", "The b\u0430dges.wattle.example team", "Bowerbird"]
)
def test_a_name_that_reads_as_the_host_or_the_product_is_the_installations(name: str) -> None:
    assert names_installation(name, HOST)
    assert names_no_school(name, HOST)


@pytest.mark.parametrize(
    "name",
    ["Banksia College", "Bower Primary School", "\u30d0\u30f3\u30af\u30b7\u30a2", "Wattle Badges", "Wattle Grove"],
)
def test_names_of_schools_are(name: str) -> None:
    assert not names_no_school(name, HOST)
    assert not names_no_school(name, "::1")


@pytest.mark.parametrize("other", ["Banksia and College", "College Hill", "a b c d", "Ba nk"])
def test_a_name_that_shares_words_with_another_does_not(other: str) -> None:
    assert not pretends(other, "Banksia College")


def test_a_mark_or_sign_for_a_letter_of_a_short_word_makes_no_other_name() -> None:
    for name in ("R!ver School", "River \u00a7chool", "R!ver School (official)", "The River \u00a7chool, Perth"):
        assert pretends(name, "River School")
    assert pretends("\u00a9River School", "River School")


def test_the_longest_name_has_a_bounded_number_of_likenesses() -> None:
    longest = " ".join(f"{first}{second}" for first in "abcdefgh" for second in "abcdefgh")
    assert 200 < len(sought_likenesses(longest)) <= 800
    assert 100 < len(likenesses(longest)) <= 400


def test_a_name_of_nothing_visible_has_an_empty_skeleton() -> None:
    assert skeleton("\u200b\u202e\ufeff") == ""


def test_a_name_is_shown_on_one_line_without_what_is_invisible() -> None:
    assert shown_name("A\u202eB\n\x1b[31m C\u200b") == "AB [31m C"
    assert len(shown_name("x" * 9_999)) == LONGEST_NAME + 1
