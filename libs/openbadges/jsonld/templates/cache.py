"""The shapes that are kept: so many, so large, none twice, and only of documents that came more than once."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import Any, Final

from libs.openbadges.jsonld.canonical import to_dataset
from libs.openbadges.jsonld.contexts import conformance, has_inline_context
from libs.openbadges.jsonld.parsing import write
from libs.openbadges.jsonld.templates.derivation import derive
from libs.openbadges.jsonld.templates.editions import Editions
from libs.openbadges.jsonld.templates.guard import PieceGuard
from libs.openbadges.jsonld.templates.known import Known, contexts_of
from libs.openbadges.jsonld.templates.lines import UnderivableError
from libs.openbadges.jsonld.templates.places import structure
from libs.openbadges.jsonld.templates.shape import Shape
from libs.openbadges.jsonld.templates.text import Cut, cut
from libs.openbadges.model.errors import LimitError

LONGEST: Final = 64 * 1024
"""Bytes of a document beyond which no shape is derived; twice the largest status list credential."""

SHORT: Final = 1024
"""Bytes up to which whole texts are remembered: the options of proofs, the same for all made by a key in a second."""


class ShapeCache:
    """Digests of canonical RDF, by shape where there is one, else by the general algorithm.

    Safe under threads: readers take what they find without a lock, writers exchange whole tuples under one. A
    sender of ever new shapes gets the general algorithm for each first document, so that a shape costs its sender
    as much as the engine; the shape unused for longest makes room, and memory stays below a limit.
    """

    def __init__(self, *, shapes: int = 256, size: int = 16 * 1024 * 1024, remembered: int = 4096) -> None:
        """Set the limits: shapes kept, bytes that they take in all, structures remembered as seen once."""
        self.editions = Editions(size=size)
        self._shapes_kept = shapes
        self._size_kept = size
        self._remembered = remembered
        self._table: dict[bytes, tuple[_Kept, ...]] = {}
        self._seen: OrderedDict[bytes, bool] = OrderedDict()
        self._exact: dict[bytes, bytes] = {}
        self._clock = count()
        self._lock = threading.Lock()
        self._size = 0
        self._kept = 0

    def digest(self, document: dict[str, Any]) -> bytes:
        """Answer SHA-256 of a document's canonical N-Quads.

        Raises:
            CredentialError, LimitError: see `canonical.canonicalize`.
        """
        text = write(document)
        if len(text) > SHORT:
            return self.read(document, text).rdf_hash()
        found = self._exact.get(text)
        if found is None:
            found = self.read(document, text).rdf_hash()
            if not (conformance() and has_inline_context(document)):
                if len(self._exact) >= self._shapes_kept:
                    self._exact.clear()
                self._exact[text] = found
        return found

    def read(self, document: dict[str, Any], text: bytes) -> Known:
        """Read a document, refusing whatever would be dropped or guessed on the way to RDF.

        Args:
            document: what is read.
            text: the same as `orjson.dumps` writes it.

        Raises:
            CredentialError, LimitError: see `canonical.canonicalize`.
        """
        known = self.editions.find(text)
        if known is not None:
            return known
        contexts = contexts_of(document)
        if len(text) > LONGEST or (conformance() and has_inline_context(document)):
            # Of a context of the document's own no shape is learnt: a shape answers for later documents, of others.
            return Known(text, contexts, dataset=to_dataset(document))
        pieces = cut(text)
        if pieces is None:
            return Known(text, contexts, dataset=to_dataset(document))
        for kept in self._table.get(pieces.skeleton, ()):
            values = kept.guard.values(pieces)
            if values is not None:
                kept.used = next(self._clock)
                known = Known(text, contexts, kept.shape, values)
                self.editions.met(document, known, pieces, kept.guard)
                return known
        known = Known(text, contexts, dataset=to_dataset(document))
        self._learn(document, pieces, known)
        return known

    def stats(self) -> Mapping[str, int]:
        """Tell how full the cache is: shapes and the bytes that they take, about."""
        return MappingProxyType({"shapes": self._kept, "bytes": self._size + self.editions.size})

    def _learn(self, document: dict[str, Any], pieces: Cut, known: Known) -> None:
        """Derive the shape of a document that came a second time; a structure that gave none is not tried again."""
        name = structure(document, pieces.skeleton)
        with self._lock:
            first = name not in self._seen
            hopeless = self._seen.setdefault(name, False)
            self._seen.move_to_end(name)
            while len(self._seen) > self._remembered:
                self._seen.popitem(last=False)
        if first or hopeless:
            return
        try:
            derived = derive(document, pieces, known.rdf_hash())
        except (UnderivableError, LimitError):
            with self._lock:
                self._seen[name] = True
            return
        guard = PieceGuard.of(pieces, derived.forms)
        kept = _Kept(derived.shape, guard, next(self._clock), len(pieces.skeleton) + derived.shape.size + guard.size)
        with self._lock:
            if kept.size > self._size_kept // 4:
                self._seen[name] = True
            else:
                self._keep(pieces.skeleton, kept)

    def _keep(self, skeleton: bytes, kept: "_Kept") -> None:
        self._table[skeleton] = (*self._table.get(skeleton, ()), kept)
        self._kept += 1
        self._size += kept.size
        while self._kept > self._shapes_kept or self._size > self._size_kept:
            self._forget()

    def _forget(self) -> None:
        """Drop the shape unused for longest."""
        skeleton, oldest = min(
            ((skeleton, kept) for skeleton, row in self._table.items() for kept in row), key=lambda pair: pair[1].used
        )
        row = tuple(kept for kept in self._table[skeleton] if kept is not oldest)
        if row:
            self._table[skeleton] = row
        else:
            del self._table[skeleton]
        self._kept -= 1
        self._size -= oldest.size


class _Kept:
    __slots__ = ("guard", "shape", "size", "used")

    def __init__(self, shape: Shape, guard: PieceGuard, used: int, size: int) -> None:
        self.shape = shape
        self.guard = guard
        self.used = used
        self.size = size
