"""RSA keys for RS256, which Open Badges certification asks of JWTs: made, read, signing and verifying."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from libs.openbadges.model.errors import CredentialError

SMALLEST: Final = 2048
"""Bits of a modulus below which a key is not used (RFC 7518, section 3.3)."""

LARGEST: Final = 8192
"""Bits beyond which verifying would cost a stranger nothing and us much."""

_SMALLEST_EXPONENT: Final = 65_537
_LARGEST_EXPONENT: Final = 2**32


@dataclass(frozen=True, slots=True)
class RsaKey:
    """A private RSA key. It shows in no representation."""

    _private: rsa.RSAPrivateKey = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a key that nobody should sign with."""
        check_strength(self._private.public_key())

    @classmethod
    def generate(cls, bits: int = SMALLEST) -> Self:
        """Make a new key from the operating system's randomness.

        Raises:
            CredentialError: `key_weak`, fewer bits than `SMALLEST` or more than `LARGEST`.
        """
        if not SMALLEST <= bits <= LARGEST:
            raise CredentialError("key_weak", f"An RSA key has {SMALLEST} to {LARGEST} bits, not {bits}.")
        return cls(rsa.generate_private_key(public_exponent=65_537, key_size=bits))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Take a private key from PEM without a password (RFC 7468).

        Raises:
            CredentialError: `key_form`, no RSA key in PEM; `key_weak`, see `check_strength`.
        """
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise CredentialError("key_form", "That is no private key in PEM, or it has a password.") from error
        if not isinstance(private, rsa.RSAPrivateKey):
            raise CredentialError("key_kind", "The key is not an RSA key.")
        return cls(private)

    @property
    def private(self) -> rsa.RSAPrivateKey:
        """The key as the library holds it, for writing it out."""
        return self._private

    @property
    def public_bytes(self) -> bytes:
        """The public key as SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7)."""
        return encode_rsa(self._private.public_key())

    def sign(self, message: bytes) -> bytes:
        """Sign with RSASSA-PKCS1-v1_5 over SHA-256 (RFC 7518, section 3.3): as many bytes as the modulus has."""
        return self._private.sign(message, padding.PKCS1v15(), SHA256())


def check_strength(public: rsa.RSAPublicKey) -> None:
    """Refuse a public key that is too small, too large, or has an exponent that nobody should use.

    Raises:
        CredentialError: `key_weak` (RFC 7518, section 3.3).
    """
    if not SMALLEST <= public.key_size <= LARGEST:
        raise CredentialError("key_weak", f"An RSA key has {SMALLEST} to {LARGEST} bits, not {public.key_size}.")
    if not _SMALLEST_EXPONENT <= public.public_numbers().e < _LARGEST_EXPONENT:
        raise CredentialError("key_weak", "The exponent of the RSA key is not one that is used.")


def encode_rsa(public: rsa.RSAPublicKey) -> bytes:
    """Write a public key as SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7): one key has one such text."""
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=1024)
def read_rsa(der: bytes) -> rsa.RSAPublicKey:
    """Read a public key from SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7).

    Raises:
        CredentialError: `key_form`, no RSA key; `key_weak`, see `check_strength`.
    """
    try:
        public = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CredentialError("key_form", "That is no public key.") from error
    if not isinstance(public, rsa.RSAPublicKey):
        raise CredentialError("key_form", "That is no RSA key.")
    check_strength(public)
    return public


def verify_rsa(der: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the signature is this key's for this message (RFC 7518, section 3.3).

    Raises:
        CredentialError: no RSA key, or a weak one.
    """
    public = read_rsa(der)
    if len(signature) != (public.key_size + 7) // 8:
        return False
    try:
        public.verify(signature, message, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
