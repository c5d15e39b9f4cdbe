"""A name that could be taken for another has the same skeleton."""

import pytest

from libs.openbadges.trust import skeleton


@pytest.mark.parametrize(
    "name",
    [
        "B\u0430nksi\u0430 C\u043ell\u0435g\u0435",  # Cyrillic letters
        "BANKSIA COLLEGE",
        "Banksia CoIIege",  # capital I for l
        "Banks1a C0llege",
        " Banksia\u200b  College ",
        "\uff22anksia \U0001d402ollege",
        "Bänksiá Cöllege",
        "Banksia-College.",
        "Banksia\u202eCollege",
    ],
    ids=ascii,
)
def test_a_name_that_looks_like_another_is_found(name: str) -> None:
    assert skeleton(name) == skeleton("Banksia College") != skeleton("Wattle Grove")


def test_a_letter_that_looks_like_two_is_found() -> None:
    assert skeleton("Morning") == skeleton("Moming")


@pytest.mark.parametrize("name", ["Banksia Cottage", "Banksia Colleges", "Saltbush College", "李小龍"])
def test_another_name_is_another(name: str) -> None:
    assert skeleton(name) != skeleton("Banksia College")


def test_two_letters_in_one_square_are_two() -> None:
    assert skeleton("\U0001f18estract \U0001f192") == skeleton("Abstract cool")
