"""The two ways from a document and proof options to what is signed: hashes of canonical RDF, or of canonical JSON."""

import hashlib
from typing import Any

from libs.openbadges.jsonld import jcs
from libs.openbadges.jsonld.templates.cache import TemplateCache
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model.errors import CredentialError


class RdfHashing:
    """SHA-256 of the options' canonical N-Quads, then of the document's (Data Integrity EdDSA 1.0, section 3.2)."""

    def __init__(self, templates: TemplateCache) -> None:
        """Take the cache that knows the templates of proof options."""
        self._templates = templates

    def complete(self, document: CanonicalDocument, options: dict[str, Any]) -> dict[str, Any]:
        """Add nothing: the options are read in the document's context."""
        return options

    def signing_input(self, document: CanonicalDocument, options: dict[str, Any]) -> bytes:
        """Join the hashes.

        Raises:
            CredentialError: the proof has a context of its own, or an undefined term.
        """
        if "@context" in options:
            raise CredentialError("proof_form", "A proof over RDF takes its context from its document.", "/proof")
        return (
            self._templates.digest({"@context": document.contexts, **options}, document.profile) + document.rdf_hash()
        )


class JsonHashing:
    """SHA-256 of the options in JCS, then of the document (Data Integrity EdDSA 1.0, section 3.3)."""

    def complete(self, document: CanonicalDocument, options: dict[str, Any]) -> dict[str, Any]:
        """Add the document's context, which other verifiers insist on."""
        return {**options, "@context": document.contexts}

    def signing_input(self, document: CanonicalDocument, options: dict[str, Any]) -> bytes:
        """Join the hashes; where the proof has a context, that is the one that was signed (section 3.3.2).

        Raises:
            CredentialError: the document's contexts do not begin with the proof's.
        """
        if "@context" not in options or options["@context"] == document.contexts:
            return _digest(options) + document.json_hash()
        signed, found = _listed(options["@context"]), _listed(document.contexts)
        if found[: len(signed)] != signed:
            raise CredentialError("proof_context", "The proof was made in another context.", "/proof/@context")
        return _digest(options) + _digest({**document.document, "@context": options["@context"]})


def _listed(contexts: Any) -> list[Any]:
    return contexts if isinstance(contexts, list) else [contexts]


def _digest(value: Any) -> bytes:
    return hashlib.sha256(jcs.canonicalize(value)).digest()
