"""eddsa-rdfc-2022 (Data Integrity EdDSA Cryptosuites 1.0, section 3.2): Ed25519 over canonical RDF."""

from typing import Any, Final

from libs.openbadges.keys import decode_public, verify_ed25519
from libs.openbadges.proofs.suite import Unsecured
from libs.openbadges.shapes.cache import ShapeCache


class EddsaRdfc2022:
    """Ed25519 over SHA-256(canonical proof options) followed by SHA-256(canonical document)."""

    name: Final = "eddsa-rdfc-2022"

    def __init__(self, shapes: ShapeCache) -> None:
        """Take the cache that knows the shapes of proof options."""
        self._shapes = shapes

    def signing_input(self, document: Unsecured, options: dict[str, Any]) -> bytes:
        """Join the hash of the options' canonical N-Quads and that of the document's (section 3.2.4)."""
        return self._shapes.digest({"@context": document.content["@context"], **options}) + document.rdf_hash

    def verify(self, public_multibase: str, message: bytes, signature: bytes) -> bool:
        """Verify with Ed25519."""
        return verify_ed25519(decode_public(public_multibase), message, signature)
