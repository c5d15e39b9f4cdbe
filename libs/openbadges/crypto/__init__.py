"""Keys and their identifiers: Ed25519, ECDSA, RSA, multibase, JWK, did:key and did:web."""

from libs.openbadges.crypto.did import did_document, did_key, did_web, did_web_url, verification_method
from libs.openbadges.crypto.keys import Ed25519Key, PublicKey, Signer, read_public
from libs.openbadges.crypto.p256 import P256Key
from libs.openbadges.crypto.rsa import RsaKey

__all__ = [
    "Ed25519Key",
    "P256Key",
    "PublicKey",
    "RsaKey",
    "Signer",
    "did_document",
    "did_key",
    "did_web",
    "did_web_url",
    "read_public",
    "verification_method",
]
