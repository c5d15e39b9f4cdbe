"""A name that differs from a registered one by a slip could be taken for it; names of other schools could not."""

from itertools import permutations

import pytest

from libs.openbadges.trust.names import LONGEST_NAME, likenesses, names_no_school, sought_likenesses, whole_likenesses

COLLEGE, ACADEMY, HIGH = "Banksia College", "Lyrebird Academy", "Saltbush High School"
STATE = "Wattle State Department of Education"


def pretends(name: str, registered: str) -> bool:
    """Whether a stranger's name, or one that a school would take, could be taken for that of a registered party."""
    return bool(sought_likenesses(name) & likenesses(registered))


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        *((name, COLLEGE) for name in (
            "Banskia College", "Banksai College", "Abnksia College", "Banksia Collage", "Banksia Colege",
            "Banksia Collegge", "Bannksia College", "Banksa College", "Bamksia College", "Banksia Gollege",
            "Banksia Colleeg", "Banksia Colleges", "Banksias College", "Banksia\u2019s College", "Banksia's College",
            "BanksiaCollage", "Banksia-Collage", "Collage of Banksia", "College of Banskia", "The real Banskia College",
            "Banksia Collage (official)", "Banksia 6ollege", "Bank5ia C0lle6e", "Banksia College 2", "BANKSIA COLLAGE",
            "Banksia (ollege", "Banskia Collage", "Collegge of Bansia", "[anksia College", "Banksia <ollege (official)",
            "BA\u0418KSIA COLLEGE", "\u0411\u0410\u0418KSIA COLLEGE", "BANK\u03a3IA COLLEGE", "B\u039bNKSIA COLLEGE",
            "\u00dfanksia College", "\u03b2anksia College", "Banksia Colleg\u0258", "Banksia Coll\u0259ge",
            "Banksia C\u0251llege", "Banksia \u1455ollege", "Banksia C\uab8ellege", "Banksia Colle\uff51e",
        )),
        *((name, ACADEMY) for name in (
            "L\u00a5rebird Academy", "Lyrebird Acad\u20acmy", "Lyrebird Acedemy", "Liyrebird Academy",
        )),
        *((name, HIGH) for name in ("Saltbrush High School", "Satlbush High School", "Saltbush Hihg School")),
        *((name, STATE) for name in (
            "Wattle State Departement of Education", "Wattle St. Department of Education",
            "Wattle State Dept of Educaton", "Wattel State Department of Education", "Ministry of Education",
            "Wattle State Ministry of Education", "Education Ministry, Wattle State", "Bureau of Edukation",
        )),
        *((name, COLLEGE) for name in (
            "Banksia Koledge", "Banksia Kollege", "Banksia Colledge", "Koledge of Banskia", "Banxia College",
            "Banckzia Kolledge", "BANCSIA COLLEGE", "The real Banksya Koledge", "Banxia Koledge (official)",
        )),
        *((name, "Pheasant Creek Centre") for name in ("Feasant Kreek Center", "Pheazant Creek Senter")),
        ("Lyrebird Akademy", ACADEMY), ("Lirebird Akkademi", ACADEMY), ("Saltbush High Skool", HIGH),
    ],
)  # fmt: skip
def test_a_name_with_a_slip_could_be_taken_for_a_registered_one(name: str, registered: str) -> None:
    assert pretends(name, registered)


