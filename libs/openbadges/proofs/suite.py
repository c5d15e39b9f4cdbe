"""What a Data Integrity cryptosuite is: bytes to sign from a document and proof options, and a signature check."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Unsecured:
    """A document without its proof that is known to say in RDF all that it says in JSON.

    Attributes:
        content: the document.
        rdf_hash: SHA-256 of its canonical N-Quads; that it could be made is what proves the above.
    """

    content: Mapping[str, Any]
    rdf_hash: bytes


class Cryptosuite(Protocol):
    """One way from a document and the options of its proof to a signature (Data Integrity 1.0, section 3).

    A suite knows nothing of keys' owners, dates or purposes; those are the same for every suite and are checked
    in `proofchecks`.
    """

    @property
    def name(self) -> str:
        """The suite as a proof's `cryptosuite` names it."""
        ...

    def signing_input(self, document: Unsecured, options: dict[str, Any]) -> bytes:
        """Answer the bytes that are signed.

        Args:
            document: the document without its proof.
            options: the proof without its proofValue.

        Raises:
            CredentialError: the options cannot be canonicalized without loss.
            LimitError: canonicalizing would take too long.
        """
        ...

    def verify(self, public_multibase: str, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature over the message is the key's.

        Raises:
            CredentialError: the key is not one that this suite uses.
        """
        ...
