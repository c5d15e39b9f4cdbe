"""Checks the sealed copies of signing keys against the keys that are stored: of each the newest copy tells the same."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from bowerbird.auditing.difference import Difference
from libs.common.damage import Damage
from libs.contracts.events import SigningKeySealed
from services.issuer.keys.adoption import merged
from services.issuer.keys.copies import sealed_event, stored_key
from services.issuer.keys.encryption import KeyEncryption, KeyUnavailableError
from services.issuer.keys.repository import UNREADABLE, SigningKeyRepository, StoredKey
from services.issuer.keys.sealing import opened
from services.issuer.keys.states import Copy

_AT_ONCE = 200
_CHECK = "key_copies_differ"


async def differences(
    copies: Iterable[SigningKeySealed],
    keys: SigningKeyRepository,
    encryption: KeyEncryption | None,
    settled: datetime,
    damage: Damage,
) -> AsyncIterator[Difference]:
    """Yield each key whose newest copy is missing or another, and each copy whose key is not stored.

    A copy is to be made again only where what is stored is known to be right: it opens to the secret of the key that
    it is named after, and tells of no earlier state than the copy. Else both are left as they are.

    Args:
        copies: as they were read from the topic before, in its order.
        keys: those that are stored.
        encryption: opens them; None where no key-encryption key is at hand.
        settled: what changed since is on its way.
        damage: is told of keys that cannot be read.
    """
    newest = {each.key_id: each for each in copies}
    issuers = await keys.issuers()
    for start in range(0, len(issuers), _AT_ONCE):
        found, damaged = await keys.readable(issuers[start : start + _AT_ONCE])
        for key_id in damaged:
            newest.pop(key_id, None)
            damage.note("issuer.signing_keys", {"_id": key_id}, ValueError())
        for stored in (each for some in found.values() for each in some):
            copy = newest.pop(stored.key.key_id, None)
            if not _is_on_its_way(stored, copy, settled) and (matter := _matter(stored, copy)):
                right = _is_right(stored, copy, encryption)
                name = f"{stored.key.key_id} of issuer {stored.key.issuer_id}: {matter}"
                if not right:
                    name += "; which of the two is right is not known, and nothing is made again"
                yield Difference(_CHECK, name, key=stored if right else None)
    for left in newest.values():
        if left.copied_at < settled:
            yield Difference(_CHECK, f"{left.key_id} of issuer {left.issuer_id}: there is a copy, and no such key")


def _is_on_its_way(stored: StoredKey, copy: SigningKeySealed | None, settled: datetime) -> bool:
    if copy is not None and (stored.key.copy is Copy.BEHIND or copy.copied_at >= settled):
        return True
    return max(stored.key.times.values()) >= settled


def _matter(stored: StoredKey, copy: SigningKeySealed | None) -> str | None:
    if copy is None:
        return "there is no copy"
    other = sealed_event(stored, copy.copied_at)
    if other == copy:
        return None
    secret = (other.kek_id, other.sealed) != (copy.kek_id, copy.sealed)
    return "the copy holds another sealed secret" if secret else "the copy tells of another state"


def _is_right(stored: StoredKey, copy: SigningKeySealed | None, encryption: KeyEncryption | None) -> bool:
    """Return whether what is stored is known to be the key that is published, and not behind its copy."""
    if encryption is None:
        return False
    try:
        opened(stored, encryption)
    except (KeyUnavailableError, *UNREADABLE):
        return False
    try:
        return copy is None or merged(stored.key, stored_key(copy).key) == stored.key
    except UNREADABLE:
        return True  # a copy that nobody can read
