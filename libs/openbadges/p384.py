"""P-384 keys, which others sign JSON Web Tokens with (ES384): read, and signatures of theirs checked."""

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from libs.openbadges.errors import CredentialError

_VERIFY: Final = ec.ECDSA(SHA384())
_HALF: Final = 48


@lru_cache(maxsize=1024)
def read_p384(compressed: bytes) -> ec.EllipticCurvePublicKey:
    """Read a public key from its compressed point.

    Raises:
        CredentialError: `key_form`, no point of the curve.
    """
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), compressed)
    except ValueError as error:
        raise CredentialError("key_form", "That is no point of the curve P-384.") from error


def verify_p384(compressed: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether the signature over SHA-384 is this key's for this message (RFC 7518, section 3.4).

    Raises:
        CredentialError: no key of the curve.
    """
    if len(signature) != 2 * _HALF:
        return False
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    try:
        read_p384(compressed).verify(encode_dss_signature(r, s), message, _VERIFY)
    except InvalidSignature:
        return False
    return True
