"""Issuers' signing keys in use: generated, encrypted, and opened into memory to sign."""

from collections.abc import Callable, Iterable
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from cachetools import TTLCache

from libs.common.failpoints import failpoint
from libs.openbadges.crypto.keys import Ed25519Key
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.encryption import KeyEncryption, KeyMissingError, KeyUnavailableError
from services.issuer.keys.repository import UNREADABLE, SigningKeyRepository, StoredKey
from services.issuer.keys.sealing import opened, sealed
from services.issuer.keys.states import SHORTEST_RETIRING, Copy, KeyState, SigningKey, new_key

# Half of it, so that a key that may retire is remembered by nobody.
_REMEMBERED_SECONDS = SHORTEST_RETIRING.total_seconds() / 2
_REMEMBERED_KEYS = 5_000


class _Opened(NamedTuple):
    key_id: str
    secret: Ed25519Key


class SigningKeys:
    """Generates Ed25519 keys and has the active one of each issuer."""

    def __init__(
        self,
        repository: SigningKeyRepository,
        encryption: KeyEncryption,
        copies: KeyCopies,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._repository = repository
        self._encryption = encryption
        self._copies = copies
        self._opened: TTLCache[str, _Opened] = TTLCache(_REMEMBERED_KEYS, _REMEMBERED_SECONDS, clock)

    async def create(self, issuer_id: str, state: KeyState, at: datetime) -> tuple[SigningKey, bool]:
        """Return the issuer's key in this state, active or next, generating it where there is none.

        Of two calls at once one generates it, and both return the same, when its sealed copy is confirmed
        (`services.issuer.keys.copies`).

        Returns:
            The key, and whether it is new.

        Raises:
            KafkaError: the copy was not confirmed; doing it again goes on with the same key.
        """
        secret = Ed25519Key.generate()
        key = new_key(secret.public_multibase, issuer_id, state, at)
        new = await self._repository.insert(key, sealed(key, secret, self._encryption))
        failpoint("issuer.signing_keys.1")
        await self._copies.confirm(issuer_id)
        for stored in await self._repository.of_issuer(issuer_id):
            if stored.state is state:
                return stored, new
        raise KeyUnavailableError(f"the {state} key of issuer {issuer_id} was changed at the same moment")

    async def key(self, issuer_id: str) -> Ed25519Key:
        """Return the issuer's active key, opened.

        Raises:
            KeyMissingError: there is none.
            KeyUnavailableError: it does not open.
        """
        found = self._opened.get(issuer_id)
        if found is None:
            stored = await self._active(issuer_id)
            if stored.key.copy is Copy.NONE:
                await self._copies.confirm(issuer_id)
            found = self._opened[issuer_id] = _Opened(stored.key.key_id, opened(stored, self._encryption))
        return found.secret

    async def _active(self, issuer_id: str) -> StoredKey:
        try:
            stored = await self._repository.active(issuer_id)
        except UNREADABLE as error:
            raise KeyUnavailableError(
                f"what is stored of the active signing key of issuer {issuer_id} cannot be read: {error!r}"
            ) from error
        if stored is None:
            raise KeyMissingError(f"there is no active signing key of issuer {issuer_id} in this database")
        return stored

    async def refresh(self, issuer_ids: Iterable[str]) -> None:
        """Forget the keys of these issuers that another process has put out of use, before something is signed."""
        remembered = {each: found for each in issuer_ids if (found := self._opened.get(each)) is not None}
        if remembered:
            active = await self._repository.active_ids(remembered)
            for issuer_id, found in remembered.items():
                if active.get(issuer_id) != found.key_id:
                    self.forget(issuer_id)

    def forget(self, issuer_id: str) -> None:
        """Read the issuer's active key from the store at its next use, since it may have changed."""
        self._opened.pop(issuer_id, None)
