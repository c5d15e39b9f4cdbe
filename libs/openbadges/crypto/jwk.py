"""Keys as JSON Web Keys, in and out: Ed25519 (OKP), P-256 and P-384 (EC), and RSA of 2048 bits or more."""

from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import base64_to_int

from libs.openbadges.crypto.curves import P256, P384
from libs.openbadges.crypto.keys import Ed25519Key, KeyKind, PublicKey
from libs.openbadges.crypto.p256 import P256Key
from libs.openbadges.crypto.rsa import SMALLEST, RsaKey, encode_rsa, read_rsa
from libs.openbadges.model.errors import CredentialError, UndecidedError

Jwk = dict[str, Any]
JoseKey = ECKey | OKPKey | RSAKey
PrivateKey = Ed25519Key | P256Key | RsaKey

_KINDS: Final[dict[tuple[object, object], type[JoseKey]]] = {
    ("OKP", "Ed25519"): OKPKey,
    ("EC", "P-256"): ECKey,
    ("EC", "P-384"): ECKey,
    ("RSA", None): RSAKey,
}
_ALGORITHMS: Final[dict[str | None, tuple[str, ...]]] = {
    "Ed25519": ("EdDSA", "Ed25519"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    None: ("RS256",),
}
"""By curve; RSA has none."""

_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_LONGEST: Final = 2048
"""Characters of one member; the modulus of an RSA key of 8192 bits has 1366."""

_MALFORMED: Final = (JoseError, ValueError, TypeError, KeyError)
"""What the library raises for what is no key; it does not always raise its own error."""


def read_jwk(jwk: object) -> PublicKey:
    """Read a public key from a JWK (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2).

    Raises:
        UndecidedError: `key_kind`, a kind of key that is not known here.
        CredentialError: `key_form`, no key; `key_private`, a secret one where a public one belongs (Open Badges 3.0,
            section 8.2.4.1); `key_weak`, an RSA key that is too small; `key_use`, one that is not for signatures.
    """
    if isinstance(jwk, dict) and _PRIVATE_MEMBERS & jwk.keys():
        raise CredentialError("key_private", "The JWK holds a private key, which is therefore no secret any more.")
    native = _imported(jwk).public_key
    if isinstance(native, rsa.RSAPublicKey):
        der = encode_rsa(native)
        read_rsa(der)
        return PublicKey("RSA", der)
    if isinstance(native, ec.EllipticCurvePublicKey):
        kind: KeyKind = "P-384" if isinstance(native.curve, ec.SECP384R1) else "P-256"
        return PublicKey(kind, native.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    return PublicKey("Ed25519", native.public_bytes(Encoding.Raw, PublicFormat.Raw))


def write_jwk(key: PublicKey) -> Jwk:
    """Write a public key as a JWK with its required members alone (RFC 7638, section 3.2)."""
    written = dict(jose_key(key).as_dict(private=False))
    return {name: written[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in written}


def thumbprint(key: PublicKey) -> str:
    """Return the SHA-256 thumbprint of a key in base64url (RFC 7638, section 3)."""
    return jose_key(key).thumbprint()


def read_private_jwk(jwk: object) -> PrivateKey:
    """Read a private key from a JWK (RFC 7518, section 6; RFC 8037, section 2).

    Raises:
        UndecidedError: `key_kind`, also for P-384, which nothing is signed with here.
        CredentialError: `key_form`, no private key, or one whose halves do not belong together; `key_weak`.
    """
    imported = _imported(jwk)
    native = imported.private_key
    if not isinstance(jwk, dict) or native is None:
        raise CredentialError("key_form", "The JWK holds no private key.")
    key: PrivateKey
    if isinstance(native, rsa.RSAPrivateKey):
        key = RsaKey(native)
    elif isinstance(native, ec.EllipticCurvePrivateKey):
        if not isinstance(native.curve, ec.SECP256R1):
            raise UndecidedError("key_kind", "The key is of a kind that nothing is signed with here.")
        key = P256Key.from_secret(native.private_numbers().private_value.to_bytes(32, "big"))
    else:
        key = Ed25519Key.from_seed(native.private_bytes_raw())
    stated = {name: value for name, value in jwk.items() if name not in _PRIVATE_MEMBERS}
    if read_jwk(stated) != public_of(key):
        raise CredentialError("key_form", "The two halves of the key do not belong together.")
    return key


def write_private_jwk(key: PrivateKey) -> Jwk:
    """Write a private key as a JWK; whoever reads it can sign (RFC 7518, section 6; RFC 8037, section 2)."""
    if isinstance(key, RsaKey):
        return dict(RSAKey.import_key(key.private).as_dict(private=True))
    if isinstance(key, P256Key):
        return dict(ECKey.import_key(key.private).as_dict(private=True))
    return dict(OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(key.seed)).as_dict(private=True))


def public_of(key: PrivateKey) -> PublicKey:
    """Return the public half of a private key."""
    if isinstance(key, RsaKey):
        return PublicKey("RSA", key.public_bytes)
    return PublicKey("P-256" if isinstance(key, P256Key) else "Ed25519", key.public_bytes)


@lru_cache(maxsize=1024)
def jose_key(key: PublicKey) -> JoseKey:
    """Return a public key as the JOSE library holds it.

    Raises:
        CredentialError: `key_form`, `key_weak`.
    """
    if key.kind == "RSA":
        return RSAKey.import_key(read_rsa(key.raw))
    if key.kind == "P-384":
        return ECKey.import_key(P384.read(key.raw))
    if key.kind == "P-256":
        return ECKey.import_key(P256.read(key.raw))
    return OKPKey.import_key(Ed25519PublicKey.from_public_bytes(key.raw))


def _imported(jwk: object) -> JoseKey:
    """Let the library read a JWK whose kind and size are known."""
    if not isinstance(jwk, dict):
        raise CredentialError("key_form", "A JWK is a JSON object.")
    if any(isinstance(value, str) and len(value) > _LONGEST for value in jwk.values()):
        raise CredentialError("key_form", "The JWK is larger than a key can be.")
    kty, curve = jwk.get("kty"), jwk.get("crv")
    if not isinstance(kty, str) or not isinstance(curve, str | None):
        raise CredentialError("key_form", "The JWK does not say of which kind it is.")
    kind = _KINDS.get((kty, None if kty == "RSA" else curve))
    if kind is None:
        raise UndecidedError("key_kind", "The key is of a kind that is not read here.")
    _check_use(jwk, None if kty == "RSA" else curve)
    try:
        size = base64_to_int(jwk["n"]).bit_length() if kty == "RSA" else SMALLEST
        if size >= SMALLEST:
            return kind.import_key(jwk)
    except _MALFORMED as error:
        raise CredentialError("key_form", f"That is no {kty} key.") from error
    # Asked before the library is, which only warns.
    raise CredentialError("key_weak", f"An RSA key has at least {SMALLEST} bits, not {size}.")


def _check_use(jwk: Jwk, curve: str | None) -> None:
    """Refuse a key that its owner keeps for something else (RFC 7517, sections 4.2 to 4.4; RFC 8725, section 3.1)."""
    operations, algorithm = jwk.get("key_ops", ["verify"]), jwk.get("alg")
    if jwk.get("use", "sig") != "sig":
        raise CredentialError("key_use", "The key is not for signatures (use).")
    if not isinstance(operations, list) or not {"sign", "verify"}.intersection(map(str, operations)):
        raise CredentialError("key_use", "The key is not for signatures (key_ops).")
    if algorithm is not None and algorithm not in _ALGORITHMS[curve]:
        raise CredentialError("key_use", "The key is for another algorithm than those of its kind here (alg).")
