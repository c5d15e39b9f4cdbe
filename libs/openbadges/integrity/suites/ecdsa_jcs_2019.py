"""ecdsa-jcs-2019 (Data Integrity ECDSA Cryptosuites 1.0, section 3.3): P-256 over canonical JSON."""

from typing import Final

from libs.openbadges.crypto.keys import PublicKey
from libs.openbadges.integrity.suites.hashing import JsonHashing


class EcdsaJcs2019(JsonHashing):
    """With keys of the curve P-256 alone."""

    name: Final = "ecdsa-jcs-2019"
    proof_type: Final = "DataIntegrityProof"

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Verify with P-256."""
        return key.kind == "P-256" and key.verify(message, signature)
