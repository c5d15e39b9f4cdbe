"""Sealing the issuers' signing keys anew under another key-encryption key, while services sign with them.

1. Record in the audit log which keys are about to be sealed anew.
2. Open each under the key that sealed it, see that it is the secret of its public key, seal it under the new one.
3. Store it in one step in the place of what was read.
4. Publish the copies of these keys anew, so that they open under the new one too.
5. Seal the probe anew, which says under what the keys here are sealed.

Killed anywhere, each key stands under one of the two, and both open; doing it again goes on with those that are left.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from libs.audit.entry import Action, AuditWriter, Cause, Details, Entry
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.encryption import FileKeyEncryption, KeyUnavailableError, Sealed
from services.issuer.keys.probe import KeyEncryptionProbe
from services.issuer.keys.repository import SigningKeyRepository, StoredKey
from services.issuer.keys.sealing import opened, sealed
from services.issuer.keys.states import SigningKey

_AT_ONCE = 200

Change = tuple[SigningKey, Sealed, Sealed]
"""A key, as it was sealed and as it is to be."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What was done, and what stands now.

    Attributes:
        kek_id: of the key-encryption key that everything is to be sealed under.
        count: how many keys were sealed anew, or would be.
        left: by the id of another key-encryption key, how many keys are still sealed under it.
        problems: which of them do not open, and why.
    """

    kek_id: str
    count: int
    left: dict[str, int]
    problems: tuple[str, ...] = ()


class Rewrapping:
    """Seals anew what another key-encryption key sealed."""

    def __init__(
        self,
        repository: SigningKeyRepository,
        encryption: FileKeyEncryption,
        *,
        copies: KeyCopies,
        probe: KeyEncryptionProbe,
        audit: AuditWriter,
    ) -> None:
        self._repository = repository
        self._encryption = encryption
        self._copies = copies
        self._probe = probe
        self._audit = audit

    async def dry_run(self) -> Rewrapped:
        """Return what `run` would do, each key that it would seal anew opened; changes nothing."""
        count, problems = 0, list[str]()
        async for found in self._sealed_under_others():
            changes, unopened = self._changes(found)
            count += len(changes)
            problems += unopened
        return Rewrapped(self._encryption.kek_id, count, await self._left(), tuple(problems))

    async def run(self, cause: Cause) -> Rewrapped:
        """Seal every key anew that another key-encryption key sealed; one that does not open stays as it is.

        Raises:
            PyMongoError: the database is unavailable; doing it again goes on.
            KafkaError: a copy was not confirmed; doing it again goes on.
        """
        count, problems = 0, list[str]()
        async for found in self._sealed_under_others():
            ids: dict[str, list[str]] = {}
            for key, _ in found:
                ids.setdefault(key.issuer_id, []).append(key.key_id)
            details: Details = {"keys": len(found), "key_ids": {each: " ".join(ids[each]) for each in ids}}
            subject = f"key-encryption-key {self._encryption.kek_id}"
            await self._audit.record(
                Entry(Action.SIGNING_KEYS_REWRAPPED, cause, tuple(sorted(ids)), subject, details=details)
            )  # 1
            changes, unopened = self._changes(found)  # 2
            problems += unopened
            if changes:
                await self._repository.seal_anew(changes)  # 3
            count += len(changes)
        await self._copies.repair()  # 4
        await self._probe.replace()  # 5
        return Rewrapped(self._encryption.kek_id, count, await self._left(), tuple(problems))

    async def _sealed_under_others(self) -> AsyncIterator[Sequence[tuple[SigningKey, Sealed]]]:
        after = ""
        while found := await self._repository.not_sealed_under(self._encryption.kek_id, after, _AT_ONCE):
            after = found[-1][0].key_id
            yield found

    def _changes(self, found: Iterable[tuple[SigningKey, Sealed]]) -> tuple[list[Change], list[str]]:
        """Return the keys sealed anew, and of those that do not open why."""
        changes, problems = list[Change](), list[str]()
        for key, before in found:
            try:
                changes.append((key, before, self._anew(key, before)))
            except KeyUnavailableError as error:
                problems.append(str(error))
        return changes, problems

    def _anew(self, key: SigningKey, before: Sealed) -> Sealed:
        return sealed(key, opened(StoredKey(key, before), self._encryption), self._encryption)

    async def _left(self) -> dict[str, int]:
        counts = await self._repository.count_by_kek()
        return {kek_id: count for kek_id, count in counts.items() if kek_id != self._encryption.kek_id}
