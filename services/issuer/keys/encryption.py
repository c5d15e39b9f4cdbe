"""Encryption of secrets at rest: the port `KeyEncryption`, and its backend that reads a key-encryption key (KEK)."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nacl.exceptions import CryptoError
from nacl.secret import Aead

from libs.common.secret_files import read_secret


class KeyUnavailableError(OSError):
    """A signing key is unavailable as things stand. Transient: evidence waits until the key is available."""


class KeyMissingError(KeyUnavailableError):
    """An issuer has no active signing key."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted secret, and the id of the key-encryption key that encrypted it."""

    kek_id: str
    ciphertext: bytes


class KeyEncryption(Protocol):
    """Encrypts secrets under a key that never leaves it (a file here; a KMS can stand behind the same calls)."""

    def seal(self, secret: bytes, bound_to: str) -> Sealed:
        """Encrypt and authenticate `secret`, so that it opens only together with `bound_to`."""
        ...

    def open(self, sealed: Sealed, bound_to: str) -> bytes:
        """Decrypt what `seal` gave.

        Raises:
            KeyUnavailableError: another key sealed it, or it was bound to something else, or was changed.
        """
        ...


class FileKeyEncryption:
    """XChaCha20-Poly1305 (libsodium) under a key read from a file; while that key changes, a second one opens too."""

    def __init__(self, kek: bytes, *, other: bytes | None = None) -> None:
        """Take the key-encryption key, and the one that opens what it sealed and seals nothing: 32 bytes each."""
        self.kek_id = _id_of(kek)
        self._box = Aead(kek)
        self._boxes = {self.kek_id: self._box}
        if other is not None:
            self._boxes.setdefault(_id_of(other), Aead(other))

    @classmethod
    def read(cls, path: Path, other: Path | None = None) -> "FileKeyEncryption":
        """Read the key-encryption keys: 32 bytes in base64, in files that their owner alone may read.

        Raises:
            SettingsError: a file is missing, readable by others, or holds something else; says what to do.
        """
        second = None if other is None else read_secret(other, "BOWERBIRD_OTHER_KEK_FILE")
        return cls(read_secret(path, "BOWERBIRD_KEK_FILE"), other=second)

    def knows(self, kek_id: str) -> bool:
        """Return whether it has the key-encryption key of this id."""
        return kek_id in self._boxes

    def seal(self, secret: bytes, bound_to: str) -> Sealed:
        """See `KeyEncryption`."""
        return Sealed(self.kek_id, bytes(self._box.encrypt(secret, aad=bound_to.encode())))

    def open(self, sealed: Sealed, bound_to: str) -> bytes:
        """See `KeyEncryption`."""
        box = self._boxes.get(sealed.kek_id)
        if box is None:
            raise KeyUnavailableError(
                f"{bound_to} was encrypted under the key-encryption key {sealed.kek_id}, and BOWERBIRD_KEK_FILE holds "
                f"{self.kek_id}: put the file of {sealed.kek_id} back, or name it in BOWERBIRD_OTHER_KEK_FILE"
            )
        try:
            return box.decrypt(sealed.ciphertext, aad=bound_to.encode())
        except CryptoError:
            raise KeyUnavailableError(f"{bound_to} does not open: what is stored was changed or moved") from None


def _id_of(kek: bytes) -> str:
    return hashlib.sha256(b"bowerbird key-encryption key" + kek).hexdigest()[:16]
