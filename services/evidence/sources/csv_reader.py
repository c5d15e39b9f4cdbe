"""Reads evidence as comma-separated values (RFC 4180), also with semicolons, tabs or bars. Pure."""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from libs.common.errors import InvalidRequestError
from services.evidence.sources.csv_header import Header, column_names, is_blank, known
from services.evidence.sources.csv_quotes import Rows
from services.evidence.sources.failed_columns import TEXT
from services.evidence.sources.lines import Lines
from services.evidence.sources.reader import NOT_UTF8, BlankRows, RawRow, decode, readable, too_long
from services.evidence.sources.refusals import Reason, Refusal

_BYTES_PER_CHARACTER: Final = 4  # at most, in UTF-8
_DELIMITERS: Final = (",", ";", "\t", "|")
# Excel's own first line, which it does not show: which character stands between cells. A program that does not know it
# saves it again as a row, with empty cells behind.
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^\w\s"]|\t)"?[,;\t|]*[\r\n]*', re.IGNORECASE)
# Most blank rows are seen to be one at once; to ask where a row ends, and what its cells show, takes so much longer.
_BLANK_OTHERWISE_COST: Final = 16
QUOTES_WRONG: Final = Refusal(
    Reason.COLUMNS_WRONG,
    None,
    'A quotation mark in this row is wrong or never closed; double those inside a text, and use " alone around it.',
)


class CsvReader:
    """Rows behind a first row that names the columns; it may have blank ones above it.

    Where quotation marks are wrong, or never closed, only the line that opens the row is refused and reading goes on
    with the next line: one stray mark must not swallow the rows of a whole class.
    """

    def __init__(self, longest_row: int) -> None:
        self._longest = longest_row
        # Bytes of a line, so that it is surely longer than that many characters where it is cut.
        self._lines = Lines(longest_row * _BYTES_PER_CHARACTER)
        self._delimiters: Sequence[str] = _DELIMITERS
        self._header: Header | None = None
        self._open: list[str] = []
        self._blank = BlankRows()
        # Of the row read last; before the first row of data, how many rows stand above the header.
        self._number = 0

    def feed(self, block: bytes) -> Iterator[RawRow]:
        """See `Reader`."""
        whole = self._lines.feed(block)
        if whole:
            yield from self._rows(whole, last=False)

    def finish(self) -> Iterator[RawRow]:
        """See `Reader`."""
        yield from self._rows(self._lines.finish(), last=True)
        if self._header is None:
            raise InvalidRequestError("The file is empty; its first row names the columns.")

    def _rows(self, whole: bytes, *, last: bool) -> Iterator[RawRow]:
        text, clean = decode(whole)
        lines, open_lines = [*self._open, *io.StringIO(text, newline="")], len(self._open)
        clean, self._open = clean and _is_clean(self._open), []
        if self._header is None:
            lines, open_lines = self._read_header(lines, last=last), 0
            if self._header is None:
                return
        header, rows = self._header, Rows(lines, self._header.delimiter, self._longest, open_lines=open_lines)
        blank = _blank_line(header.delimiter)
        taken = 0
        while taken < len(lines):
            if len(lines[taken]) <= self._longest and blank.fullmatch(lines[taken]):
                self._number, taken = self._number + 1, taken + 1
                self._blank.add()
                continue
            cells, end = rows.row(taken)
            if end is None and not last:
                # A quoted text goes on in the next block, or the marks are wrong: then we come here again.
                self._open = lines[taken:]
                return
            self._number += 1
            if cells is None:
                yield self._number, self._unparted(lines[taken])
                taken += 1
                continue
            taken = end or len(lines)
            result = header.fields(cells)
            if result is None:
                self._blank.add(_BLANK_OTHERWISE_COST)
            else:
                yield self._number, result if clean or _is_clean(cells) else _not_utf8(result)

    def _unparted(self, line: str) -> Refusal:
        if len(line) > self._longest:
            return too_long(self._longest)
        return replace(QUOTES_WRONG, sent={TEXT: readable(line.rstrip("\r\n"))})

    def _read_header(self, lines: list[str], *, last: bool) -> list[str]:
        """Take the header from the first row that is not blank; return the lines behind it, none where it goes on."""
        for position, line in enumerate(lines):
            separator = _SEPARATOR_LINE.fullmatch(line)
            if separator is not None and self._delimiters is _DELIMITERS:
                self._delimiters = (separator[1],)
            elif line.strip(" \t\r\n,;|"):
                found = self._header_row(lines[position:], last=last)
                if found is None:
                    self._open = lines[position:]
                    return []
                cells, delimiter, length = found
                if not is_blank(cells):
                    self._header = Header(cells, delimiter)
                    return lines[position + length :]
                self._number += 1
                self._blank.add(_BLANK_OTHERWISE_COST)
            else:
                self._number += 1
                self._blank.add()
        return []

    def _header_row(self, lines: list[str], *, last: bool) -> tuple[list[str], str, int] | None:
        """Return the cells of the row, the delimiter that makes most sense of it, and its lines; None where it goes on.

        Raises:
            InvalidRequestError: it is no row of text, or its quotation marks are wrong.
        """
        if len(lines[0]) > self._longest or not _is_clean(lines[:1]):
            raise InvalidRequestError(
                "The first row must name the columns, in UTF-8 text; this one does not. It may be Windows-1252 text: in"
                " Excel, save as 'CSV UTF-8'."
            )
        if lines[0].lstrip().startswith(("{", "[")):
            raise InvalidRequestError("The file is JSON, not CSV: send one object per line as application/x-ndjson.")
        found = []
        for delimiter in self._delimiters:
            cells, end = Rows(lines, delimiter, self._longest).row(0)
            if end is None and not last:
                return None
            if cells is not None:
                found.append((cells, delimiter, end or len(lines)))
        if not found:
            raise InvalidRequestError("The quotation marks in the first row, which names the columns, are wrong.")
        return max(found, key=lambda each: (known(column_names(each[0])), len(each[0])))


def _blank_line(delimiter: str) -> re.Pattern[str]:
    """Return what lines are blank rows at first sight; it holds no choice, so it takes no longer than they are."""
    nothing = '(?:""| *)' if delimiter == "\t" else '(?:""|[ \\t]*)'
    return re.compile(f"{nothing}(?:{re.escape(delimiter)}{nothing})*[\\r\\n]*")


def _not_utf8(result: dict[str, str] | Refusal) -> Refusal:
    sent = (result.sent or {}) if isinstance(result, Refusal) else result
    return replace(NOT_UTF8, sent={name: readable(text) for name, text in sent.items()})


def _is_clean(cells: Sequence[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True
