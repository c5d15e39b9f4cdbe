"""Rows of a workbook on their way from the worker process that reads it: written there, read here."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from libs.common.errors import InvalidRequestError
from services.evidence.sources.reader import Fields, RawRow
from services.evidence.sources.refusals import Reason, Refusal


def written(rows: Sequence[RawRow]) -> bytes:
    """Return some rows as one line."""
    return orjson.dumps([[number, *_said(fields)] for number, fields in rows]) + b"\n"


class WorkbookReader:
    """Reads what `written` wrote; each block is whole lines."""

    def __init__(self) -> None:
        self._empty = True

    def feed(self, block: bytes) -> Iterator[RawRow]:
        """See `Reader`."""
        for line in block.splitlines():
            for number, sent, *found in orjson.loads(line):
                self._empty = False
                refused, faults, warnings = map(_findings, found)
                if refused:
                    yield number, refused[0]
                else:
                    yield number, Fields(sent, faults=faults, warnings=warnings)

    def finish(self) -> Iterator[RawRow]:
        """See `Reader`."""
        if self._empty:
            raise InvalidRequestError("There are no rows of data in the file.")
        return iter(())


def _said(fields: dict[str, str] | Refusal) -> tuple[Any, ...]:
    if isinstance(fields, Refusal):
        return fields.sent, [_finding(fields)], [], []
    if isinstance(fields, Fields):
        return fields, [], list(map(_finding, fields.faults)), list(map(_finding, fields.warnings))
    return fields, [], [], []


def _finding(refusal: Refusal) -> tuple[Any, ...]:
    return refusal.reason.value, refusal.column, refusal.message, refusal.sent


def _findings(said: Sequence[Sequence[Any]]) -> tuple[Refusal, ...]:
    return tuple(Refusal(Reason(reason), column, message, sent=sent) for reason, column, message, sent in said)