# As schools are called: many are one letter apart in a short word, in the first one, or in what ends names of places.
SCHOOLS = """
Banksia Park Primary School; Banksia Park High School; Banksia Grove Primary School; Banksia Road Public School
St Mary's Primary School; St Mark's Primary School; St Martin's Primary School; St Marys College; St Mark's College
St John's Grammar School; St Joan's Grammar School; St Joseph's School Ashby; St Joseph's School Ashbury
Hilton Primary School; Milton Primary School; Wilton Primary School; Tilton Primary School; Melton Primary School
Lara Primary School; Tara Primary School; Yara Primary School; Kew Primary School; Yea Primary School
Ferndale High School; Fernvale High School; Rosedale State School; Rosevale State School; Parkdale Secondary College
Mayfield Public School; Bayfield Public School; Hayfield Public School; Wakefield Public School
East Hills Girls High School; West Hills Girls High School; East Hills Boys High School; Northern Bay College
Southern Bay College; Sunnyside Primary School; Sunnybank Primary School; Sunnybank Hills State School
Springvale Primary School; Springdale Primary School; Springfield Central State School; Springfield Lakes State School
Mount Barker High School; Mount Baker Primary; Mount Lawley Senior High School; Mount Lawley Primary School
Burwood Heights Primary School; Burwood East Primary School; Burwood Public School; Sherwood Public School
Kingston State College; Kingsway Christian College; Kingsley Primary School; Kingscote Area School
Newtown High School of the Performing Arts; Newport Public School; Newham Primary School; Newhaven College
Wodonga Primary School; Wodonga West Primary School; Woodend Primary School; Woodvale Secondary College
Woodville High School; Woodville Primary School; Glenroy College; Glenelg Primary School; Glen Eira College
Glen Iris Primary School; Glen Waverley Secondary College; Mount Waverley Secondary College; Waverley College
Carlton Public School; Carlton North Primary School; Clayton North Primary School; Clayton South Primary School
Oakleigh Primary School; Oakleigh South Primary School; Oakley Public School; Oatley Public School
Rossmoyne Senior High School; Rossmoyne Primary School; Ross Park Primary School; Rose Park Primary School
Port Augusta Secondary School; Port Lincoln High School; Fort Street High School; Ford Street High School
Perth Modern School; Perth College; North Perth Primary School; South Perth Primary School
West Leederville Primary School
Dandenong North Primary School; Dandenong South Primary School; Dandenong West Primary School; Dandenong Primary School
Victoria Park Primary School; East Victoria Park Primary School; Alice Springs Language Centre; Alice Miller School
School of the Air; School for the Deaf; Distance Education Centre; Centre for Learning No 1; Centre for Learning No 2
Wagga Wagga High School; Wagga Wagga Christian College; Christian Brothers College; Lutheran College; Marist College
Trinity Grammar School; Trinity Lutheran College; Trinity Anglican School; Trinity Catholic College; Penrhos College
Yarra Primary School; Clare High School; Claremont College; Clayfield College; Claymore Public School
Kelmscott Senior High School; Kensington Primary School; Keysborough College; Kew High School; Kyneton High School
St Cecilia's Primary School; St Clare's Primary School; St Columba's Primary School; St Kevin's Primary School
St Kieran's Primary School; St Philip's Primary School; St Brigid's School; St Bridget's School; St Francis School
Marion Primary School; Marian Primary School; Lalor Primary School; Taylor Primary School; Tyler Primary School
Casuarina Senior College; Casuarina Street Primary School; Darwin High School; Palmerston Senior College
\u6a2a\u6d5c\u5e02\u7acb\u7b2c\u4e00\u5c0f\u5b66\u6821; \u6a2a\u6d5c\u5e02\u7acb\u7b2c\u4e8c\u5c0f\u5b66\u6821
\u0428\u043a\u043e\u043b\u0430 1; \u0428\u043a\u043e\u043b\u0430 2
\u0413\u0438\u043c\u043d\u0430\u0437\u0438\u044f; \u041b\u0438\u0446\u0435\u0439
"""
NAMES = [name.strip() for name in SCHOOLS.replace("\n", ";").split(";") if name.strip()]


def test_no_school_of_a_list_as_they_are_called_is_taken_for_another() -> None:
    assert len(NAMES) > 120
    marked = {(name, other) for name, other in permutations(NAMES, 2) if pretends(name, other)}
    # These hold the whole name of another, or are a part of it.
    holding = {pair for pair in marked if set(pair[0].split()) <= set(pair[1].split())}
    holding |= {pair for pair in marked if set(pair[1].split()) <= set(pair[0].split())}
    assert marked - holding == set()
    assert not any(names_no_school(name, "badges.wattle.example") for name in NAMES)


def test_of_two_registered_names_a_slip_apart_neither_is_marked() -> None:
    assert not whole_likenesses("Banksia Collage") & likenesses(COLLEGE)


@pytest.mark.parametrize("letters", [4, 6, 7, 8, 10, 20, 32, 64, 200])
def test_a_name_of_any_words_has_a_bounded_number_of_likenesses(letters: int) -> None:
    longest = " ".join(
        f"{number:x}".rjust(letters, "abdehkprwy"[number % 10]) for number in range(201 // (letters + 1))
    )
    for within in (LONGEST_NAME, 64):
        sought, kept = sought_likenesses(longest[:within]), likenesses(longest[:within])
        assert (len(sought) <= 2_000, len(kept) <= 600) == (True, True)
        assert sum(map(len, sought)) < 150_000


@pytest.mark.parametrize(
    "name",
    ["Verified", "\u2611 Trusted", "reqistered here", "localhost", "127.0.0.1", "::1", "Official", "V\u0435rified."],
)
def test_words_of_a_verdict_and_of_networks_are_no_names(name: str) -> None:
    assert names_no_school(name, "badges.wattle.example")
