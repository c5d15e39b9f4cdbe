"""What an audit makes of signing keys and their sealed copies, and which copies it has made again."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bowerbird.auditing.difference import Difference
from bowerbird.auditing.key_copies import differences
from libs.common.damage import Damage
from libs.contracts.events import SigningKeySealed
from libs.openbadges.crypto.keys import Ed25519Key
from services.issuer.keys.copies import KeyCopies, sealed_event
from services.issuer.keys.encryption import FileKeyEncryption, KeyEncryption, Sealed
from services.issuer.keys.repository import StoredKey
from services.issuer.keys.sealing import sealed
from services.issuer.keys.states import Copy, KeyState, SigningKey
from tests.issuer_doubles import NOW
from tests.signing_keys_in_memory import KEK, CopyTopic, MemorySigningKeys

SETTLED = NOW + timedelta(hours=1)
OTHER_KEK = FileKeyEncryption(bytes(32))


SECRET = Ed25519Key.from_seed(bytes([7]) * 32)
BEGUN = SigningKey(
    SECRET.public_multibase, "wattle", KeyState.ACTIVE, {KeyState.ACTIVE: NOW}, None, published=True, copy=Copy.CURRENT
)
SEALED = sealed(BEGUN, SECRET, KEK)


def stored(state: KeyState = KeyState.ACTIVE) -> StoredKey:
    return StoredKey(replace(BEGUN, state=state, times={**BEGUN.times, state: NOW}), SEALED)


KEY = stored()
COPY = sealed_event(KEY, NOW)
DAMAGED = StoredKey(KEY.key, Sealed(KEY.sealed.kek_id, bytes(len(KEY.sealed.ciphertext))))
CUT = StoredKey(KEY.key, Sealed(KEY.sealed.kek_id, b""))


async def found(
    keys: Iterable[StoredKey], copies: Iterable[SigningKeySealed], encryption: KeyEncryption | None = KEK
) -> list[Difference]:
    repository: Any = MemorySigningKeys(keys)
    return [each async for each in differences(copies, repository, encryption, SETTLED, Damage())]


async def test_of_each_key_the_newest_copy_counts() -> None:
    older = COPY.model_copy(update={"sealed": "AA=="})
    assert await found([KEY], [older, COPY]) == []
    assert len(await found([KEY], [COPY, older])) == 1


@pytest.mark.parametrize(
    ("key", "copies", "matter"),
    [
        (KEY, [], "there is no copy"),
        (KEY, [sealed_event(DAMAGED, NOW)], "another sealed secret"),
        (stored(KeyState.COMPROMISED), [COPY], "another state"),
    ],
)
async def test_what_is_stored_and_opens_is_copied_again(
    key: StoredKey, copies: list[SigningKeySealed], matter: str
) -> None:
    (difference,) = await found([key], copies)
    assert difference.check == "key_copies_differ"
    assert matter in difference.what
    assert f"{key.key.key_id} of issuer wattle" in difference.what
    assert difference.key == key
    topic = CopyTopic()
    repository: Any = MemorySigningKeys([key])
    done = await KeyCopies(repository, KEK, publish=topic.publish, clock=lambda: NOW).again([key])
    assert (done.count, done.problems) == (1, ())
    assert await found([key], [*copies, *topic.records]) == []


@pytest.mark.parametrize(
    ("key", "encryption"),
    [(DAMAGED, KEK), (CUT, KEK), (KEY, OTHER_KEK), (KEY, None)],
    ids=["damaged", "cut", "other kek", "no kek"],
)
async def test_what_is_not_known_to_be_right_is_named_and_no_copy_is_made_of_it(
    key: StoredKey, encryption: KeyEncryption | None
) -> None:
    other = sealed_event(DAMAGED if key is KEY else KEY, NOW)
    (difference,) = await found([key], [other], encryption)
    assert difference.key is None
    assert "which of the two is right is not known" in difference.what


async def test_a_key_that_went_back_takes_no_later_state_from_its_copy() -> None:
    (difference,) = await found([KEY], [sealed_event(stored(KeyState.COMPROMISED), NOW)])
    assert difference.key is None


@pytest.mark.parametrize(
    "change",
    [
        lambda each: replace(each, copy=Copy.BEHIND),
        lambda each: replace(each, times={**each.times, KeyState.RETIRING: SETTLED}),
    ],
)
async def test_what_is_on_its_way_is_no_difference(change: Callable[[SigningKey], SigningKey]) -> None:
    assert await found([StoredKey(change(KEY.key), KEY.sealed)], [sealed_event(DAMAGED, NOW)]) == []


async def test_a_copy_of_a_key_that_is_not_stored_is_named() -> None:
    (difference,) = await found([], [COPY])
    assert "no such key" in difference.what
    assert difference.key is None
