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
    """XChaCha20-Poly1305 (libsodium) under a key read from a file."""

    def __init__(self, kek: bytes) -> None:
        """Take the key-encryption key: 32 bytes."""
        self._box = Aead(kek)
        self.kek_id = hashlib.sha256(b"bowerbird key-encryption key" + kek).hexdigest()[:16]

    @classmethod
    def read(cls, path: Path) -> "FileKeyEncryption":
        """Read the key-encryption key: 32 bytes in base64, in a file that its owner alone may read.

        Raises:
            SettingsError: the file is missing, readable by others, or holds something else; says what to do.
        """
        return cls(read_secret(path, "BOWERBIRD_KEK_FILE"))

    def seal(self, secret: bytes, bound_to: str) -> Sealed:
        """See `KeyEncryption`."""
        return Sealed(self.kek_id, bytes(self._box.encrypt(secret, aad=bound_to.encode())))

    def open(self, sealed: Sealed, bound_to: str) -> bytes:
        """See `KeyEncryption`."""
        if sealed.kek_id != self.kek_id:
            raise KeyUnavailableError(
                f"{bound_to} was encrypted under the key-encryption key {sealed.kek_id}, and BOWERBIRD_KEK_FILE holds "
                f"{self.kek_id}: put the file of {sealed.kek_id} back"
            )
        try:
            return self._box.decrypt(sealed.ciphertext, aad=bound_to.encode())
        except CryptoError:
            raise KeyUnavailableError(f"{bound_to} does not open: what is stored was changed or moved") from None
