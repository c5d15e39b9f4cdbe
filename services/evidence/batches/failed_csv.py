"""Rows that failed as a CSV file: as they were sent, with all that is wrong beside them, to be fixed and sent again."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from libs.common.spreadsheets import csv_lines
from services.evidence.batches.batch import FailedRow
from services.evidence.sources.columns import COLUMNS
from services.evidence.sources.failed_columns import FAILED_COLUMNS, TEXT
from services.evidence.sources.suggestions import suggestion

_PAGE_ROWS: Final = 500
_LONGEST_VALUE: Final = 200
_BETWEEN: Final = " | "

Page = Callable[[int, int], Awaitable[Sequence[FailedRow]]]
"""Returns rows that failed behind a number, at most so many."""


async def failed_csv(page: Page, *, is_sheet: bool) -> AsyncIterator[str]:
    """Yield the file, a page of rows at a time; `is_sheet` says that a spreadsheet numbers its rows."""
    yield "\ufeff" + csv_lines([(*COLUMNS, *FAILED_COLUMNS)])
    after = 0
    while rows := await page(after, _PAGE_ROWS):
        yield csv_lines(_cells(each, is_sheet=is_sheet) for each in rows)
        after = rows[-1].row.row


def _cells(failed: FailedRow, *, is_sheet: bool) -> list[str]:
    row, sent = failed.row, failed.sent
    values = [sent.get(fault.column, "") if fault.column else "" for fault in row.faults]
    advice = (suggestion(fault.reason, value) for fault, value in zip(row.faults, values, strict=True))
    return [
        *(sent.get(name, "") for name in COLUMNS),
        str(row.row),
        str(row.row + 1) if is_sheet else "",
        _BETWEEN.join(fault.column or "" for fault in row.faults),
        _BETWEEN.join(fault.reason for fault in row.faults),
        _BETWEEN.join(fault.detail for fault in row.faults),
        _BETWEEN.join(value[:_LONGEST_VALUE] for value in values),
        _BETWEEN.join(advice),
        sent.get(TEXT, ""),
    ]
