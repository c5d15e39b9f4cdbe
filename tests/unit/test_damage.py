"""Documents that cannot be read are named, and cost no other its place."""

from collections.abc import Sequence
from typing import Any

import pytest

from libs.common.damage import Damage, without_damaged

DOCUMENTS: list[dict[str, Any]] = [
    {"_id": "a", "issuer_id": "north", "n": 1},
    {"_id": b"\x01", "owner": "south"},
    {"_id": "c", "n": 3},
]


def number(document: dict[str, Any]) -> int:
    return int(document["n"])


async def numbers(wanted: Sequence[int]) -> list[int]:
    """Stand for a repository: it raises of all where one cannot be read."""
    if 7 in wanted or 13 in wanted:
        raise ValueError
    return [each * 2 for each in wanted]


def test_what_can_be_read_is_returned_and_the_rest_named_once() -> None:
    damage = Damage()
    for _ in range(2):
        assert damage.readable("issuer.pairs", DOCUMENTS, number) == [1, 3]
    assert damage.found == ["issuer.pairs 01, of south: KeyError"]


def test_where_nobody_notes_it_damage_is_raised() -> None:
    with pytest.raises(KeyError):
        without_damaged(None, "issuer.pairs", DOCUMENTS, number)


async def test_of_ids_asked_together_those_that_cannot_be_read_are_found_out() -> None:
    damage = Damage()
    found = await damage.listed("issuer.pairs", numbers, range(20))
    assert found == [each * 2 for each in range(20) if each not in {7, 13}]
    assert damage.found == ["issuer.pairs 7: ValueError", "issuer.pairs 13: ValueError"]
    assert await damage.listed("issuer.pairs", numbers, []) == []
