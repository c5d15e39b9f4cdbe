"""What a Data Integrity cryptosuite is: bytes to sign from a document and proof options, and a signature check."""

from typing import Any, Protocol

from libs.openbadges.crypto.keys import PublicKey
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument


class Cryptosuite(Protocol):
    """One way from a document and the options of its proof to a signature (Data Integrity 1.0, section 3).

    A suite knows nothing of keys' owners, dates or purposes; those are the same for every suite and are checked
    in `integrity.check`.
    """

    @property
    def name(self) -> str:
        """The suite as a proof's `cryptosuite` names it, or as its type does where it is a type of its own."""
        ...

    @property
    def proof_type(self) -> str:
        """The type of its proofs."""
        ...

    def complete(self, document: CanonicalDocument, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a new proof with what the suite adds to them."""
        ...

    def signing_input(self, document: CanonicalDocument, options: dict[str, Any]) -> bytes:
        """Return the bytes that are signed.

        Args:
            document: the document without its proof.
            options: the proof without its proofValue.

        Raises:
            CredentialError: the options cannot be canonicalized without loss, or do not fit the document.
            LimitError: canonicalizing would take too long.
        """
        ...

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Return whether the signature over the message is the key's; no if the suite has no use for such keys."""
        ...
