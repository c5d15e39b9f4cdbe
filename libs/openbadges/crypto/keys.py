"""Keys that sign and verify credentials: Ed25519 here, P-256, P-384 and RSA beside. A KMS follows the same protocol."""

from dataclasses import dataclass, field
from functools import lru_cache
from secrets import token_bytes
from typing import Literal, Protocol, Self

from nacl import bindings, exceptions

from libs.openbadges.crypto.curves import P256, P384
from libs.openbadges.crypto.multibase import ED25519_PUBLIC, P256_PUBLIC, decode_multibase, encode_multibase
from libs.openbadges.crypto.rsa import verify_rsa
from libs.openbadges.model.errors import CredentialError, UndecidedError

KeyKind = Literal["Ed25519", "P-256", "P-384", "RSA"]


class Signer(Protocol):
    """Whatever can sign bytes with the one key that a verification method names; a KMS can be one."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature: 64 bytes for Ed25519 and P-256 (r, then s), as many as the modulus has for RSA."""
        ...


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """A private Ed25519 key. Its seed is the secret; it shows in no representation."""

    seed: bytes = field(repr=False)
    _secret: bytes = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the operating system's randomness."""
        return cls.from_seed(token_bytes(32))

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Take the key of a 32-byte seed.

        Raises:
            CredentialError: the seed is not 32 bytes.
        """
        if len(seed) != 32:
            raise CredentialError("key_form", f"An Ed25519 seed has 32 bytes, not {len(seed)}.")
        return cls(seed, bindings.crypto_sign_seed_keypair(seed)[1])

    @property
    def public_bytes(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._secret[32:]

    @property
    def public_multibase(self) -> str:
        """The public key as a Multikey, z6Mk and 44 characters more."""
        return encode_public(self.public_bytes)

    def sign(self, message: bytes) -> bytes:
        """Sign with Ed25519 (RFC 8032): 64 bytes."""
        return bindings.crypto_sign(message, self._secret)[:64]


def encode_public(public: bytes) -> str:
    """Write an Ed25519 public key as a Multikey."""
    return encode_multibase(ED25519_PUBLIC + public)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of a kind that is known here.

    Attributes:
        kind: which.
        raw: 32 bytes for Ed25519, the compressed point for P-256 and P-384, SubjectPublicKeyInfo in DER for RSA.
    """

    kind: KeyKind
    raw: bytes

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether the signature is this key's for this message."""
        if self.kind == "Ed25519":
            return verify_ed25519(self.raw, message, signature)
        if self.kind == "RSA":
            return verify_rsa(self.raw, message, signature)
        if self.kind == "P-384":
            return P384.verify(self.raw, message, signature)
        return P256.verify(self.raw, message, signature)


@lru_cache(maxsize=4096)
def read_public(multibase: str) -> PublicKey:
    """Read a public key from a Multikey.

    Raises:
        UndecidedError: a kind of key that is not known here (`key_kind`).
        CredentialError: no key at all (`key_form`, `multibase_form`).
    """
    raw = decode_multibase(multibase)
    code, key = raw[:2], raw[2:]
    if code == ED25519_PUBLIC:
        if len(key) != 32:
            raise CredentialError("key_form", f"An Ed25519 public key has 32 bytes, not {len(key)}.")
        return PublicKey("Ed25519", key)
    if code == P256_PUBLIC:
        P256.read(key)
        return PublicKey("P-256", key)
    raise UndecidedError("key_kind", "The key is of a kind that is not read here.")


def decode_public(multibase: str) -> bytes:
    """Read the 32 bytes of an Ed25519 public key from a Multikey.

    Raises:
        CredentialError: another kind of key (code `key_kind`), or no key at all (code `key_form`).
    """
    key = read_public(multibase)
    if key.kind != "Ed25519":
        raise CredentialError("key_kind", "The key is not an Ed25519 key.")
    return key.raw


def verify_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the signature is this key's for this message; no where key or signature has another length."""
    if len(public) != bindings.crypto_sign_PUBLICKEYBYTES or len(signature) != bindings.crypto_sign_BYTES:
        # The binding reads as many bytes from the key and signature without looking how many there are.
        return False
    try:
        bindings.crypto_sign_open(signature + message, public)
    except exceptions.BadSignatureError:
        return False
    return True
