"""Editions: shapes made narrower for the awards of one achievement, which differ in a handful of texts."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import orjson

from libs.openbadges.jsonld.templates.derivation import derive
from libs.openbadges.jsonld.templates.guard import Form, PieceGuard, TextGuard, Values
from libs.openbadges.jsonld.templates.known import Known, contexts_of
from libs.openbadges.jsonld.templates.lines import UnderivableError
from libs.openbadges.jsonld.templates.shape import Shape
from libs.openbadges.jsonld.templates.text import Cut, restore
from libs.openbadges.model.errors import LimitError

FIRST_DUE: Final = 8
"""Documents of a family that are compared before an edition is derived; each later time, four times as many."""

MOST_NOTED: Final = 64
"""Families whose documents are compared at a time."""

MOST_IN_FAMILY: Final = 4
"""Editions of one family: by structures of its documents."""

MOST_VARYING: Final = 64
"""Places that may vary in an edition. Its expression takes a page of memory for some six of them, and `re` keeps the
last 512 expressions, also those of editions that have gone."""

PATIENCE: Final = 10_000
"""An edition that was used within so many documents makes no room for another: families that take turns would push
each other out, and be derived again and again."""

_ID: Final = b'"id":"'

Family = bytes


@dataclass(slots=True, eq=False)
class _Edition:
    """An edition.

    Attributes:
        guard: knows its documents.
        shape: answers for them.
        contexts: their `@context`.
        own: which value, or what constant text, is the identifier of the document itself; None where that is not told.
        constants: all texts that never vary.
    """

    guard: TextGuard
    shape: Shape
    contexts: str | list[str]
    own: int | bytes | None
    constants: frozenset[bytes]
    family: Family
    used: int

    def is_single(self, values: Values) -> bool:
        """Tell whether it is certain that no second object of a document has the document's identifier."""
        if not isinstance(self.own, int):
            return self.own is not None and self.own not in values
        own = values[self.own]
        return own not in self.constants and values.count(own) == 1

    @property
    def size(self) -> int:
        return self.guard.size + self.shape.size


@dataclass(slots=True)
class _Note:
    """What was seen to vary among the documents of a family that have one shape.

    Attributes:
        guard: of that shape; held so that no other can come to have its identity.
        values: those of the first document.
        varying: numbers of the values that were others in a later one.
        met: documents compared.
        due: how many of them there will be when an edition is derived.
        edition: the one that was.
    """

    guard: PieceGuard
    values: Values
    varying: set[int] = field(default_factory=set)
    met: int = 1
    due: int = FIRST_DUE
    edition: _Edition | None = None


class Editions:
    """The editions that are kept, by family. An edition answers only for what it knows to the letter.

    What is left open in an edition is what was seen to vary, so a wrong guess costs time and never truth: a document
    that differs elsewhere is not known by it. Safe under threads as `ShapeCache` is.
    """

    def __init__(self, *, editions: int = 64, size: int = 16 * 1024 * 1024) -> None:
        """Set the limits: editions kept, and the bytes that they take in all."""
        self._most = editions
        self._largest = size
        self._table: dict[Family, tuple[_Edition, ...]] = {}
        self._notes: OrderedDict[tuple[Family, int], _Note] = OrderedDict()
        self._latest: _Edition | None = None
        self._clock = count()
        self._lock = threading.Lock()
        self.size = 0

    def find(self, text: bytes) -> Known | None:
        """Find the edition that knows a document by its text; awards of one achievement often come in a row."""
        edition = self._latest
        values = None if edition is None else edition.guard.values(text)
        if values is None:
            for edition in self._table.get(family_of(text), ()):
                values = edition.guard.values(text)
                if values is not None:
                    break
            else:
                return None
            self._latest = edition
        assert edition is not None  # noqa: S101  for mypy: there are values
        edition.used = next(self._clock)
        known = Known(text, edition.contexts, edition.shape, values)
        known.single = edition.is_single(values)
        return known

    def met(self, document: dict[str, Any], known: Known, pieces: Cut, guard: PieceGuard) -> None:
        """Take note of a document of a known shape that no edition knows; derive one when enough were compared."""
        family, contexts = family_of(known.text), contexts_of(document)
        if not family or contexts is None or "proof" in document:
            return
        with self._lock:
            note = self._note(family, guard, known.values)
            if note.met < note.due or self._is_full():
                return
            note.due *= 4
            varying = frozenset(guard.indexes[number] for number in note.varying)
        if len(varying) > MOST_VARYING:
            return
        try:
            derived = derive(document, pieces, known.rdf_hash(), only=varying)
        except (UnderivableError, LimitError):
            return
        own, constants = _own(document, pieces, derived.forms)
        guarding = TextGuard.of(pieces, derived.forms)
        made = _Edition(guarding, derived.shape, contexts, own, constants, family, next(self._clock))
        with self._lock:
            self._keep(note, made)

    def _note(self, family: Family, guard: PieceGuard, values: Values) -> _Note:
        name = (family, id(guard))
        note = self._notes.get(name)
        if note is None:
            note = self._notes[name] = _Note(guard, values)
            while len(self._notes) > MOST_NOTED:
                self._notes.popitem(last=False)
            return note
        self._notes.move_to_end(name)
        note.varying.update(
            number for number, (one, other) in enumerate(zip(note.values, values, strict=True)) if one != other
        )
        note.met += 1
        return note

    def _is_full(self) -> bool:
        """Tell whether there is no room, and nothing in it that was not used for long."""
        editions = [edition for row in self._table.values() for edition in row]
        if len(editions) < self._most and self.size < self._largest:
            return False
        return min(edition.used for edition in editions) > next(self._clock) - PATIENCE

    def _keep(self, note: _Note, made: _Edition) -> None:
        row = self._table.get(made.family, ())
        if note.edition in row:
            self._drop(note.edition)
        note.edition = made
        self._table[made.family] = (*self._table.get(made.family, ()), made)
        self.size += made.size
        while len(self._table[made.family]) > MOST_IN_FAMILY:
            self._drop(min(self._table[made.family], key=lambda one: one.used))
        while sum(map(len, self._table.values())) > self._most or self.size > self._largest:
            self._drop(min((one for row in self._table.values() for one in row), key=lambda one: one.used))

    def _drop(self, edition: _Edition) -> None:
        self._latest = None
        row = tuple(one for one in self._table[edition.family] if one is not edition)
        if row:
            self._table[edition.family] = row
        else:
            del self._table[edition.family]
        self.size -= edition.size


def family_of(text: bytes) -> Family:
    """Name what a badge's family is: the first identifier in its achievement; empty where there is none.

    That is a guess from the text. Documents that are grouped otherwise than one would are known all the same, or not.
    """
    achievement = text.find(b'"achievement":{')
    start = text.find(_ID, achievement) + len(_ID)
    return text[start : text.find(b'"', start)] if achievement >= 0 and start >= len(_ID) else b""


def _own(document: dict[str, Any], pieces: Cut, forms: Sequence[Form]) -> tuple[int | bytes | None, frozenset[bytes]]:
    """Find which value, or what constant text, is the document's own identifier; and all constant texts."""
    strings = restore(pieces.strings)
    varying = [form.index for form in forms]
    constants = frozenset(text for index, text in enumerate(strings) if index not in varying)
    identifier = document.get("id")
    own = orjson.dumps(identifier)[1:-1] if isinstance(identifier, str) else b""
    if strings.count(own) != 1:
        return None, constants
    index = strings.index(own)
    return varying.index(index) if index in varying else own, constants
