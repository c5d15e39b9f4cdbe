"""Readers of evidence files, CSV and NDJSON: fed with bytes cut anywhere, they give rows of text fields. Pure."""

import csv
import difflib
import io
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import orjson

from libs.common.errors import InvalidRequestError
from services.evidence.sources.csv_quotes import Rows
from services.evidence.sources.rows import COLUMNS, REQUIRED, Reason, Refusal

# A row number (the first row of data is 1; blank rows count, so that row n is always the spreadsheet's row n + 1)
# with its fields, or with why it has none.
RawRow = tuple[int, dict[str, str] | Refusal]

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_BYTES_PER_CHARACTER = 4  # at most, in UTF-8
_KNOWN = frozenset(COLUMNS)
_NAMES_SHOWN = 10


class Reader(Protocol):
    """Reads one file, block by block; memory is bounded by the block and the longest row."""

    def feed(self, block: bytes) -> Iterator[RawRow]:
        """The rows that this block completes. Must be exhausted before the next call.

        Raises:
            InvalidRequestError: the file as a whole cannot be read.
        """

    def finish(self) -> Iterator[RawRow]:
        """The rows that the end of the file completes; raises as `feed` does."""


class _Lines:
    """Cuts bytes into whole lines, takes the byte order mark off, and shortens a line that passes the limit anyway."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._start: bytes | None = b""
        self._tail = b""
        self._dropping = False

    def feed(self, block: bytes) -> bytes:
        """The lines that this block completes, line ends included."""
        block = self._without_mark(block)
        if self._dropping:
            end = block.find(b"\n")
            if end < 0:
                return b""
            block, self._dropping = block[end:], False
        text = self._tail + block
        cut = text.rfind(b"\n") + 1
        self._tail = text[cut:]
        if len(self._tail) > self._longest:
            # One byte more than the limit tells all there is to tell of it.
            self._tail, self._dropping = self._tail[: self._longest + 1], True
        return text[:cut]

    def finish(self) -> bytes:
        """The last line, if it has no end."""
        if self._start:
            self._tail = self._without_mark(b"", last=True)
        rest, self._tail = self._tail, b""
        return rest

    def _without_mark(self, block: bytes, *, last: bool = False) -> bytes:
        if self._start is None:
            return block
        self._start += block
        if len(self._start) < len(_UTF8_BOM) and not last:
            return b""
        start, self._start = self._start, None
        if start.startswith(_UTF16_BOMS):
            raise InvalidRequestError(
                "The file is UTF-16 text; save it as UTF-8 (in Excel: 'CSV UTF-8') and send that."
            )
        return start.removeprefix(_UTF8_BOM)


class NdjsonReader:
    """One JSON object per line; a line that is none is refused alone."""

    def __init__(self, longest_row: int) -> None:
        self._longest = longest_row
        self._lines = _Lines(longest_row)
        self._number = 0
        self._begun = False

    def feed(self, block: bytes) -> Iterator[RawRow]:
        """See `Reader`."""
        whole = self._lines.feed(block)
        if whole:
            yield from self._rows(whole[:-1].split(b"\n"))

    def finish(self) -> Iterator[RawRow]:
        """See `Reader`."""
        rest = self._lines.finish()
        if rest:
            yield from self._rows([rest])
        if not self._begun:
            raise InvalidRequestError("The file is empty.")

    def _rows(self, lines: Sequence[bytes]) -> Iterator[RawRow]:
        for line in lines:
            self._number += 1
            if len(line) > self._longest:
                self._begun = True
                yield self._number, _too_long(self._longest)
                continue
            text = line.strip()
            if not text:
                continue
            if not self._begun and not text.startswith(b"{"):
                raise InvalidRequestError(
                    "The first line is not a JSON object: NDJSON has one object per line, and no brackets around them."
                    " Send a CSV file as text/csv."
                )
            self._begun = True
            yield self._number, _json_fields(text)


class CsvReader:
    """Comma-separated values (RFC 4180), also with semicolons or tabs; the first row names the columns.

    Where quotation marks are wrong, or never closed, only the line that opens the row is refused and reading goes on
    with the next line: one stray mark must not swallow the rows of a whole class.
    """

    def __init__(self, longest_row: int) -> None:
        self._longest = longest_row
        # Bytes of a line, so that it is surely longer than that many characters where it is cut.
        self._lines = _Lines(longest_row * _BYTES_PER_CHARACTER)
        self._header: _Header | None = None
        self._open: list[str] = []
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
        text, clean = _decode(whole)
        lines = [*self._open, *io.StringIO(text, newline="")]
        clean, self._open = clean and _is_clean(self._open), []
        if self._header is None:
            lines = self._read_header(lines)
            if self._header is None:
                return
        header, rows = self._header, Rows(lines, self._header.delimiter, self._longest)
        taken = 0
        while taken < len(lines):
            cells, end = rows.row(taken)
            if end is None and not last:
                # A quoted text goes on in the next block, or the marks are wrong: then we come here again.
                self._open = lines[taken:]
                return
            self._number += 1
            if cells is None:
                yield self._number, _too_long(self._longest) if len(lines[taken]) > self._longest else _QUOTES_WRONG
                taken += 1
                continue
            taken = end or len(lines)
            result = header.fields(cells)
            if result is not None:
                yield self._number, result if clean or _is_clean(cells) else _NOT_UTF8

    def _read_header(self, lines: list[str]) -> list[str]:
        """Take the header from the first line that is not blank; returns the lines behind it."""
        for position, line in enumerate(lines):
            if line.strip(" \t\r\n,;"):
                if len(line) > self._longest or not _is_clean([line]):
                    raise InvalidRequestError("The first row must name the columns, in UTF-8 text; this one does not.")
                self._header = _Header(line)
                return lines[position + 1 :]
        return []


class _Header:
    """The columns of a CSV file, in the file's order."""

    def __init__(self, line: str) -> None:
        self.delimiter = max(",;\t", key=line.count)
        try:
            (cells,) = csv.reader([line], delimiter=self.delimiter, strict=True)
        except csv.Error:
            raise InvalidRequestError(
                "The quotation marks in the first row, which names the columns, are wrong."
            ) from None
        self._names = [cell.strip().lower().replace(" ", "_").replace("-", "_") for cell in cells]
        _check_columns(self._names)

    def fields(self, cells: list[str]) -> dict[str, str] | Refusal | None:
        """The fields of a row; None for a blank one. It may be short: spreadsheets leave off empty cells at its end."""
        fields = dict(zip(self._names, cells, strict=False))
        if not any(cells):
            return None
        if len(cells) > len(self._names):
            return _TOO_MANY_FIELDS
        if "" in fields and any(cell for name, cell in zip(self._names, cells, strict=False) if not name):
            return _TOO_MANY_FIELDS
        fields.pop("", None)
        return fields


