"""Reads evidence as JSON, one object or NDJSON: strictly, so that no reader could take it otherwise. Pure."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from libs.common.errors import InvalidRequestError
from libs.openbadges.jsonld.parsing import Limits, parse
from libs.openbadges.model.errors import CredentialError
from services.evidence.sources.columns import COLUMNS
from services.evidence.sources.failed_columns import TEXT
from services.evidence.sources.lines import Lines
from services.evidence.sources.numbers import number_refused, number_text
from services.evidence.sources.reader import NOT_UTF8, BlankRows, RawRow, decode, readable, too_long
from services.evidence.sources.refusals import Reason, Refusal

_KNOWN: Final = frozenset(COLUMNS)
# A row is flat; what is deeper is refused as such, not as too deep.
_LIMITS: Final = Limits(bytes=1_000_000, depth=8, nodes=1_000)
_NOT_JSON: Final = Refusal(Reason.NOT_JSON, None, "The line is not a JSON object.")
_TWICE: Final = Refusal(Reason.DUPLICATE_FIELD, None, "The object has a field twice, and readers would disagree.")
_UNKNOWN: Final = Refusal(Reason.COLUMNS_WRONG, None, f"The row has a field that is none of: {', '.join(COLUMNS)}.")


class NdjsonReader:
    """One JSON object per line; a line that is none is refused alone."""

    def __init__(self, longest_row: int) -> None:
        self._longest = longest_row
        self._lines = Lines(longest_row)
        self._number = 0
        self._blank = BlankRows()
        self._begun = False

    def feed(self, block: bytes) -> Iterator[RawRow]:
        """See `Reader`."""
        yield from self._rows(self._lines.feed(block).splitlines())

    def finish(self) -> Iterator[RawRow]:
        """See `Reader`."""
        yield from self._rows(self._lines.finish().splitlines())
        if not self._begun:
            raise InvalidRequestError("The file is empty.")

    def _rows(self, lines: Sequence[bytes]) -> Iterator[RawRow]:
        for line in lines:
            self._number += 1
            if len(line) > self._longest:
                self._begun = True
                yield self._number, too_long(self._longest)
                continue
            text = line.strip()
            if not text:
                self._blank.add()
                continue
            if not self._begun and not text.startswith(b"{"):
                raise InvalidRequestError(
                    "The first line is not a JSON object: NDJSON has one object per line, and no brackets around them."
                    " Send a CSV file as text/csv."
                )
            self._begun = True
            fields = json_fields(text)
            if isinstance(fields, Refusal):
                fields = replace(fields, sent={TEXT: readable(decode(text)[0])})
            yield self._number, fields


def json_fields(text: bytes) -> dict[str, str] | Refusal:
    """Return the text fields of one JSON object: numbers become text, null is the same as absent."""
    try:
        document = _with_every_digit(parse(text, _LIMITS), text)
    except InvalidOperation:
        return number_refused(None)
    except CredentialError as error:
        return _refused(error, text)
    if not _KNOWN.issuperset(document):
        return _UNKNOWN
    fields: dict[str, str] = {}
    for name, value in document.items():
        written = _written(name, value)
        if isinstance(written, Refusal):
            return written
        if written is not None:
            fields[name] = written
    return fields


def _refused(error: CredentialError, text: bytes) -> Refusal:
    if error.code == "duplicate_key":
        return _TWICE
    if error.code == "number_too_large":
        return number_refused(None)
    return _NOT_JSON if decode(text)[1] else NOT_UTF8


def _with_every_digit(document: dict[str, Any], text: bytes) -> dict[str, Any]:
    """Return the document of a text with decimals for floats, which lose digits: what is left may be another's id."""
    if float not in map(type, document.values()):
        return document
    return json.loads(text.removeprefix(BOM_UTF8), parse_float=Decimal)  # type: ignore[no-any-return]


def _written(name: str, value: Any) -> str | Refusal | None:
    if value is None or type(value) is str:
        return value
    if type(value) not in {int, Decimal}:
        return Refusal(Reason.NOT_JSON, name, f"The field {name} is neither text nor a number.")
    number = number_text(name, value)
    return number_refused(name) if number is None else number
