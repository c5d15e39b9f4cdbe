"""Cells of files that people open in spreadsheets, in which no formula runs. Pure."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

# Spreadsheets take a cell for a formula that begins with one of these, the wide ones too; and a program that expects
# another delimiter than the comma finds cells within our cells.
_BEFORE_FORMULA: Final = r"(?=[ \u00a0\"']*[=+\-@\uff1d\uff0b\uff0d\uff20])"
_FORMULA: Final = re.compile(rf"(^|[;\t\r\n|]){_BEFORE_FORMULA}")
_NEUTRAL: Final = re.compile(rf"(^|[;\t\r\n|])'{_BEFORE_FORMULA}")


def neutralized(text: str) -> str:
    """Return a text as a cell of a file that people open in spreadsheets: an apostrophe before what would run."""
    return _FORMULA.sub(r"\1'", text)


def as_sent(cell: str) -> str:
    """Return the text that `neutralized` made this cell of."""
    return _NEUTRAL.sub(r"\1", cell)


def csv_lines(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of cells as CSV (RFC 4180) in which no cell is a formula to a spreadsheet."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([neutralized(cell) for cell in row] for row in rows)
    return text.getvalue()
