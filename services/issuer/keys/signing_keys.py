"""Issuers' signing keys in use: generated, encrypted, and opened into memory to sign."""

from collections.abc import Callable, Iterable
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from cachetools import TTLCache

from libs.openbadges.crypto.keys import Ed25519Key
from services.issuer.keys.encryption import KeyEncryption, KeyUnavailableError
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.keys.states import SHORTEST_RETIRING, KeyState, SigningKey, new_key

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
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._repository = repository
        self._encryption = encryption
        self._opened: TTLCache[str, _Opened] = TTLCache(_REMEMBERED_KEYS, _REMEMBERED_SECONDS, clock)

    async def create(self, issuer_id: str, state: KeyState, at: datetime) -> tuple[SigningKey, bool]:
        """Return the issuer's key in this state, active or next, generating it where there is none.

        Of two calls at once one generates it, and both return the same.

        Returns:
            The key, and whether it is new.
        """
        secret = Ed25519Key.generate()
        key = new_key(secret.public_multibase, issuer_id, state, at)
        if await self._repository.insert(key, self._encryption.seal(secret.seed, bound_to(key))):
            return key, True
        for stored in await self._repository.of_issuer(issuer_id):
            if stored.state is state:
                return stored, False
        raise KeyUnavailableError(f"the {state} key of issuer {issuer_id} was changed at the same moment")

    async def key(self, issuer_id: str) -> Ed25519Key:
        """Return the issuer's active key, opened.

        Raises:
            KeyUnavailableError: there is none, or it does not open.
        """
        opened = self._opened.get(issuer_id)
        if opened is None:
            stored = await self._repository.active(issuer_id)
            if stored is None:
                raise KeyUnavailableError(f"there is no active signing key of issuer {issuer_id} in this database")
            key, sealed = stored
            secret = Ed25519Key.from_seed(self._encryption.open(sealed, bound_to(key)))
            opened = self._opened[issuer_id] = _Opened(key.key_id, secret)
        return opened.secret

    async def refresh(self, issuer_ids: Iterable[str]) -> None:
        """Forget the keys of these issuers that another process has put out of use, before something is signed."""
        opened = {each: found for each in issuer_ids if (found := self._opened.get(each)) is not None}
        if opened:
            active = await self._repository.active_ids(opened)
            for issuer_id, found in opened.items():
                if active.get(issuer_id) != found.key_id:
                    self.forget(issuer_id)

    def forget(self, issuer_id: str) -> None:
        """Read the issuer's active key from the store at its next use, since it may have changed."""
        self._opened.pop(issuer_id, None)


def bound_to(key: SigningKey) -> str:
    """Return what the secret of this key is sealed together with, so that it opens for no other key or issuer."""
    return f"signing key {key.key_id} of issuer {key.issuer_id}"
