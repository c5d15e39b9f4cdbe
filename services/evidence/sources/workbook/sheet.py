"""Finds the sheet of a workbook that has the columns of evidence, and reads its rows."""

import zipfile
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from typing import Any, Final

from libs.common.errors import InvalidRequestError, TooLargeError
from services.evidence.sources.columns import BY_NAME
from services.evidence.sources.csv_header import Header, is_blank
from services.evidence.sources.reader import Fields, RawRow
from services.evidence.sources.refusals import Reason, Refusal
from services.evidence.sources.workbook.cells import CellText, cell_text, merged, unanswered
from services.evidence.sources.workbook.layout import MOST_MERGED, Layout, layout_of
from services.evidence.sources.workbook.numbered import numbered_rows, opened

MOST_ROWS: Final = 250_000
MOST_UNPACKED_BYTES: Final = 512 * 1024 * 1024
_MOST_PARTS: Final = 2_000
_MOST_SHEETS: Final = 50
# So many rows may stand above the one that names the columns.
_ROWS_ABOVE: Final = 50
_PIECE_BYTES: Final = 1024 * 1024

_HIDDEN: Final = Refusal(Reason.ROW_HIDDEN, None, "The row is hidden in the sheet; it was taken like the others.")
_OTHER_SHEETS: Final = Refusal(
    Reason.SHEETS_NOT_READ, None, "The workbook has other sheets with something in them, which were not read."
)
_NOTHING: Final = CellText("")
_UNREADABLE: Final = "The file cannot be read as an Excel workbook (.xlsx). Save it anew, or as 'CSV UTF-8'."


def rows_of_workbook(content: bytes, longest_row: int) -> Iterator[RawRow]:
    """Yield the rows of the one sheet that has the columns of evidence, numbered as those of CSV are.

    Raises:
        InvalidRequestError: it is no workbook, no sheet of it or more than one has the columns, or it is laid out so
            that no row can be told.
        TooLargeError: it unpacks to more, or has more rows, than is read.
    """
    _check_archive(content)
    try:
        with closing(opened(content)) as book:
            sheets = [each for each in book.worksheets if each.sheet_state == "visible"][:_MOST_SHEETS]
            yield from _rows(_chosen(sheets), longest_row)
    except (InvalidRequestError, TooLargeError, MemoryError):
        raise
    except Exception as error:
        # Whatever a damaged part makes the library raise; the file alone is its cause.
        raise InvalidRequestError(_UNREADABLE) from error


def _check_archive(content: bytes) -> None:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise InvalidRequestError(_UNREADABLE) from None
    if any(part.flag_bits & 1 for part in parts):
        raise InvalidRequestError("The file is protected by a password; save it without one.")
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED_BYTES:
        raise TooLargeError(f"The workbook unpacks to more than {MOST_UNPACKED_BYTES} bytes; save it as 'CSV UTF-8'.")


class _Sheet:
    """A sheet, and the row that names its columns."""

    def __init__(self, sheet: Any) -> None:
        self.sheet = sheet
        self.problem: InvalidRequestError | None = None
        self.header: Header | None = None
        self.header_row = 0
        self.names: list[str] = []
        for number, row in numbered_rows(sheet):
            if number > _ROWS_ABOVE:
                return
            cells = [cell_text("", each.value, "").text for each in row]
            if is_blank(cells):
                continue
            self.header_row = self.header_row or number
            try:
                header = Header(cells, "\t")
            except InvalidRequestError as error:
                self.problem = self.problem or error
                continue
            self.header, self.header_row, self.names = header, number, header.names
            return

    @property
    def is_blank(self) -> bool:
        return not self.header_row


def _chosen(sheets: list[Any]) -> tuple[_Sheet, bool]:
    """Return the sheet to read, and whether others have something in them."""
    filled = [each for each in map(_Sheet, sheets) if not each.is_blank]
    good = [each for each in filled if each.header is not None]
    if len(good) > 1:
        raise InvalidRequestError(
            f"{len(good)} sheets of the workbook have the columns of evidence: send one at a time."
        )
    if good:
        return good[0], len(filled) > 1
    if not filled or filled[0].problem is None:
        raise InvalidRequestError("The workbook is empty; the first row of its sheet names the columns.")
    raise filled[0].problem


def _rows(chosen: tuple[_Sheet, bool], longest_row: int) -> Iterator[RawRow]:
    found, others = chosen
    with found.sheet._get_source() as source:  # noqa: SLF001  # the part that the library reads, without its name
        layout = layout_of(iter(lambda: source.read(_PIECE_BYTES), b""))
    if len(layout.merged) > MOST_MERGED:
        raise InvalidRequestError(
            f"The sheet has more than {MOST_MERGED} merged cells: undo them, one row for each piece."
        )
    taken = 0
    for number, row in numbered_rows(found.sheet, len(found.names)):
        if number <= found.header_row:
            continue
        fields = _fields(found, layout, number, row, longest_row)
        if fields is None:
            continue
        taken += 1
        if taken > MOST_ROWS:
            raise TooLargeError(f"The workbook has more than {MOST_ROWS} rows; save it as 'CSV UTF-8'.")
        if others and taken == 1 and isinstance(fields, Fields):
            fields.warnings = (*fields.warnings, _OTHER_SHEETS)
        yield number - 1, fields


def _fields(
    found: _Sheet, layout: Layout, number: int, row: tuple[Any, ...], longest_row: int
) -> Fields | Refusal | None:
    assert found.header is not None  # noqa: S101  # it was chosen for it
    names = [*found.names, *[""] * (len(row) - len(found.names))]
    texts = [_text(name, cell) for name, cell in zip(names, row, strict=True)]
    fields = found.header.fields([each.text for each in texts])
    without_result = layout.unanswered.get(number, set())
    if fields is None and not without_result:
        return None
    if isinstance(fields, Refusal):
        return fields
    if sum(len(each.text) for each in texts) > longest_row:
        return Refusal(Reason.TOO_LONG, None, f"The row is longer than {longest_row} characters.")
    covered = layout.covered(number)
    faults = []
    for column, (name, text) in enumerate(zip(names, texts, strict=True), 1):
        if name not in BY_NAME:
            continue
        if column in without_result:
            faults.append(unanswered(name))
        elif any(each.covers(number, column) for each in covered):
            faults.append(merged(name))
        elif text.fault is not None:
            faults.append(text.fault)
    return Fields(fields or {}, faults=tuple(faults), warnings=(_HIDDEN,) if number in layout.hidden else ())


def _text(name: str, cell: Any) -> CellText:
    value = cell.value
    if value is None:
        return _NOTHING
    is_text = type(value) is str and cell.data_type != "e"
    return cell_text(name, value, "" if is_text else cell.number_format or "", is_error=cell.data_type == "e")
