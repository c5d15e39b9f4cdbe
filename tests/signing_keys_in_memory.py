"""Signing keys in memory, stored as the real repository stores them, and the topic of their copies."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import SigningKeySealed
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.encryption import FileKeyEncryption, KeyEncryption, Sealed
from services.issuer.keys.repository import StoredKey
from services.issuer.keys.states import Copy, KeyState, SigningKey
from tests.issuer_doubles import NOW

KEK = FileKeyEncryption(bytes(range(32)))
_ONE_EACH = (KeyState.ACTIVE, KeyState.NEXT)


class MemorySigningKeys:
    """`SigningKeyRepository` in memory."""

    def __init__(self, kept: Iterable[StoredKey] = ()) -> None:
        self.kept = {each.key.key_id: each for each in kept}

    def _has(self, key: SigningKey) -> bool:
        return key.state in _ONE_EACH and any(
            each.key.issuer_id == key.issuer_id and each.key.state is key.state and each.key.key_id != key.key_id
            for each in self.kept.values()
        )

    def _put(self, stored: StoredKey) -> None:
        assert not self._has(stored.key), "the unique index forbids it"
        self.kept[stored.key.key_id] = stored

    async def insert(self, key: SigningKey, sealed: Sealed) -> bool:
        if self._has(key):
            return False
        self._put(StoredKey(key, sealed))
        return True

    async def of_issuer(self, issuer_id: str) -> list[SigningKey]:
        found = [each.key for each in self.kept.values() if each.key.issuer_id == issuer_id]
        return sorted(found, key=lambda each: min(each.times.values()))

    async def active(self, issuer_id: str) -> StoredKey | None:
        found = (each for each in self.kept.values() if each.key.issuer_id == issuer_id)
        return next((each for each in found if each.key.state is KeyState.ACTIVE), None)

    async def active_ids(self, issuer_ids: Iterable[str]) -> dict[str, str]:
        found = {each: await self.active(each) for each in issuer_ids}
        return {issuer_id: each.key.key_id for issuer_id, each in found.items() if each is not None}

    async def with_secrets(self, issuer_id: str) -> list[StoredKey]:
        return [each for each in self.kept.values() if each.key.issuer_id == issuer_id]

    async def issuers(self) -> list[str]:
        return list(dict.fromkeys(each.key.issuer_id for each in self.kept.values()))

    async def uncopied_of(self, issuer_id: str) -> list[StoredKey]:
        return [each for each in await self.with_secrets(issuer_id) if each.key.copy is not Copy.CURRENT]

    async def uncopied_issuers(self) -> list[str]:
        return [each for each in await self.issuers() if await self.uncopied_of(each)]

    async def mark_copied(self, found: Iterable[StoredKey]) -> list[StoredKey]:
        changed = []
        for each in found:
            now = self.kept[each.key.key_id]
            if replace(now.key, copy=Copy.NONE, published=False) == replace(
                each.key, copy=Copy.NONE, published=False
            ) and (now.sealed == each.sealed):
                self.kept[each.key.key_id] = StoredKey(replace(now.key, copy=Copy.CURRENT), now.sealed)
            else:
                changed.append(now)
        return changed

    async def readable(
        self, issuer_ids: Iterable[str], _key_ids: Iterable[str] = ()
    ) -> tuple[dict[str, list[StoredKey]], set[str]]:
        return {each: await self.with_secrets(each) for each in issuer_ids}, set()

    async def adopt(self, changes: Iterable[tuple[StoredKey | None, StoredKey]], _damaged: object) -> bool:
        for before, after in changes:
            now = self.kept.get(after.key.key_id)
            assert (now is None) == (before is None)
            assert now is None or before is None or now.key.state is before.key.state
            self._put(after)
        return True

    def change(self, changed: Iterable[SigningKey]) -> None:
        """Store changes as `update` does."""
        for each in changed:
            self._put(StoredKey(each, self.kept[each.key_id].sealed))


class CopyTopic:
    """The topic `signing.keys`."""

    def __init__(self) -> None:
        self.records: list[SigningKeySealed] = []

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        for each in outgoing:
            assert isinstance(each.event, SigningKeySealed)
            # As it comes back from the topic.
            self.records.append(SigningKeySealed.model_validate_json(each.event.model_dump_json()))


def copies_of(repository: MemorySigningKeys, topic: CopyTopic, encryption: KeyEncryption = KEK) -> KeyCopies:
    """The copies of these keys on this topic."""
    return KeyCopies(repository, encryption, publish=topic.publish, clock=lambda: NOW)  # type: ignore[arg-type]  # a fake
