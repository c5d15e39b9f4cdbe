"""Ed25519 keys: made, read from Multikey, signing and verifying. A key service stands behind the same protocol."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol, Self

from nacl import exceptions, signing

from libs.openbadges import base58btc
from libs.openbadges.errors import CredentialError

ED25519_PUBLIC: Final = b"\xed\x01"
"""Multicodec of an Ed25519 public key (Controlled Identifiers 1.0, section 2.2.2)."""


class Signer(Protocol):
    """Whatever can sign bytes with the one key that a verification method names; a KMS can be one."""

    def sign(self, message: bytes) -> bytes:
        """Answer the signature of the message: 64 bytes for Ed25519."""
        ...


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """A private Ed25519 key. Its seed is the secret; it shows in no representation."""

    seed: bytes = field(repr=False)
    _signing_key: signing.SigningKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the operating system's randomness."""
        key = signing.SigningKey.generate()
        return cls(bytes(key), key)

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Take the key of a 32-byte seed.

        Raises:
            CredentialError: the seed is not 32 bytes.
        """
        if len(seed) != 32:
            raise CredentialError("key_form", f"An Ed25519 seed has 32 bytes, not {len(seed)}.")
        return cls(seed, signing.SigningKey(seed))

    @property
    def public_bytes(self) -> bytes:
        """The 32 bytes of the public key."""
        return bytes(self._signing_key.verify_key)

    @property
    def public_multibase(self) -> str:
        """The public key as a Multikey, z6Mk and 44 characters more."""
        return encode_public(self.public_bytes)

    def sign(self, message: bytes) -> bytes:
        """Sign with Ed25519 (RFC 8032): 64 bytes."""
        return self._signing_key.sign(message).signature


def encode_public(public: bytes) -> str:
    """Write an Ed25519 public key as a Multikey."""
    return encode_multibase(ED25519_PUBLIC + public)


@lru_cache(maxsize=4096)
def decode_public(multibase: str) -> bytes:
    """Read the 32 bytes of an Ed25519 public key from a Multikey.

    Raises:
        CredentialError: another kind of key (code `key_kind`), or no key at all (code `key_form`).
    """
    raw = decode_multibase(multibase)
    if not raw.startswith(ED25519_PUBLIC):
        raise CredentialError("key_kind", "The key is not an Ed25519 key.")
    if len(raw) != 34:
        raise CredentialError("key_form", f"An Ed25519 public key has 32 bytes, not {len(raw) - 2}.")
    return raw[2:]


def verify_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether the signature is this key's for this message."""
    try:
        signing.VerifyKey(public).verify(message, signature)
    except (exceptions.BadSignatureError, exceptions.ValueError, exceptions.TypeError):
        return False
    return True


def encode_multibase(raw: bytes) -> str:
    """Write bytes as base58btc with the prefix z."""
    return "z" + base58btc.encode(raw)


def decode_multibase(text: str, longest: int = 128) -> bytes:
    """Read base58btc with the prefix z.

    Raises:
        CredentialError: another base, a character outside the alphabet, or longer than a key or signature can be.
    """
    if not isinstance(text, str) or not text.startswith("z") or len(text) > longest:
        raise CredentialError(
            "multibase_form", "A key or signature is written in base58btc: z and at most 127 characters."
        )
    return base58btc.decode(text[1:])
