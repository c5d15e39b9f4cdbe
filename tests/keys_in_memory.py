"""API keys in memory, as a service has them once grants have arrived."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from libs.access.key_text import key_sha256, new_key
from libs.access.repository import KeyChanges, StoredKey
from libs.contracts.events import ApiKeyGranted

GRANTED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def grant(key: str, issuer_id: str, scopes: Iterable[str]) -> ApiKeyGranted:
    """A grant that holds for centuries."""
    return ApiKeyGranted(
        key_sha256=key_sha256(key),
        issuer_id=issuer_id,
        name="Test",
        scopes=tuple(sorted(scopes)),
        granted_at=GRANTED_AT,
        granted_by="administrator:test",
        expires_at=GRANTED_AT + timedelta(days=100_000),
    )


class MemoryKeys:
    """Keys that have arrived."""

    def __init__(self) -> None:
        self.keys: dict[str, StoredKey] = {}
        self.unreadable: set[str] = set()
        self.reads = 0

    def add(self, issuer_id: str, *scopes: str, key: str | None = None, ends_at: datetime | None = None) -> str:
        """Grant a key and return it."""
        key = key or new_key()
        granted = grant(key, issuer_id, scopes)
        self.keys[granted.key_sha256] = StoredKey(
            sha256=granted.key_sha256,
            issuer_id=issuer_id,
            name=granted.name,
            scopes=frozenset(scopes),
            granted_at=granted.granted_at,
            granted_by=granted.granted_by,
            granted_with=None,
            expires_at=granted.expires_at,
            ends_at=ends_at or granted.expires_at,
        )
        return key

    async def changed_since(self, moment: datetime | None) -> KeyChanges:
        self.reads += 1
        good = [each for each in self.keys.values() if each.sha256 not in self.unreadable]
        return KeyChanges(good, list(self.unreadable), GRANTED_AT)