_QUOTES_WRONG = Refusal(
    Reason.COLUMNS_WRONG, None, "A quotation mark in this row is wrong or never closed; double those inside a text."
)
_TOO_MANY_FIELDS = Refusal(
    Reason.TOO_MANY_FIELDS, None, "The row has more values than the first row has columns; quote a text with commas."
)
_NOT_UTF8 = Refusal(Reason.NOT_UTF8, None, "The text is not UTF-8; in Excel, save as 'CSV UTF-8'.")
_NOT_JSON = Refusal(Reason.NOT_JSON, None, "The line is not a JSON object.")
_UNKNOWN_FIELD = Refusal(Reason.COLUMNS_WRONG, None, f"The row has a field that is none of: {', '.join(COLUMNS)}.")


def _too_long(longest: int) -> Refusal:
    return Refusal(Reason.TOO_LONG, None, f"The row is longer than {longest} characters.")


def _json_fields(line: bytes) -> dict[str, str] | Refusal:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _NOT_JSON if _decode(line)[1] else _NOT_UTF8
    return text_fields(document)


def text_fields(document: Any) -> dict[str, str] | Refusal:
    """The text fields of one JSON object: numbers become text, null is the same as absent."""
    if not isinstance(document, dict):
        return _NOT_JSON
    fields = {}
    for name, value in document.items():
        if name not in _KNOWN:
            return _UNKNOWN_FIELD
        if type(value) is str:
            fields[name] = value
        elif type(value) in {int, float}:
            # JSON also has a negative zero; it is zero.
            fields[name] = str(value + 0)
        elif value is not None:
            return Refusal(Reason.NOT_JSON, name, f"The field {name} is neither text nor a number.")
    return fields


def _decode(raw: bytes) -> tuple[str, bool]:
    """The text, and whether it is UTF-8; what is not stands in it as lone surrogates."""
    try:
        return raw.decode(), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape"), False


def _is_clean(cells: Sequence[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_columns(names: Sequence[str]) -> None:
    """Refuse the whole file, in one go, for everything that is wrong with its columns.

    A column that we do not know is an error, not ignored: it may be a misspelt one whose loss nobody would see, and it
    may hold personal data that nobody needs here.
    """
    errors = [
        {"field": name, "reason": "this column is missing; every row needs it"}
        for name in REQUIRED
        if name not in names
    ]
    if "level" not in names and "score" not in names:
        errors.append({"field": "level", "reason": "a column level or score is missing; every row needs one of them"})
    for name in dict.fromkeys(names):
        if name and name not in _KNOWN:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = f"did you mean {near[0]}?" if near else "take it out of the file"
            errors.append({"field": name[:40], "reason": f"this column is not known: {hint}"})
        elif name and names.count(name) > 1:
            errors.append({"field": name, "reason": "this column is there more than once"})
    if errors:
        shown = "; ".join(f"{e['field']}: {e['reason']}" for e in errors[:_NAMES_SHOWN])
        raise InvalidRequestError(
            f"The first row must name the columns, and something is wrong with it. {shown}", errors[:50]
        )
