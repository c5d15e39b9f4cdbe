"""What a Data Integrity cryptosuite is: bytes to sign from a document and proof options, and a signature check."""

from typing import Any, Protocol


class Cryptosuite(Protocol):
    """One way from a document and the options of its proof to a signature (Data Integrity 1.0, section 3).

    A suite knows nothing of keys' owners, dates or purposes; those are the same for every suite and are checked
    in `verification`.
    """

    @property
    def name(self) -> str:
        """The suite as a proof's `cryptosuite` names it."""
        ...

    def signing_input(self, document: dict[str, Any], options: dict[str, Any]) -> bytes:
        """Answer the bytes that are signed.

        Args:
            document: the document without its proof.
            options: the proof without its proofValue and without an `@context` of its own.

        Raises:
            CredentialError: the document or the options cannot be canonicalized without loss.
            LimitError: canonicalizing would take too long.
        """
        ...

    def verify(self, public_multibase: str, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature over the message is the key's.

        Raises:
            CredentialError: the key is not one that this suite uses.
        """
        ...
