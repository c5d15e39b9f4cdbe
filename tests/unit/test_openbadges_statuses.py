"""What a status says beyond revoked: entries of several bits, messages, newer editions; hostile ones decide nothing."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.openbadges.crypto.did import did_document
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusList, entry, list_document
from libs.openbadges.verify import Check, ResolvedInputs, verify
from tests.unit.openbadges_samples import DID, KEY, LIST, METHOD, NOW, badge

MEANINGS = ["pending review", "accepted", "rejected", "undefined"]
INDEX = 70_000


def status(value: int, size: int, *, purpose: str = "message", listed: str | None = None, **changes: Any) -> Check:
    """The status check of a badge whose entry `INDEX` has this value."""
    statuses = StatusList(MINIMUM_SIZE * size)
    statuses.set_value(INDEX, value, size)
    listing = list_document(LIST, DID, statuses, valid_from=NOW, purpose=listed or purpose)
    material = ResolvedInputs(
        {DID: did_document(DID, KEY.public_multibase)}, {LIST: sign(prepare(listing), KEY, METHOD, NOW)}
    )
    document = badge(status={**entry(LIST, INDEX, purpose), **changes})
    return verify(json.dumps(document), material, NOW).check("status")


def messages(*texts: str) -> dict[str, Any]:
    written = entry(LIST, INDEX, "message", messages=texts)
    return {name: written[name] for name in ("statusSize", "statusMessage") if name in written}


@pytest.mark.parametrize(("value", "said"), list(enumerate(MEANINGS)))
def test_a_message_is_told_with_its_value_and_takes_nothing_back(value: int, said: str) -> None:
    check = status(value, 2, **messages(*MEANINGS))
    assert (check.outcome, check.code, check.at) == ("pass", "message", NOW)
    assert f"{value:#x}, “{said}”." in check.message


def test_a_message_says_where_it_is_explained() -> None:
    explained = "https://badges.example/statuses"
    check = status(1, 1, **messages("fine", "on loan"), statusReference=[explained])
    assert check.message.endswith(f"“on loan”. See {explained}")
    assert "See" not in status(1, 1, **messages("fine", "on loan"), statusReference="not an address").message


def test_without_messages_a_set_bit_is_a_message_and_an_unset_one_is_none() -> None:
    assert status(1, 1).code == "message"
    assert status(0, 1).code == "not_set"


def test_a_newer_edition_takes_nothing_back() -> None:
    check = status(1, 1, purpose="refresh")
    assert (check.outcome, check.code) == ("pass", "refresh_available")


@pytest.mark.parametrize(("purpose", "code"), [("revocation", "revoked"), ("suspension", "suspended")])
def test_any_value_but_zero_revokes_or_suspends_and_tells_why(purpose: str, code: str) -> None:
    check = status(2, 2, purpose=purpose, **messages("good", "lost", "awarded in error", "undefined"))
    assert (check.outcome, check.code) == ("fail", code)
    assert "“awarded in error”" in check.message
    assert status(0, 2, purpose=purpose, **messages(*MEANINGS)).code == "not_set"


def test_a_purpose_that_is_not_known_is_unknown_when_set() -> None:
    check = status(3, 2, purpose="loan", **messages(*MEANINGS))
    assert (check.outcome, check.code) == ("unknown", "status_purpose")


def test_a_status_that_revokes_rules_over_a_message() -> None:
    both = [entry(LIST, INDEX, "message", messages=["fine", "on loan"]), entry(LIST, INDEX, "revocation")]
    statuses = StatusList()
    statuses.set(INDEX)
    listing = list_document(LIST, DID, statuses, valid_from=NOW)
    listing["credentialSubject"]["statusPurpose"] = ["message", "revocation"]
    material = ResolvedInputs(
        {DID: did_document(DID, KEY.public_multibase)}, {LIST: sign(prepare(listing), KEY, METHOD, NOW)}
    )
    assert verify(json.dumps(badge(status=both)), material, NOW).check("status").code == "revoked"


def test_a_value_without_a_message_is_told_as_such() -> None:
    wrong = [{"status": "0x0", "message": "fine"}, {"status": "0x0", "message": "fine"}]
    assert "0x1, for which it has no message" in status(1, 1, statusMessage=wrong).message


def test_a_message_is_one_harmless_line_of_limited_length() -> None:
    check = status(1, 1, statusMessage=[{"status": "0x1", "message": "a\x1b[2J\u202e\n" + "b" * 9_000}])
    assert check.message.isprintable()
    assert len(check.message) < 400


@pytest.mark.parametrize("said", [None, 5, "x", [None], [[]], [{"status": 1, "message": "x"}], [{"status": "0xzz"}]])
def test_nonsense_for_messages_raises_nothing_and_revokes_nothing(said: Any) -> None:
    assert status(1, 1, statusMessage=said).outcome == "pass"
    assert status(1, 1, purpose="revocation", statusMessage=said).outcome == "fail"


@pytest.mark.parametrize(
    "types",
    [
        *([], None, 5, {}, "", "Other", [None], ["Other", "Another"], [[]]),
        *("RevocationList2020Status", "RevocationList2021Status", "CredentialStatusList2017", "TokenStatusListEntry"),
    ],
)
def test_a_status_of_no_kind_that_is_known_is_unknown(types: Any) -> None:
    check = status(1, 1, type=types)
    assert (check.outcome, check.code) == ("unknown", "status_kind")


@pytest.mark.parametrize("size", [0, -1, 17, 1.0, True, "2", None, 2**40])
def test_a_number_of_bits_that_is_none_is_unknown(size: Any) -> None:
    check = status(1, 1, statusSize=size)
    assert (check.outcome, check.code) == ("unknown", "MALFORMED_VALUE_ERROR")


def test_a_list_with_too_few_entries_of_this_size_hides_nobody() -> None:
    statuses = StatusList()
    with pytest.raises(CredentialError) as raised:
        statuses.value(0, 2)
    assert raised.value.code == "STATUS_LIST_LENGTH_ERROR"


def test_an_entry_of_several_bits_outside_the_list_is_refused() -> None:
    statuses = StatusList(MINIMUM_SIZE * 3)
    assert statuses.value(MINIMUM_SIZE - 1, 3) == 0
    for index in (MINIMUM_SIZE, -1):
        with pytest.raises(CredentialError) as raised:
            statuses.value(index, 3)
        assert raised.value.code == "RANGE_ERROR"


def test_a_value_that_does_not_fit_and_messages_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(CredentialError, match="0 to 3"):
        StatusList(MINIMUM_SIZE * 2).set_value(0, 4, 2)
    for count in (1, 3, 5):
        with pytest.raises(CredentialError, match="one message for each"):
            entry(LIST, 0, "message", messages=["x"] * count)


def test_bits_of_a_value_stand_in_order_most_significant_first() -> None:
    statuses = StatusList(MINIMUM_SIZE * 4)
    statuses.set_value(1, 0b0110, 4)
    assert statuses.to_bytes()[:1] == bytes([0b0000_0110])


@settings(max_examples=50)
@given(st.integers(1, 4).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, 2**size - 1))))
def test_what_is_written_beside_others_reads_back(written: tuple[int, int]) -> None:
    size, value = written
    statuses = StatusList(MINIMUM_SIZE * size)
    for index in (6, 8):
        statuses.set_value(index, 2**size - 1, size)
    assert statuses.set_value(7, value, size) == (value != 0)
    assert [statuses.value(index, size) for index in (5, 6, 7, 8, 9)] == [0, 2**size - 1, value, 2**size - 1, 0]


def test_a_status_list_is_proven_and_unpacked_once_however_many_entries_point_into_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    decode = StatusList.decode

    def counted(encoded: str, **limits: int) -> StatusList:
        done.append(encoded)
        return decode(encoded, **limits)

    monkeypatch.setattr(StatusList, "decode", counted)
    listing = list_document(LIST, DID, StatusList(), valid_from=NOW)
    material = ResolvedInputs(
        {DID: did_document(DID, KEY.public_multibase)}, {LIST: sign(prepare(listing), KEY, METHOD, NOW)}
    )
    entries = [{**entry(LIST, index), "id": f"{LIST}#{index}"} for index in range(16)]
    assert verify(json.dumps({**badge(), "credentialStatus": entries}), material, NOW).check("status").code == "not_set"
    assert len(done) == 1
