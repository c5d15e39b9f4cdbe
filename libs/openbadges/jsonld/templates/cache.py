"""The templates that are kept: so many, so large, none twice, and only of documents that came more than once."""

import threading
from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import Any, Final

from cachetools import LRUCache

from libs.openbadges.jsonld.canonical import to_dataset
from libs.openbadges.jsonld.contexts import has_inline_context
from libs.openbadges.jsonld.parsing import write
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument, contexts_of
from libs.openbadges.jsonld.templates.derivation import derive
from libs.openbadges.jsonld.templates.lines import UnderivableError
from libs.openbadges.jsonld.templates.matchers import TokenMatcher
from libs.openbadges.jsonld.templates.placeholders import structure
from libs.openbadges.jsonld.templates.specialised import SpecialisedTemplates
from libs.openbadges.jsonld.templates.template import Template
from libs.openbadges.jsonld.templates.tokens import Tokens, tokenize
from libs.openbadges.model.errors import LimitError
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile

LONGEST: Final = 64 * 1024
"""Bytes of a document beyond which no template is derived; twice the largest status list credential."""

SHORT: Final = 1024
"""Bytes up to which whole texts are remembered: the options of proofs, the same for all made by a key in a second."""


class TemplateCache:
    """Digests of canonical RDF, by template where there is one, else by the general algorithm.

    Safe under threads: readers take what they find without a lock, writers exchange whole tuples under one. A
    sender of ever new templates gets the general algorithm for each first document, so that a template costs its sender
    as much as the engine; the template unused for longest makes room, and memory stays below a limit.
    """

    def __init__(self, *, templates: int = 256, size: int = 16 * 1024 * 1024, remembered: int = 4096) -> None:
        """Set the limits: templates kept, bytes that they take in all, structures remembered as seen once."""
        self.specialised = SpecialisedTemplates(size=size)
        self._most = templates
        self._largest = size
        self._table: dict[bytes, tuple[_Entry, ...]] = {}
        self._seen: LRUCache[bytes, bool] = LRUCache(remembered)
        # A plain dict, emptied when full: readers take no lock, and an LRU cache changes when it is read.
        self._exact: dict[bytes, bytes] = {}
        self._clock = count()
        self._lock = threading.Lock()
        self._size = 0
        self._kept = 0

    def digest(self, document: dict[str, Any], profile: ProcessingProfile = PRODUCTION) -> bytes:
        """Return SHA-256 of a document's canonical N-Quads.

        Raises:
            CredentialError, LimitError: see `canonical.canonicalize`.
        """
        text = write(document)
        if len(text) > SHORT:
            return self.read(document, text, profile).rdf_hash()
        found = self._exact.get(text)
        if found is None:
            found = self.read(document, text, profile).rdf_hash()
            if not (profile.inline_contexts and has_inline_context(document)):
                if len(self._exact) >= self._most:
                    self._exact.clear()
                self._exact[text] = found
        return found

    def read(self, document: dict[str, Any], text: bytes, profile: ProcessingProfile = PRODUCTION) -> CanonicalDocument:
        """Read a document, refusing whatever would be dropped or guessed on the way to RDF.

        Args:
            document: what is read.
            text: the same as `orjson.dumps` writes it.
            profile: which contexts are read.

        Raises:
            CredentialError, LimitError: see `canonical.canonicalize`.
        """
        canonical = self.specialised.find(text)
        if canonical is not None:
            return canonical
        contexts = contexts_of(document)
        if len(text) > LONGEST or (profile.inline_contexts and has_inline_context(document)):
            # No template is derived from a document's own context: it would serve later documents, of others.
            return CanonicalDocument(text, contexts, dataset=to_dataset(document, profile), profile=profile)
        tokens = tokenize(text)
        if tokens is None:
            return CanonicalDocument(text, contexts, dataset=to_dataset(document, profile), profile=profile)
        for entry in self._table.get(tokens.skeleton, ()):
            values = entry.matcher.values(tokens)
            if values is not None:
                entry.used = next(self._clock)
                canonical = CanonicalDocument(text, contexts, entry.template, values, profile=profile)
                self.specialised.observe(document, canonical, tokens, entry.matcher)
                return canonical
        canonical = CanonicalDocument(text, contexts, dataset=to_dataset(document, profile), profile=profile)
        self._derive(document, tokens, canonical)
        return canonical

    def stats(self) -> Mapping[str, int]:
        """Return how full the cache is: templates and the bytes that they take, about."""
        return MappingProxyType({"templates": self._kept, "bytes": self._size + self.specialised.size})

    def _derive(self, document: dict[str, Any], tokens: Tokens, canonical: CanonicalDocument) -> None:
        """Derive the template of a document that came a second time; a structure that gave none is not tried again."""
        name = structure(document, tokens.skeleton)
        with self._lock:
            first = name not in self._seen
            underivable = self._seen.setdefault(name, False)
        if first or underivable:
            return
        try:
            derived = derive(document, tokens, canonical.rdf_hash())
        except (UnderivableError, LimitError):
            with self._lock:
                self._seen[name] = True
            return
        matcher = TokenMatcher.of(tokens, derived.forms)
        entry = _Entry(
            derived.template, matcher, next(self._clock), len(tokens.skeleton) + derived.template.size + matcher.size
        )
        with self._lock:
            if entry.size > self._largest // 4:
                self._seen[name] = True
            else:
                self._store(tokens.skeleton, entry)

    def _store(self, skeleton: bytes, entry: "_Entry") -> None:
        self._table[skeleton] = (*self._table.get(skeleton, ()), entry)
        self._kept += 1
        self._size += entry.size
        while self._kept > self._most or self._size > self._largest:
            self._evict()

    def _evict(self) -> None:
        """Drop the template unused for longest."""
        skeleton, oldest = min(
            ((skeleton, entry) for skeleton, row in self._table.items() for entry in row), key=lambda pair: pair[1].used
        )
        row = tuple(entry for entry in self._table[skeleton] if entry is not oldest)
        if row:
            self._table[skeleton] = row
        else:
            del self._table[skeleton]
        self._kept -= 1
        self._size -= oldest.size


class _Entry:
    __slots__ = ("matcher", "size", "template", "used")

    def __init__(self, template: Template, matcher: TokenMatcher, used: int, size: int) -> None:
        self.template = template
        self.matcher = matcher
        self.used = used
        self.size = size
