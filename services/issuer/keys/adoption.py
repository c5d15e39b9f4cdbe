"""Taking back from their sealed copies the signing keys, and states of keys, that the database does not have any more.

Nothing goes back by it: a key that is there stays, in the later of the two states, and what is distrusted stays so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from libs.audit.entry import Action, AuditWriter, Cause, Details, Entry
from libs.common.telemetry import get_logger, new_trace, trace_id
from libs.contracts.events import SigningKeySealed
from services.issuer.keys.copies import stored_key
from services.issuer.keys.encryption import KeyEncryption, KeyUnavailableError, Sealed
from services.issuer.keys.repository import UNREADABLE, SigningKeyRepository, StoredKey
from services.issuer.keys.sealing import opened
from services.issuer.keys.states import Copy, KeyState, SigningKey

_ATTEMPTS = 10
_AT_ONCE = 200
# A key goes through its states in this order, and may leave some out.
_ORDER = tuple(KeyState)
# Of these an issuer has one key at most; the state of another that was so before it.
_AFTER = {KeyState.ACTIVE: KeyState.RETIRING, KeyState.NEXT: KeyState.RETIRED}


class KeyAdoption:
    """Makes the database know what the copies tell."""

    def __init__(self, repository: SigningKeyRepository, encryption: KeyEncryption, audit: AuditWriter) -> None:
        self._repository = repository
        self._encryption = encryption
        self._audit = audit

    async def adopt(self, copies: Iterable[SigningKeySealed]) -> int:
        """Adopt what these copies, in the order of their topic, tell; return how many keys the database was behind in.

        All copies of an issuer are best given together: which of its keys is active follows from all of them. Giving
        any of them again changes nothing. What cannot be adopted of one issuer is logged, and holds up no other.

        Raises:
            PyMongoError: the database is unavailable; doing it again is safe.
        """
        by_issuer: dict[str, dict[str, StoredKey]] = {}
        for each in copies:
            try:
                by_issuer.setdefault(each.issuer_id, {})[each.key_id] = stored_key(each)
            except UNREADABLE as error:
                get_logger().error("copy not readable", issuer=each.issuer_id, key=each.key_id, problem=repr(error))
        count, issuers = 0, sorted(by_issuer)
        for start in range(0, len(issuers), _AT_ONCE):
            some = issuers[start : start + _AT_ONCE]
            known, _ = await self._repository.readable(some)
            for issuer_id in some:
                copied = list(by_issuer[issuer_id].values())
                if self._changes(known[issuer_id], copied):
                    count += await self._adopt(issuer_id, copied)
        return count

    async def _adopt(self, issuer_id: str, copied: Sequence[StoredKey]) -> int:
        for _ in range(_ATTEMPTS):
            found, damaged = await self._repository.readable([issuer_id], [each.key.key_id for each in copied])
            before = {each.key.key_id: each for each in found[issuer_id]}
            changes = self._changes(found[issuer_id], copied)
            if not changes:
                return 0
            names = " ".join(each.key.key_id for each in changes)
            details: Details = {"keys": len(changes), "key_ids": {issuer_id: names}}
            cause = Cause.of_service("issuer", trace_id(new_trace()))
            await self._audit.record(
                Entry(Action.SIGNING_KEYS_ADOPTED, cause, (issuer_id,), f"issuer {issuer_id}", details=details)
            )
            if await self._repository.adopt([(before.get(each.key.key_id), each) for each in changes], damaged):
                return len(changes)
        get_logger().error("keys not adopted", issuer=issuer_id, problem=f"refused {_ATTEMPTS} times")
        return 0

    def _changes(self, stored_keys: Iterable[StoredKey], copied: Sequence[StoredKey]) -> list[StoredKey]:
        """Return the keys to store, in an order in which an issuer never has two active keys or two next ones."""
        before = {each.key.key_id: each for each in stored_keys}
        known = dict(before)
        for each in copied:
            stored = known.get(each.key.key_id)
            known[each.key.key_id] = each if stored is None else self._merged(stored, each)
        after = [StoredKey(key, known[key.key_id].sealed) for key in with_one_each(each.key for each in known.values())]
        changes = [each for each in after if each != before.get(each.key.key_id)]
        return sorted(changes, key=lambda each: -_ORDER.index(each.key.state))

    def _merged(self, stored: StoredKey, copied: StoredKey) -> StoredKey:
        key = merged(stored.key, copied.key)
        # After a restore the database may have what a key-encryption key sealed that was given up since.
        sealed = copied.sealed if not self._opens(stored) and self._opens(copied) else stored.sealed
        if (key, sealed) == stored:
            return stored
        return StoredKey(replace(key, published=False, copy=_copy(key, sealed, copied)), sealed)

    def _opens(self, stored: StoredKey) -> bool:
        try:
            opened(stored, self._encryption)
        except KeyUnavailableError:
            return False
        return True


def merged(one: SigningKey, other: SigningKey) -> SigningKey:
    """Return the key as both tell of it: the later state, the earliest moment of each, distrusted from the earliest."""
    times = {
        state: min(each.times[state] for each in (one, other) if state in each.times)
        for state in _ORDER
        if state in one.times or state in other.times
    }
    distrusted = [each.distrusted_from for each in (one, other) if each.distrusted_from is not None]
    return replace(
        one,
        state=max(one.state, other.state, key=_ORDER.index),
        times=times,
        distrusted_from=min(distrusted, default=None),
    )


def with_one_each(keys: Iterable[SigningKey]) -> list[SigningKey]:
    """Return the issuer's keys, of which one at most is active and one next: the one that became so last.

    A copy that tells of the others' later states may have been overtaken, and is not needed: from the moment that
    another key became active, the one before it signed no more.
    """
    settled = {each.key_id: each for each in keys}
    for state, after in _AFTER.items():
        some = sorted((each for each in settled.values() if each.state is state), key=lambda each: each.times[state])
        for each in some[:-1]:
            since: datetime = some[-1].times[state]
            settled[each.key_id] = each.changed(state=after, times={**each.times, after: since})
    return list(settled.values())


def _copy(key: SigningKey, sealed: Sealed, copied: StoredKey) -> Copy:
    """Return what the copy tells of the key as it is stored now."""
    told = copied.key
    same = (key.state, key.times, key.distrusted_from) == (told.state, told.times, told.distrusted_from)
    return Copy.CURRENT if same and sealed == copied.sealed else Copy.BEHIND
