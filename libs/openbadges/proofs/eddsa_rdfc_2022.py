"""eddsa-rdfc-2022 (Data Integrity EdDSA Cryptosuites 1.0, section 3.2): Ed25519 over canonical RDF."""

from typing import Any, Final

from libs.openbadges.keys import decode_public, verify_ed25519
from libs.openbadges.proofs.rdf import digest


class EddsaRdfc2022:
    """Ed25519 over SHA-256(canonical proof options) followed by SHA-256(canonical document)."""

    name: Final = "eddsa-rdfc-2022"

    def signing_input(self, document: dict[str, Any], options: dict[str, Any]) -> bytes:
        """Hash the canonical N-Quads of the options and of the document (section 3.2.4)."""
        configuration = {"@context": document.get("@context"), **options}
        return digest(configuration) + digest(document)

    def verify(self, public_multibase: str, message: bytes, signature: bytes) -> bool:
        """Verify with Ed25519."""
        return verify_ed25519(decode_public(public_multibase), message, signature)
