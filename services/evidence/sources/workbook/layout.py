"""What the cells of a sheet do not tell: hidden rows, merged cells, formulas whose result is not in the file. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from openpyxl.utils import column_index_from_string

MOST_MERGED: Final = 200
"""Merged ranges of a sheet; one with more is laid out for people alone."""

# The longest element that is looked for, so that each piece is looked at a fixed number of times.
_LONGEST: Final = 2_000
_ATTRIBUTES: Final = rb"([^<>]{0,1000})"
_NAME: Final = rb"(?:\w{1,20}:)?"
_ROWS: Final = re.compile(rb"<" + _NAME + rb"row\b" + _ATTRIBUTES + rb">")
_HAS_FORMULA: Final = re.compile(rb"[<:]f[\s/>]")
_IS_HIDDEN: Final = re.compile(rb"""\bhidden=["'](?:1|true)["']""")
_ROW: Final = re.compile(rb"""\br=["'](\d{1,7})["']""")
_MERGED: Final = re.compile(
    rb"<" + _NAME + rb"""mergeCell\b[^<>]{0,100}\bref=["']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})["']"""
)
_FORMULA: Final = re.compile(
    rb"<" + _NAME + rb"c\b" + _ATTRIBUTES + rb">\s{0,9}<" + _NAME + rb"f\b[^<>]{0,200}(?:/>|>[^<]{0,400}</" + _NAME
    + rb"f>)\s{0,9}(?:<" + _NAME + rb"v\s?/>|<" + _NAME + rb"v></" + _NAME + rb"v>)?\s{0,9}</" + _NAME + rb"c>"
)  # fmt: skip
_CELL: Final = re.compile(rb"""\br=["']([A-Z]{1,3})(\d{1,7})["']""")
# Its result is an empty text.
_IS_TEXT: Final = re.compile(rb"""\bt=["']str["']""")


@dataclass(frozen=True, slots=True)
class Range:
    """A merged range: its first and last column and row, from 1."""

    first_column: int
    first_row: int
    last_column: int
    last_row: int

    def covers(self, row: int, column: int) -> bool:
        """Return whether this cell is in it and is not the first, which has the value."""
        inside = self.first_column <= column <= self.last_column and self.first_row <= row <= self.last_row
        return inside and (row, column) != (self.first_row, self.first_column)


@dataclass(slots=True)
class Layout:
    """Numbers of rows that are hidden, merged ranges, and of rows the columns with a formula without a result."""

    hidden: set[int] = field(default_factory=set)
    merged: list[Range] = field(default_factory=list)
    unanswered: dict[int, set[int]] = field(default_factory=dict)

    def covered(self, row: int) -> list[Range]:
        """Return the merged ranges that reach into a row."""
        return [each for each in self.merged if each.first_row <= row <= each.last_row]


def layout_of(pieces: Iterable[bytes]) -> Layout:
    """Return the layout of a sheet from its XML (ECMA-376, part 1, section 18.3.1), cut anywhere."""
    found = Layout()
    for text in _overlapping(pieces):
        for row in _ROWS.finditer(text) if b"hidden=" in text else ():
            number = _ROW.search(row[1])
            if number is not None and _IS_HIDDEN.search(row[1]):
                found.hidden.add(int(number[1]))
        for cell in _FORMULA.finditer(text) if _HAS_FORMULA.search(text) else ():
            place = _CELL.search(cell[1])
            if place is not None and not _IS_TEXT.search(cell[1]):
                column = column_index_from_string(place[1].decode())
                found.unanswered.setdefault(int(place[2]), set()).add(column)
        for merge in _MERGED.finditer(text) if b"mergeCell" in text else ():
            first, last = (column_index_from_string(merge[place].decode()) for place in (1, 3))
            each = Range(first, int(merge[2]), last, int(merge[4]))
            if each not in found.merged and len(found.merged) <= MOST_MERGED:
                found.merged.append(each)
    return found


def _overlapping(pieces: Iterable[bytes]) -> Iterator[bytes]:
    tail = b""
    for piece in pieces:
        text = tail + piece
        yield text
        tail = text[-_LONGEST:]
