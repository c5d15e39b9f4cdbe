"""Private P-256 keys for the ECDSA cryptosuites: made, read, and signing, deterministically."""

from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.openbadges.crypto.multibase import P256_PUBLIC, encode_multibase
from libs.openbadges.model.errors import CredentialError

_SIGN: Final = ec.ECDSA(SHA256(), deterministic_signing=True)


@dataclass(frozen=True, slots=True)
class P256Key:
    """A private P-256 key. It shows in no representation."""

    _private: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the operating system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """Take the key of a 32-byte secret number.

        Raises:
            CredentialError: the number is not one of the curve's.
        """
        try:
            return cls(ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()))
        except ValueError as error:
            raise CredentialError("key_form", "That is no secret of a P-256 key.") from error

    @property
    def private(self) -> ec.EllipticCurvePrivateKey:
        """The key as the library holds it, for writing it out."""
        return self._private

    @property
    def public_bytes(self) -> bytes:
        """The public point, compressed: 33 bytes."""
        return self._private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    @property
    def public_multibase(self) -> str:
        """The public key as a Multikey, zDn and 46 characters more."""
        return encode_multibase(P256_PUBLIC + self.public_bytes)

    def sign(self, message: bytes) -> bytes:
        """Sign with ECDSA over SHA-256 (RFC 6979): r and s, 64 bytes."""
        r, s = decode_dss_signature(self._private.sign(message, _SIGN))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
