"""Finds where the rows of CSV lines end, in time that grows with the lines alone, however wrong their quotes are. Pure.

Whether a quoted text is open behind a line depends on that line and on whether one was open before it, on nothing
else. So each line is looked at once as the start of a row and once within an open text: what was found there holds for
every row that is open so far, and is not looked for again when a row is given up and reading goes on a line later, nor
when the next block of the file comes.
"""

import csv
import re
from collections.abc import Sequence
from enum import Enum, auto
from itertools import accumulate
from typing import Final

# Marks that people and office programs write for those of CSV, which mean nothing there: what opens, what closes.
_OTHER_MARKS: Final = {
    "\u201c": "\u201d\u201c",
    "\u201e": "\u201d\u201c",
    "\u2018": "\u2019",
    "\u201a": "\u2018\u2019",
    "\u00ab": "\u00bb",
    "'": "'",
    "`": "`'",
}
_ANY_OTHER: Final = re.compile(f"[{''.join(_OTHER_MARKS)}]")
# Opens a quoted text that goes on in the next line, and closes one, as its last line.
_MARK = '"\n'
# A line that surely keeps an open text open: it takes no reader of its own to see that, as most lines do.
_GOES_ON: Final = re.compile('(?:[^"]++|"")*+')


class _Text(Enum):
    """What a line leaves behind it: the row's end, an open text, or a row whose quotation marks are wrong."""

    CLOSED = auto()
    OPEN = auto()
    WRONG = auto()


class Rows:
    """The rows of some lines, asked for from the first line to the last."""

    def __init__(self, lines: Sequence[str], delimiter: str, longest: int, *, open_lines: int = 0) -> None:
        """Take the lines; so many of the first were seen before to be one row that goes on behind them."""
        self._lines = lines
        self._delimiter = delimiter
        self._longest = longest
        self._begins = [0, *accumulate(map(len, lines))]
        # The lines before this one keep a text open that is open before them, all but the last of them:
        self._seen = open_lines
        # that one leaves this behind it.
        self._found = _Text.OPEN

    def row(self, start: int) -> tuple[list[str] | None, int | None]:
        """The cells of the row that starts at this line, and the line behind it.

        No cells where its quotation marks are wrong, or where it is longer than the longest; neither cells nor line
        where its end is not among the lines.
        """
        end = start + 1
        text, cells = self._read([self._lines[start]])
        if text is _Text.OPEN:
            text, end = self._closing(start)
            if text is _Text.CLOSED and self._length(start, end) <= self._longest:
                text, cells = self._read(self._lines[start:end])
        if text is _Text.WRONG or self._length(start, end) > self._longest:
            return None, end
        if text is _Text.CLOSED and (
            _has_stray_mark(self._lines[start:end], cells) or _is_cut(self._lines[start], cells)
        ):
            return None, end
        return (None, None) if text is _Text.OPEN else (cells, end)

    def _closing(self, start: int) -> tuple[_Text, int]:
        """What closes the text that the line at `start` opens, and the line behind; open where that is too far."""
        if start + 1 >= self._seen:
            self._seen, self._found = start + 1, _Text.OPEN
        while (
            self._found is _Text.OPEN
            and self._seen < len(self._lines)
            and self._length(start, self._seen) <= self._longest
        ):
            if _GOES_ON.fullmatch(self._lines[self._seen]) is None:
                self._found, _ = self._read([_MARK, self._lines[self._seen]])
            self._seen += 1
        return self._found, self._seen

    def _length(self, start: int, end: int) -> int:
        return self._begins[end] - self._begins[start]

    def _read(self, lines: Sequence[str]) -> tuple[_Text, list[str]]:
        # A space before an opening mark is no part of the text: the mark opens one all the same.
        reader = csv.reader([*lines, _MARK], delimiter=self._delimiter, strict=True, skipinitialspace=True)
        try:
            cells = next(reader)
        except csv.Error:
            return _Text.WRONG, []
        return (_Text.OPEN if reader.line_num > len(lines) else _Text.CLOSED), cells


def _has_stray_mark(lines: Sequence[str], cells: Sequence[str]) -> bool:
    """Return whether a cell has a mark without its other one, outside of a quoted text (RFC 4180, section 2.5).

    Such a text may have had the delimiter between its marks, and its row would be taken with shifted columns.
    """
    odd = [cell for cell in cells if '"' in cell and cell.count('"') % 2]
    if not odd:
        return False
    raw, place = "".join(lines), 0
    # Each is looked for behind the one before it, so that all of them together take one way through the row.
    for cell in odd:
        quoted = '"' + cell.replace('"', '""') + '"'
        place = raw.find(quoted, place) + len(quoted)
        if place < len(quoted):
            return True
    return False


def _is_cut(line: str, cells: Sequence[str]) -> bool:
    """Return whether a text between other marks was cut at a delimiter: one cell opens it, and a later one closes it.

    Its row would be taken with shifted columns. An apostrophe before a digit keeps that as text, and opens nothing.
    """
    if not _ANY_OTHER.search(line):
        return False
    closing = ""
    for cell in map(str.strip, cells):
        if cell[:1] in _OTHER_MARKS:
            closing = _opens(cell) or closing
        elif closing and cell.endswith(tuple(closing)):
            return True
    return False


def _opens(cell: str) -> str:
    """Return what would close the text that a cell opens and does not close; empty where it opens none."""
    closing = _OTHER_MARKS.get(cell[:1], "")
    is_word = cell[1:2].isalpha() or cell[0] not in "'`" if closing else False
    return closing if is_word and not any(mark in cell[1:] for mark in closing) else ""
