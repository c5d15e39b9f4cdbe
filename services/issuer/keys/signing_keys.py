"""Issuers' signing keys: made once, kept encrypted, opened into memory to sign.

The key-encryption key stands behind a port, `KeyEncryption`; a file is the one backend here.
"""

import base64
import binascii
import stat
from collections import OrderedDict
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bson import Binary
from nacl.exceptions import CryptoError
from nacl.secret import Aead

from libs.common.mongo import Database, insert_new
from libs.common.settings import SettingsError
from libs.openbadges.crypto.keys import Ed25519Key

_KEK_BYTES = 32
_REMEMBERED_KEYS = 5_000


class KeyUnavailableError(OSError):
    """A signing key cannot be had as things stand. Evidence waits until it can: it is not the evidence's fault."""


class KeyEncryption(Protocol):
    """Encrypts secrets under a key that never leaves it (a file here; a KMS can stand behind the same calls)."""

    def seal(self, secret: bytes, bound_to: str) -> bytes:
        """Encrypt and authenticate `secret`, so that it opens only together with `bound_to`."""
        ...

    def open(self, sealed: bytes, bound_to: str) -> bytes:
        """Decrypt what `seal` gave.

        Raises:
            KeyUnavailableError: another key sealed it, or it was bound to something else, or was changed.
        """
        ...


class FileKeyEncryption:
    """XChaCha20-Poly1305 (libsodium) under a key read from a file."""

    def __init__(self, kek: bytes) -> None:
        """Take the key-encryption key: 32 bytes."""
        self._box = Aead(kek)

    @classmethod
    def read(cls, path: Path) -> "FileKeyEncryption":
        """Read the key-encryption key: 32 bytes in base64, in a file that its owner alone may read.

        Raises:
            SettingsError: the file is missing, readable by others, or holds something else; says what to do.
        """
        make = f"make one with: (umask 077; head -c {_KEK_BYTES} /dev/urandom | base64 > {path})"
        try:
            mode = path.stat().st_mode
            text = path.read_text("ascii")
        except FileNotFoundError:
            raise SettingsError(f"BOWERBIRD_KEK_FILE: there is no file {path}; {make}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"BOWERBIRD_KEK_FILE: {path} cannot be read ({type(error).__name__}); {make}") from None
        if stat.S_IMODE(mode) & 0o077:
            raise SettingsError(
                f"BOWERBIRD_KEK_FILE: others than its owner may use {path} (mode {stat.S_IMODE(mode):04o}); "
                f"do: chmod 600 {path}"
            )
        try:
            kek = base64.b64decode(text.strip(), validate=True)
        except binascii.Error:
            kek = b""
        if len(kek) != _KEK_BYTES:
            raise SettingsError(f"BOWERBIRD_KEK_FILE: {path} does not hold {_KEK_BYTES} bytes in base64; {make}")
        return cls(kek)

    def seal(self, secret: bytes, bound_to: str) -> bytes:
        """See `KeyEncryption`."""
        return bytes(self._box.encrypt(secret, aad=bound_to.encode()))

    def open(self, sealed: bytes, bound_to: str) -> bytes:
        """See `KeyEncryption`."""
        try:
            return self._box.decrypt(sealed, aad=bound_to.encode())
        except CryptoError:
            raise KeyUnavailableError(
                f"{bound_to} does not open with BOWERBIRD_KEK_FILE: put the file back that it was sealed with"
            ) from None


class SigningKeys:
    """One Ed25519 key per issuer, in the collection `signing_keys`, sealed and bound to its issuer's id."""

    def __init__(self, database: Database, encryption: KeyEncryption) -> None:
        self._collection = database["signing_keys"]
        self._encryption = encryption
        self._opened: OrderedDict[str, Ed25519Key] = OrderedDict()

    async def make(self, issuer_id: str, now: datetime) -> Ed25519Key:
        """The issuer's key; made at the first call. Of two first calls at once one wins, and both answer its key."""
        key = Ed25519Key.generate()
        document = {
            "_id": issuer_id,
            "schema": 1,
            "public_key": key.public_multibase,
            "sealed": Binary(self._encryption.seal(key.seed, _bound_to(issuer_id))),
            "created_at": now,
        }
        await insert_new(self._collection, [document])
        return await self.key(issuer_id)

    async def key(self, issuer_id: str) -> Ed25519Key:
        """The issuer's key, opened.

        Raises:
            KeyUnavailableError: there is none, or it does not open.
        """
        opened = self._opened.get(issuer_id)
        if opened is None:
            stored = await self._collection.find_one({"_id": issuer_id})
            if stored is None:
                raise KeyUnavailableError(f"there is no signing key of issuer {issuer_id} in this database")
            opened = Ed25519Key.from_seed(self._encryption.open(bytes(stored["sealed"]), _bound_to(issuer_id)))
            self._opened[issuer_id] = opened
            if len(self._opened) > _REMEMBERED_KEYS:
                self._opened.popitem(last=False)
        return opened


def _bound_to(issuer_id: str) -> str:
    return f"signing key of issuer {issuer_id}"
