"""The states of an issuer's signing keys, and which change may follow which: pure rules, without store or clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from libs.common.errors import ConflictError, NotFoundError

# A replica may sign with the key that was active for as long as it remembers it; what it signs must stay good.
SHORTEST_RETIRING = timedelta(seconds=60)
# Each stays in the DID document, whose event must stay small.
MOST_KEYS = 100
MOST_OF_ISSUER = 80
"""So many are added by an issuer's own API keys; the others are for administrators, should somebody use these up."""


class KeyState(StrEnum):
    """What a key is used for."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    COMPROMISED = "compromised"


class Copy(StrEnum):
    """What the sealed copy of a key, on the topic `signing.keys`, tells of it."""

    NONE = "none"
    BEHIND = "behind"
    CURRENT = "current"


TRANSITIONS: Mapping[KeyState, frozenset[KeyState]] = {
    KeyState.NEXT: frozenset({KeyState.ACTIVE, KeyState.RETIRED, KeyState.COMPROMISED}),
    KeyState.ACTIVE: frozenset({KeyState.RETIRING, KeyState.COMPROMISED}),
    KeyState.RETIRING: frozenset({KeyState.RETIRED, KeyState.COMPROMISED}),
    KeyState.RETIRED: frozenset({KeyState.COMPROMISED}),
    KeyState.COMPROMISED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An issuer's key without its secret.

    Attributes:
        key_id: the public key as a Multikey (multibase), which is the fragment of its verification method too.
        issuer_id: whose key it is.
        state: what it is used for now.
        times: when it entered each state that it was ever in.
        distrusted_from: of a compromised key, the moment from which its signatures are not trusted.
        published: whether a DID document that tells of this state has arrived in the catalogue.
        copy: what its sealed copy tells. While there is none it signs nothing, and no DID document holds it.
    """

    key_id: str
    issuer_id: str
    state: KeyState
    times: Mapping[KeyState, datetime]
    distrusted_from: datetime | None = None
    published: bool = False
    copy: Copy = Copy.NONE

    def changed(self, **fields: Any) -> "SigningKey":
        """Return the key with these fields, which nobody has been told of."""
        return replace(self, **fields, published=False, copy=Copy.NONE if self.copy is Copy.NONE else Copy.BEHIND)


def new_key(key_id: str, issuer_id: str, state: KeyState, at: datetime) -> SigningKey:
    """Return a key that enters its first state."""
    return SigningKey(key_id, issuer_id, state, {state: at})


def activate(keys: Iterable[SigningKey], key_id: str, at: datetime) -> list[SigningKey]:
    """Return the keys that change, in the order in which they must be stored: the active one retires, then this one.

    Raises:
        NotFoundError: the issuer has no such key.
        ConflictError: the key is not next, or no DID document that holds it has arrived.
    """
    by_id = {key.key_id: key for key in keys}
    key = _find(by_id, key_id)
    if key.state is KeyState.ACTIVE:
        return []
    promoted = _promote(key, at)
    return [
        *(_enter(each, KeyState.RETIRING, at) for each in by_id.values() if each.state is KeyState.ACTIVE),
        promoted,
    ]


def retire(keys: Iterable[SigningKey], key_id: str, at: datetime) -> list[SigningKey]:
    """Return the key as retired: what it signed before `at` stays good.

    Raises:
        NotFoundError: the issuer has no such key.
        ConflictError: the key is active or compromised, or was active less than `SHORTEST_RETIRING` ago.
    """
    key = _find({each.key_id: each for each in keys}, key_id)
    if key.state is KeyState.RETIRED:
        return []
    if key.state is KeyState.ACTIVE:
        raise ConflictError("the active key signs; activate the next key first")
    since = key.times.get(KeyState.RETIRING)
    if since is not None and at - since < SHORTEST_RETIRING:
        raise ConflictError(
            f"a key retires at the earliest {int(SHORTEST_RETIRING.total_seconds())} seconds after another was "
            "activated, since what is being signed still carries it"
        )
    return [_enter(key, KeyState.RETIRED, at)]


def distrust(keys: Iterable[SigningKey], key_id: str, at: datetime, since: datetime) -> list[SigningKey]:
    """Return the keys that change, in the order in which they must be stored: this one, then the one that follows it.

    Nothing that the key signed from `since` on is trusted, at the earliest from when it was made; where it was active,
    the next key is so from now on: an issuer always has a key to sign with, or its evidence would wait for one. An
    earlier `since` may follow a later one, never the other way round.

    Raises:
        NotFoundError: the issuer has no such key.
        ConflictError: `since` lies in the future, or before the key was made; or the key is active and no next one is
            announced.
    """
    by_id = {each.key_id: each for each in keys}
    key = _find(by_id, key_id)
    if since > at:
        raise ConflictError("signatures are distrusted from a moment that has passed, not from a later one")
    if since < min(key.times.values()):
        raise ConflictError("a key signed nothing before it was made; name a moment since then")
    if key.state is KeyState.COMPROMISED:
        if key.distrusted_from is not None and key.distrusted_from <= since:
            return []
        return [key.changed(distrusted_from=since)]
    distrusted = replace(_enter(key, KeyState.COMPROMISED, at), distrusted_from=since)
    if key.state is not KeyState.ACTIVE:
        return [distrusted]
    successor = next((each for each in by_id.values() if each.state is KeyState.NEXT), None)
    if successor is None:
        raise ConflictError("the active key signs; add the next key first, which then takes its place")
    return [distrusted, _promote(successor, at)]


def _promote(key: SigningKey, at: datetime) -> SigningKey:
    promoted = _enter(key, KeyState.ACTIVE, at)
    if not key.published:
        raise ConflictError("the next key is not in the published DID document yet; try again in a moment")
    return promoted


def _enter(key: SigningKey, state: KeyState, at: datetime) -> SigningKey:
    if state not in TRANSITIONS[key.state]:
        raise ConflictError(f"a key that is {key.state} cannot become {state}")
    return key.changed(state=state, times={**key.times, state: at})


def _find(keys: Mapping[str, SigningKey], key_id: str) -> SigningKey:
    key = keys.get(key_id)
    if key is None:
        raise NotFoundError.for_caller()
    return key
