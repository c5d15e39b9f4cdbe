"""Ed25519Signature2020 (Data Integrity EdDSA Cryptosuites 1.0, section 3.1): verified, no longer issued."""

from typing import Final

from libs.openbadges.crypto.keys import PublicKey, verify_ed25519
from libs.openbadges.integrity.suites.hashing import RdfHashing


class Ed25519Signature2020(RdfHashing):
    """A type of proof of its own, from before cryptosuites had names; much of it is still about."""

    name: Final = "Ed25519Signature2020"
    proof_type: Final = "Ed25519Signature2020"

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Verify with Ed25519."""
        return key.kind == "Ed25519" and verify_ed25519(key.raw, message, signature)
