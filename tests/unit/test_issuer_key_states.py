"""The states of signing keys: which change may follow which, and what the DID document says of each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import ConflictError, NotFoundError
from services.issuer.keys import states
from services.issuer.keys.did_documents import did_document
from services.issuer.keys.states import KeyState, SigningKey

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DID = "did:web:badges.example:issuers:wattle"
HOUR = timedelta(hours=1)


def key(key_id: str, state: KeyState, *, at: datetime = NOW, published: bool = True) -> SigningKey:
    return SigningKey(key_id, "wattle", state, {state: at}, NOW if state is KeyState.COMPROMISED else None, published)


ACTIVE, NEXT = key("z1", KeyState.ACTIVE), key("z2", KeyState.NEXT)


def test_activating_the_next_key_retires_the_active_one_first() -> None:
    old, new = states.activate([ACTIVE, NEXT], "z2", NOW + HOUR)
    assert (old.key_id, old.state, old.times[KeyState.RETIRING]) == ("z1", KeyState.RETIRING, NOW + HOUR)
    assert (new.key_id, new.state, new.times) == (
        "z2",
        KeyState.ACTIVE,
        {KeyState.NEXT: NOW, KeyState.ACTIVE: NOW + HOUR},
    )
    assert not old.published
    assert not new.published


def test_a_key_that_no_published_did_document_holds_cannot_sign() -> None:
    with pytest.raises(ConflictError, match="not in the published DID document"):
        states.activate([ACTIVE, key("z2", KeyState.NEXT, published=False)], "z2", NOW)


def test_the_active_key_cannot_retire_and_one_that_signed_a_moment_ago_neither() -> None:
    with pytest.raises(ConflictError, match="activate the next key first"):
        states.retire([ACTIVE, NEXT], "z1", NOW)
    retiring = key("z1", KeyState.RETIRING)
    with pytest.raises(ConflictError, match="60 seconds"):
        states.retire([retiring], "z1", NOW + timedelta(seconds=59))
    (retired,) = states.retire([retiring], "z1", NOW + timedelta(seconds=60))
    assert retired.state is KeyState.RETIRED


def test_the_next_key_takes_the_place_of_an_active_one_that_is_distrusted() -> None:
    old, new = states.distrust([ACTIVE, NEXT], "z1", NOW + HOUR, NOW)
    assert (old.key_id, old.state, old.distrusted_from) == ("z1", KeyState.COMPROMISED, NOW)
    assert (new.key_id, new.state, new.times[KeyState.ACTIVE]) == ("z2", KeyState.ACTIVE, NOW + HOUR)


def test_no_issuer_is_left_without_a_key_for_which_the_evidence_of_all_would_wait() -> None:
    with pytest.raises(ConflictError, match="add the next key first"):
        states.distrust([ACTIVE], "z1", NOW, NOW)
    with pytest.raises(ConflictError, match="not in the published DID document"):
        states.distrust([ACTIVE, key("z2", KeyState.NEXT, published=False)], "z1", NOW, NOW)


def test_signatures_are_distrusted_from_a_moment_that_may_become_earlier_and_never_later() -> None:
    active = key("z1", KeyState.ACTIVE, at=NOW - HOUR)
    first, _ = states.distrust([active, NEXT], "z1", NOW + HOUR, NOW)
    assert (first.state, first.distrusted_from) == (KeyState.COMPROMISED, NOW)
    assert states.distrust([first], "z1", NOW + HOUR, NOW + timedelta(minutes=1)) == []
    (earlier,) = states.distrust([first], "z1", NOW + HOUR, NOW - HOUR)
    assert earlier.distrusted_from == NOW - HOUR
    with pytest.raises(ConflictError, match="not from a later one"):
        states.distrust([ACTIVE, NEXT], "z1", NOW, NOW + HOUR)


@pytest.mark.parametrize(
    "since", [datetime(1900, 1, 1, tzinfo=UTC), datetime.min.replace(tzinfo=timezone(HOUR)), NOW - HOUR / 3600]
)
@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.COMPROMISED])
def test_nothing_is_distrusted_from_before_the_key_was_made(since: datetime, state: KeyState) -> None:
    with pytest.raises(ConflictError, match="before it was made"):
        states.distrust([key("z1", state), NEXT], "z1", NOW + HOUR, since)


def test_asking_for_the_state_that_a_key_is_in_changes_nothing() -> None:
    assert states.activate([ACTIVE], "z1", NOW) == []
    assert states.retire([key("z1", KeyState.RETIRED)], "z1", NOW) == []


def test_a_key_of_nobody_is_not_found() -> None:
    for change in (states.activate, states.retire):
        with pytest.raises(NotFoundError):
            change([ACTIVE], "z9", NOW)


STEPS = st.lists(st.tuples(st.sampled_from(["add", "activate", "retire", "distrust"]), st.integers(0, 5)), max_size=30)


def changes(what: str, keys: list[SigningKey], key_id: str, at: datetime) -> list[SigningKey]:
    if what == "activate":
        return states.activate(keys, key_id, at)
    if what == "retire":
        return states.retire(keys, key_id, at)
    return states.distrust(keys, key_id, at, at) if what == "distrust" else []


@given(steps=STEPS)
def test_whatever_is_asked_for_one_key_signs_none_comes_back_and_each_stays_in_the_document(
    steps: list[tuple[str, int]],
) -> None:
    keys: dict[str, SigningKey] = {"z0": key("z0", KeyState.ACTIVE)}
    for number, (what, which) in enumerate(steps):
        at, key_id = NOW + HOUR * (number + 1), f"z{which}"
        before = dict(keys)
        if what == "add" and not any(each.state is KeyState.NEXT for each in keys.values()):
            keys.setdefault(f"z{len(keys)}", key(f"z{len(keys)}", KeyState.NEXT, at=at))
        try:
            changed = changes(what, list(keys.values()), key_id, at)
        except (ConflictError, NotFoundError):
            continue
        for each in changed:
            assert each.state in states.TRANSITIONS[before[each.key_id].state]
            keys[each.key_id] = SigningKey(
                each.key_id, each.issuer_id, each.state, each.times, each.distrusted_from, published=True
            )
        assert sum(each.state is KeyState.ACTIVE for each in keys.values()) == 1
        document = orjson.loads(did_document(DID, keys.values()))
        assert [each["publicKeyMultibase"] for each in document["verificationMethod"]] == list(keys)


def test_the_did_document_says_of_each_key_what_its_state_means() -> None:
    retired = states.retire([key("z3", KeyState.RETIRING)], "z3", NOW + HOUR)[0]
    made = replace(key("z4", KeyState.RETIRED), times={KeyState.NEXT: NOW - HOUR, KeyState.RETIRED: NOW})
    distrusted = states.distrust([made], "z4", NOW + HOUR, NOW - HOUR)[0]
    document = orjson.loads(did_document(DID, [ACTIVE, NEXT, retired, distrusted]))
    methods = {each["publicKeyMultibase"]: each for each in document["verificationMethod"]}
    assert document["assertionMethod"] == [f"{DID}#z{number}" for number in (1, 2, 3, 4)]
    assert document["authentication"] == [f"{DID}#z1", f"{DID}#z2"]
    assert methods["z3"]["expires"] == "2026-03-02T10:30:00Z"
    assert (methods["z4"]["expires"], methods["z4"]["revoked"]) == ("2026-03-02T09:30:00Z", "2026-03-02T08:30:00Z")
    assert not {"expires", "revoked"} & (methods["z1"].keys() | methods["z2"].keys())


def test_a_key_that_this_database_lost_stays_in_the_did_document() -> None:
    previous = did_document(DID, [ACTIVE, NEXT])
    document = orjson.loads(did_document(DID, [ACTIVE], previous))
    assert sorted(each["id"] for each in document["verificationMethod"]) == [f"{DID}#z1", f"{DID}#z2"]
    assert sorted(document["assertionMethod"]) == [f"{DID}#z1", f"{DID}#z2"]


@pytest.mark.parametrize("state", [KeyState.RETIRED, KeyState.COMPROMISED])
def test_a_key_whose_end_this_database_lost_does_not_come_back_in_the_did_document(state: KeyState) -> None:
    previous = did_document(DID, [key("z1", state), key("z2", KeyState.ACTIVE)])
    restored = did_document(DID, [ACTIVE, NEXT], previous)
    assert orjson.loads(restored) == orjson.loads(previous)
