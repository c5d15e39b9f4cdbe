"""A document whose RDF says all that its JSON says, with the digests of both, worked out when asked for."""

import hashlib
from typing import Any, final

from libs.openbadges.jsonld import jcs
from libs.openbadges.jsonld.canonical import to_dataset
from libs.openbadges.jsonld.parsing import load
from libs.openbadges.jsonld.rdf import Dataset
from libs.openbadges.jsonld.rdfc import serialize
from libs.openbadges.jsonld.templates.matchers import Values
from libs.openbadges.jsonld.templates.template import Template
from libs.openbadges.model.errors import LimitError
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile


@final
class CanonicalDocument:
    """A document as text, with the digests of what it says, worked out when asked.

    That it matches a template proves it, or that the general algorithm has accepted it.

    Attributes:
        text: the document as compact JSON.
        profile: by which it was read.
        values: what varies in it, where its template is known.
        single: whether it is certain that no second object in it has its identifier; no, until somebody says so.
    """

    __slots__ = (
        "_contexts",
        "_dataset",
        "_document",
        "_limit",
        "_rdf_hash",
        "_shape",
        "profile",
        "single",
        "text",
        "values",
    )

    def __init__(
        self,
        text: bytes,
        contexts: str | list[str] | None,
        template: Template | None = None,
        values: Values = (),
        *,
        dataset: Dataset | None = None,
        profile: ProcessingProfile = PRODUCTION,
    ) -> None:
        """Take the text with its template and values, or with its RDF; `contexts` None are read from it."""
        self.text = text
        self.single = False
        self._contexts: Any = contexts
        self._document: dict[str, Any] | None = None
        self._rdf_hash: bytes | None = None
        self._limit: LimitError | None = None
        self._dataset = dataset
        self._shape = template
        self.profile = profile
        self.values = values

    @property
    def document(self) -> dict[str, Any]:
        """The document, parsed when it is asked for first: nobody else's, so that nobody changes what was checked."""
        if self._document is None:
            self._document = load(self.text)
        return self._document

    @property
    def contexts(self) -> Any:
        """The document's `@context`; None where it has none."""
        return self.document.get("@context") if self._contexts is None else self._contexts

    def rdf_hash(self) -> bytes:
        """Return SHA-256 of its canonical N-Quads.

        Raises:
            LimitError: parts of it are too alike to be told apart in time; this is found out once.
        """
        if self._limit is not None:
            raise self._limit
        if self._rdf_hash is None and self._shape is not None:
            self._rdf_hash = self._shape.rdf_hash(self.values)
        if self._rdf_hash is None:
            dataset = to_dataset(self.document, self.profile) if self._dataset is None else self._dataset
            try:
                self._rdf_hash = hashlib.sha256(serialize(dataset).text.encode()).digest()
            except LimitError as error:
                self._limit = error
                raise
        return self._rdf_hash

    def json_hash(self) -> bytes:
        """Return SHA-256 of it in JCS."""
        if self._shape is not None:
            return self._shape.json_hash(self.values)
        return hashlib.sha256(jcs.canonicalize(self.document)).digest()


def contexts_of(document: dict[str, Any]) -> str | list[str] | None:
    """Return a document's contexts, the caller's no longer; None where they are more than names."""
    contexts = document.get("@context")
    if isinstance(contexts, list) and all(isinstance(one, str) for one in contexts):
        return list(contexts)
    return contexts if isinstance(contexts, str) else None
