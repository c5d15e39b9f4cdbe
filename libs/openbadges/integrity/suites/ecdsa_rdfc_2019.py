"""ecdsa-rdfc-2019 (Data Integrity ECDSA Cryptosuites 1.0, section 3.2): P-256 over canonical RDF."""

from typing import Final

from libs.openbadges.crypto.keys import PublicKey
from libs.openbadges.integrity.suites.hashing import RdfHashing


class EcdsaRdfc2019(RdfHashing):
    """With keys of the curve P-256 alone."""

    name: Final = "ecdsa-rdfc-2019"
    proof_type: Final = "DataIntegrityProof"

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Verify with P-256."""
        return key.kind == "P-256" and key.verify(message, signature)
