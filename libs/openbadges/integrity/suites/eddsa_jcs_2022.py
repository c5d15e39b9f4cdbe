"""eddsa-jcs-2022 (Data Integrity EdDSA Cryptosuites 1.0, section 3.3): Ed25519 over canonical JSON."""

from typing import Final

from libs.openbadges.crypto.keys import PublicKey, verify_ed25519
from libs.openbadges.integrity.suites.hashing import JsonHashing


class EddsaJcs2022(JsonHashing):
    """Signs the JSON as it stands; what it means in RDF is checked all the same."""

    name: Final = "eddsa-jcs-2022"
    proof_type: Final = "DataIntegrityProof"

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Verify with Ed25519."""
        return key.kind == "Ed25519" and verify_ed25519(key.raw, message, signature)
