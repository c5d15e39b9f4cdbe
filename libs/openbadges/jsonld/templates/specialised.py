"""Templates made narrower for the awards of one achievement, which differ in a handful of texts."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import orjson
from cachetools import LRUCache

from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument, contexts_of
from libs.openbadges.jsonld.templates.derivation import derive
from libs.openbadges.jsonld.templates.lines import UnderivableError
from libs.openbadges.jsonld.templates.matchers import Form, TextMatcher, TokenMatcher, Values
from libs.openbadges.jsonld.templates.template import Template
from libs.openbadges.jsonld.templates.tokens import Tokens, restore
from libs.openbadges.model.errors import LimitError

FIRST_DUE: Final = 8
"""Documents of a family that are compared before a template is specialised; each later time, four times as many."""

MOST_NOTED: Final = 64
"""Families whose documents are compared at a time."""

MOST_IN_FAMILY: Final = 4
"""Specialised templates of one family: by structures of its documents."""

MOST_VARYING: Final = 64
"""Slots of a specialised template. Its expression takes a page of memory for some six of them, and `re` keeps the last
512 expressions, also those of templates that were dropped."""

PATIENCE: Final = 10_000
"""A template that was used within so many documents makes no room for another: families that take turns would push each
other out, and be derived again and again."""

_ID: Final = b'"id":"'

Family = bytes


@dataclass(slots=True, eq=False)
class _Specialised:
    """A specialised template.

    Attributes:
        matcher: matches its documents.
        template: gives their digests.
        contexts: their `@context`.
        own: which value, or what constant text, is the identifier of the document itself; None where that is not told.
        constants: all texts that never vary.
    """

    matcher: TextMatcher
    template: Template
    contexts: str | list[str]
    own: int | bytes | None
    constants: frozenset[bytes]
    family: Family
    used: int

    def is_single(self, values: Values) -> bool:
        """Return whether it is certain that no second object of a document has the document's identifier."""
        if not isinstance(self.own, int):
            return self.own is not None and self.own not in values
        own = values[self.own]
        return own not in self.constants and values.count(own) == 1

    @property
    def size(self) -> int:
        return self.matcher.size + self.template.size


@dataclass(slots=True)
class _Note:
    """What was seen to vary among the documents of a family that have one template.

    Attributes:
        matcher: of that template; held so that no other can come to have its identity.
        values: those of the first document.
        varying: numbers of the values that were others in a later one.
        compared: documents compared.
        due: how many of them there will be when a specialised template is derived.
        specialised: the template that was.
    """

    matcher: TokenMatcher
    values: Values
    varying: set[int] = field(default_factory=set)
    compared: int = 1
    due: int = FIRST_DUE
    specialised: _Specialised | None = None


class SpecialisedTemplates:
    """The specialised templates that are kept, by family; each serves only what it matches to the letter.

    What is left open in one is what was seen to vary, so a wrong guess costs time and never truth: a document that
    differs elsewhere does not match. Safe under threads as `TemplateCache` is.
    """

    def __init__(self, *, specialised: int = 64, size: int = 16 * 1024 * 1024) -> None:
        """Set the limits: templates kept, and the bytes that they take in all."""
        self._most = specialised
        self._largest = size
        self._table: dict[Family, tuple[_Specialised, ...]] = {}
        self._notes: LRUCache[tuple[Family, int], _Note] = LRUCache(MOST_NOTED)
        self._latest: _Specialised | None = None
        self._clock = count()
        self._lock = threading.Lock()
        self.size = 0

    def find(self, text: bytes) -> CanonicalDocument | None:
        """Find the template that matches a document by its text; awards of one achievement often come in a row."""
        found = self._latest
        values = None if found is None else found.matcher.values(text)
        if values is None:
            for found in self._table.get(family_of(text), ()):
                values = found.matcher.values(text)
                if values is not None:
                    break
            else:
                return None
            self._latest = found
        assert found is not None  # noqa: S101  for mypy: there are values
        found.used = next(self._clock)
        canonical = CanonicalDocument(text, found.contexts, found.template, values)
        canonical.single = found.is_single(values)
        return canonical

    def observe(
        self, document: dict[str, Any], canonical: CanonicalDocument, tokens: Tokens, matcher: TokenMatcher
    ) -> None:
        """Compare a document that no specialised template matches with others; derive one when enough were compared."""
        family, contexts = family_of(canonical.text), contexts_of(document)
        if not family or contexts is None or "proof" in document:
            return
        with self._lock:
            note = self._note(family, matcher, canonical.values)
            if note.compared < note.due or self._is_full():
                return
            note.due *= 4
            varying = frozenset(matcher.indexes[number] for number in note.varying)
        if len(varying) > MOST_VARYING:
            return
        try:
            derived = derive(document, tokens, canonical.rdf_hash(), only=varying)
        except (UnderivableError, LimitError):
            return
        own, constants = _own(document, tokens, derived.forms)
        made_matcher = TextMatcher.of(tokens, derived.forms)
        made = _Specialised(made_matcher, derived.template, contexts, own, constants, family, next(self._clock))
        with self._lock:
            self._store(note, made)

    def _note(self, family: Family, matcher: TokenMatcher, values: Values) -> _Note:
        name = (family, id(matcher))
        note = self._notes.get(name)
        if note is None:
            note = self._notes[name] = _Note(matcher, values)
            return note
        note.varying.update(
            number for number, (one, other) in enumerate(zip(note.values, values, strict=True)) if one != other
        )
        note.compared += 1
        return note

    def _is_full(self) -> bool:
        """Return whether there is no room, and nothing in it that was not used for long."""
        kept = [found for row in self._table.values() for found in row]
        if len(kept) < self._most and self.size < self._largest:
            return False
        return min(found.used for found in kept) > next(self._clock) - PATIENCE

    def _store(self, note: _Note, made: _Specialised) -> None:
        row = self._table.get(made.family, ())
        if note.specialised in row:
            self._drop(note.specialised)
        note.specialised = made
        self._table[made.family] = (*self._table.get(made.family, ()), made)
        self.size += made.size
        while len(self._table[made.family]) > MOST_IN_FAMILY:
            self._drop(min(self._table[made.family], key=lambda one: one.used))
        while sum(map(len, self._table.values())) > self._most or self.size > self._largest:
            self._drop(min((one for row in self._table.values() for one in row), key=lambda one: one.used))

    def _drop(self, found: _Specialised) -> None:
        self._latest = None
        row = tuple(one for one in self._table[found.family] if one is not found)
        if row:
            self._table[found.family] = row
        else:
            del self._table[found.family]
        self.size -= found.size


def family_of(text: bytes) -> Family:
    """Name what a badge's family is: the first identifier in its achievement; empty where there is none.

    That is a guess from the text. Documents that are grouped otherwise than one would are known all the same, or not.
    """
    achievement = text.find(b'"achievement":{')
    start = text.find(_ID, achievement) + len(_ID)
    return text[start : text.find(b'"', start)] if achievement >= 0 and start >= len(_ID) else b""


def _own(
    document: dict[str, Any], tokens: Tokens, forms: Sequence[Form]
) -> tuple[int | bytes | None, frozenset[bytes]]:
    """Find which value, or what constant text, is the document's own identifier; and all constant texts."""
    strings = restore(tokens.strings)
    varying = [form.index for form in forms]
    constants = frozenset(text for index, text in enumerate(strings) if index not in varying)
    identifier = document.get("id")
    own = orjson.dumps(identifier)[1:-1] if isinstance(identifier, str) else b""
    if strings.count(own) != 1:
        return None, constants
    index = strings.index(own)
    return varying.index(index) if index in varying else own, constants
