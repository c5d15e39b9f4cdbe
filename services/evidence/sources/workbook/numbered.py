"""Opens a workbook, and yields the rows that stand in a sheet with their numbers: what is missing costs nothing."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell.read_only import EMPTY_CELL, ReadOnlyCell
from openpyxl.reader.excel import ExcelReader
from openpyxl.worksheet._read_only import ReadOnlyWorksheet
from openpyxl.worksheet._reader import WorkSheetParser

from libs.common.errors import InvalidRequestError

MOST_COLUMNS: Final = 100
"""Columns of a sheet that are read."""

# Of a sheet, whatever wrote it: ECMA-376 sets none, spreadsheets do.
_LAST_ROW: Final = 1_048_576
_LAST_COLUMN: Final = 16_384
_NUMBERED_WRONGLY: Final = (
    "The rows or cells of a sheet are not numbered as a spreadsheet numbers them: open the file in one, and save it."
)


def opened(content: bytes) -> Workbook:
    """Return a workbook of which no sheet was read yet; to be closed."""
    reader = _Opening(BytesIO(content), read_only=True, data_only=True, keep_links=False)
    reader.read()
    return reader.wb


class _Sheet(ReadOnlyWorksheet):
    """A sheet whose size is not looked for: that may go through all of it, and what is said there may be wrong."""

    def _get_size(self) -> None:
        pass


class _Opening(ExcelReader):
    def read_worksheets(self) -> None:
        for said, part in self.parser.find_sheets():
            if part.target not in self.valid_files:
                continue
            if "chartsheet" in part.Type:
                self.read_chartsheet(said, part)  # type: ignore[arg-type]  # as the library calls it
                continue
            sheet = _Sheet(self.wb, said.name, part.target, self.shared_strings)
            sheet.sheet_state = said.state or "visible"
            self.wb._sheets.append(sheet)  # type: ignore[attr-defined]  # noqa: SLF001  # as the library does


def numbered_rows(sheet: Any, width: int = 0) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Yield the rows of a sheet, blank ones too where the file has them, with their cells up to the last one.

    Args:
        sheet: of a workbook that was `opened`.
        width: cells that a row has at least.

    Raises:
        InvalidRequestError: a row does not stand behind the one before it, or a row or cell where no sheet has any.
    """
    book, before = sheet.parent, 0
    # The library's own way through a sheet makes up every row between two that are far apart.
    with sheet._get_source() as source:  # noqa: SLF001  # the part that the library reads, without its name
        parser = WorkSheetParser(
            source,
            sheet._shared_strings,  # noqa: SLF001
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,  # noqa: SLF001
            timedelta_formats=book._timedelta_formats,  # noqa: SLF001
        )
        for number, cells in parser.parse():
            last = max((cell["column"] for cell in cells), default=0)
            if not before < number <= _LAST_ROW or last > _LAST_COLUMN or any(cell["row"] != number for cell in cells):
                raise InvalidRequestError(_NUMBERED_WRONGLY)
            before = number
            row: list[Any] = [EMPTY_CELL] * max(width, min(last, MOST_COLUMNS))
            for cell in cells:
                if cell["column"] <= MOST_COLUMNS:
                    row[cell["column"] - 1] = ReadOnlyCell(sheet, **cell)
            yield number, tuple(row)
