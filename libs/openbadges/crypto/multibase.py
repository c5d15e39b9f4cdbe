"""Keys and signatures as text: base58btc with the prefix z, and the codes that say which kind of key it is."""

from typing import Final

from libs.openbadges.crypto import base58btc
from libs.openbadges.model.errors import CredentialError

ED25519_PUBLIC: Final = b"\xed\x01"
"""Multicodec of an Ed25519 public key (Controlled Identifiers 1.0, section 2.2.2)."""

P256_PUBLIC: Final = b"\x80\x24"
"""Multicodec of a compressed P-256 public key (the same section)."""


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
