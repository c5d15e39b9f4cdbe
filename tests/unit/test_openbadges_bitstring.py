"""Status lists: bits where the standard has them, indexes that nobody can guess, and no bombs."""

import base64
import gzip
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.openbadges.model.budget import Budget, shared_budget
from libs.openbadges.model.errors import CredentialError, LimitError
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusIndexes, StatusList, entry


def packed(raw: bytes) -> str:
    return "u" + base64.urlsafe_b64encode(gzip.compress(raw)).rstrip(b"=").decode()


def test_entry_zero_is_the_most_significant_bit_of_the_first_byte() -> None:
    statuses = StatusList()
    statuses.set(0)
    statuses.set(9)
    assert statuses.to_bytes()[:2] == b"\x80\x40"


def test_setting_tells_whether_it_changed_anything() -> None:
    statuses = StatusList()
    assert [statuses.set(5), statuses.set(5), statuses.set(5, False), statuses.get(5)] == [True, False, True, False]


def test_a_list_reads_back_as_it_was_written() -> None:
    statuses = StatusList()
    for index in (0, 1, 77, MINIMUM_SIZE - 1):
        statuses.set(index)
    again = StatusList.decode(statuses.encode())
    assert again.to_bytes() == statuses.to_bytes()
    assert statuses.encode() == again.encode()
    assert len(again) == MINIMUM_SIZE


def test_the_empty_list_of_the_recommendation_decodes() -> None:
    # Bitstring Status List 1.0, example 2.
    encoded = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"
    statuses = StatusList.decode(encoded)
    assert len(statuses) == MINIMUM_SIZE
    assert not any(statuses.to_bytes())


def test_a_list_is_never_shorter_than_the_standard_asks() -> None:
    for bits in (b"", bytes(100)):
        with pytest.raises(CredentialError, match="entries or more"):
            StatusList(bits=bits)
    with pytest.raises(CredentialError):
        StatusList(1024)
    with pytest.raises(CredentialError, match="entries or more"):
        StatusList.decode(packed(bytes(100)))


def test_an_index_outside_the_list_is_refused() -> None:
    for index in (-1, MINIMUM_SIZE):
        with pytest.raises(CredentialError) as raised:
            StatusList().get(index)
        assert raised.value.code == "RANGE_ERROR"


def test_a_bomb_ends_in_an_error_and_not_in_memory() -> None:
    with pytest.raises(LimitError):
        StatusList.decode(packed(bytes(50_000_000)), maximum_bytes=1_000_000)


@pytest.mark.parametrize(
    "encoded", ["", "z123", "u", "u!!!!", "uAAAA", packed(bytes(20_000))[:-8], packed(bytes(20_000)) + "AAAA"]
)
def test_what_is_no_encoded_list_is_refused(encoded: str) -> None:
    with pytest.raises(CredentialError) as raised:
        StatusList.decode(encoded)
    assert raised.value.code == "MALFORMED_VALUE_ERROR"


@pytest.mark.parametrize("size", [2, 3, 1000, 4096])
def test_every_index_is_given_out_exactly_once(size: int) -> None:
    indexes = StatusIndexes(b"k" * 32, size)
    assert sorted(indexes.index(counter) for counter in range(size)) == list(range(size))


def test_indexes_follow_from_the_key_and_look_unrelated_to_the_counter() -> None:
    one, same, other = (StatusIndexes(key * 32, MINIMUM_SIZE) for key in (b"a", b"a", b"b"))
    first = [one.index(counter) for counter in range(500)]
    assert first == [same.index(counter) for counter in range(500)]
    assert len(set(first) & {other.index(counter) for counter in range(500)}) < 20
    neighbours = sum(abs(a - b) < 100 for a, b in pairwise(first))
    assert neighbours < 10


def test_a_full_list_and_a_weak_key_are_refused() -> None:
    with pytest.raises(CredentialError, match="none of them"):
        StatusIndexes(b"k" * 32, 1000).index(1000)
    with pytest.raises(CredentialError, match="16 to 64"):
        StatusIndexes(b"short", 1000)


@given(st.sets(st.integers(0, MINIMUM_SIZE - 1), max_size=50))
def test_exactly_the_set_entries_are_set(indexes: set[int]) -> None:
    statuses = StatusList()
    for index in indexes:
        statuses.set(index)
    again = StatusList.decode(statuses.encode())
    assert sum(byte.bit_count() for byte in again.to_bytes()) == len(indexes)
    assert all(again.get(index) for index in indexes)


def test_an_entry_names_list_index_and_purpose_as_text() -> None:
    assert entry("https://badges.example/status/1", 94567) == {
        "id": "https://badges.example/status/1#94567",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "94567",
        "statusListCredential": "https://badges.example/status/1",
    }


def test_unpacking_a_list_is_work_of_the_request() -> None:
    with shared_budget(Budget()) as budget:
        StatusList.decode(StatusList(1 << 20).encode())
    assert budget.spent > 100
