"""eddsa-rdfc-2022 (Data Integrity EdDSA Cryptosuites 1.0, section 3.2): Ed25519 over canonical RDF."""

from typing import Final

from libs.openbadges.crypto.keys import PublicKey, verify_ed25519
from libs.openbadges.integrity.suites.hashing import RdfHashing


class EddsaRdfc2022(RdfHashing):
    """The suite that Open Badges 3.0 certification asks for."""

    name: Final = "eddsa-rdfc-2022"
    proof_type: Final = "DataIntegrityProof"

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Verify with Ed25519."""
        return key.kind == "Ed25519" and verify_ed25519(key.raw, message, signature)
