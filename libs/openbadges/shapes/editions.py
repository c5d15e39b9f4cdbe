"""Editions: shapes made narrower for the awards of one achievement, which differ in a handful of texts."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from libs.openbadges.shapes.derivation import derive
from libs.openbadges.shapes.guard import PieceGuard, TextGuard, Values
from libs.openbadges.shapes.lines import UnderivableError
from libs.openbadges.shapes.shape import Shape
from libs.openbadges.shapes.text import Cut

FIRST_DUE: Final = 8
"""Documents of a family that are compared before an edition is derived; each later time, four times as many."""

MOST_NOTED: Final = 64
"""Families whose documents are compared at a time."""

MOST_IN_FAMILY: Final = 4
"""Editions of one family: by structures of its documents."""

PATIENCE: Final = 10_000
"""An edition that was used within so many documents makes no room for another: families that take turns would push
each other out, and be derived again and again."""

Family = str


@dataclass(slots=True, eq=False)
class _Edition:
    guard: TextGuard
    shape: Shape
    family: Family
    used: int

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
        self._clock = count()
        self._lock = threading.Lock()
        self.size = 0

    def find(self, document: Mapping[str, Any], text: bytes) -> tuple[Shape, Values] | None:
        """Find the edition that knows a document by its text, with the document's values in it."""
        for edition in self._table.get(family_of(document), ()):
            values = edition.guard.values(text)
            if values is not None:
                edition.used = next(self._clock)
                return edition.shape, values
        return None

    def met(self, document: dict[str, Any], pieces: Cut, guard: PieceGuard, shape: Shape, values: Values) -> None:
        """Take note of a document of a known shape that no edition knows; derive one when enough were compared."""
        family = family_of(document)
        if not family:
            return
        with self._lock:
            note = self._note(family, guard, values)
            if note.met < note.due or self._is_full():
                return
            note.due *= 4
            varying = frozenset(guard.indexes[number] for number in note.varying)
        expected = shape.rdf_hash(values)
        if expected is None:
            return
        try:
            derived = derive(document, pieces, expected, only=varying)
        except UnderivableError:
            return
        made = _Edition(TextGuard.of(pieces, derived.forms), derived.shape, family, next(self._clock))
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
        row = tuple(one for one in self._table[edition.family] if one is not edition)
        if row:
            self._table[edition.family] = row
        else:
            del self._table[edition.family]
        self.size -= edition.size


def family_of(document: Mapping[str, Any]) -> Family:
    """Name what a badge's family is: its achievement; empty where a document has none."""
    subject = document.get("credentialSubject")
    achievement = subject.get("achievement") if isinstance(subject, dict) else None
    name = achievement.get("id") if isinstance(achievement, dict) else None
    return name if isinstance(name, str) else ""
