"""The curves of ECDSA keys: a public point is read, a signature is checked (RFC 7518, section 3.4)."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from libs.openbadges.model.errors import CredentialError


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A curve with the hash that its signatures are over.

    Attributes:
        name: as JWK has it.
        curve: as the library has it.
        over: the library's ECDSA with the hash.
        half: bytes of r, and of s, in a signature.
    """

    name: str
    curve: ec.EllipticCurve
    over: ec.ECDSA
    half: int

    def read(self, compressed: bytes) -> ec.EllipticCurvePublicKey:
        """Read a public key from its compressed point.

        Raises:
            CredentialError: `key_form`, no point of the curve.
        """
        return _point(self, compressed)

    def verify(self, compressed: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether the signature, r and then s, is this key's for this message.

        Raises:
            CredentialError: no key of the curve.
        """
        if len(signature) != 2 * self.half:
            return False
        r, s = int.from_bytes(signature[: self.half], "big"), int.from_bytes(signature[self.half :], "big")
        try:
            self.read(compressed).verify(encode_dss_signature(r, s), message, self.over)
        except InvalidSignature:
            return False
        return True


@lru_cache(maxsize=2048)
def _point(curve: Curve, compressed: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve.curve, compressed)
    except ValueError as error:
        raise CredentialError("key_form", f"That is no point of the curve {curve.name}.") from error


P256: Final = Curve("P-256", ec.SECP256R1(), ec.ECDSA(SHA256()), 32)
P384: Final = Curve("P-384", ec.SECP384R1(), ec.ECDSA(SHA384()), 48)
