"""What a cell of a workbook says in a column of evidence: its text, or why it cannot be taken. Pure."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from openpyxl.utils.escape import unescape

from services.evidence.sources.columns import BY_NAME
from services.evidence.sources.numbers import number_refused, number_text
from services.evidence.sources.refusals import Reason, Refusal

Value = str | int | float | bool | datetime | date | time | timedelta | None

_ZEROS: Final = re.compile(r"0{2,64}")
_FREE_TEXTS: Final = frozenset(
    name for name, column in BY_NAME.items() if column.form is None and name not in {"level", "score", "date"}
)


@dataclass(frozen=True, slots=True)
class CellText:
    """The text of a cell, and what is wrong with the cell, if anything is."""

    text: str
    fault: Refusal | None = None


def cell_text(name: str, value: Value, number_format: str, *, is_error: bool = False) -> CellText:
    """Return what a cell says in this column.

    Args:
        name: the column of evidence; another name counts as a text.
        value: as it is stored; a date only where the cell has the form of one.
        number_format: how it is shown, such as `0000` or `0%`.
        is_error: the value is an error such as #N/A.
    """
    if value is None:
        return CellText("")
    if is_error:
        return CellText(str(value), _fault(name, f"The cell of {name} holds an error of the spreadsheet."))
    if isinstance(value, bool):
        return CellText("TRUE" if value else "FALSE")
    if isinstance(value, str):
        return CellText(unescape(value) if "_x" in value else value)
    if isinstance(value, int | float):
        return _number(name, value, number_format)
    return _moment(name, value)


def unanswered(name: str) -> Refusal:
    """Return the refusal of a cell with a formula whose result is not in the file."""
    return _fault(
        name, f"The cell of {name} holds a formula without its result: open the file in a spreadsheet, and save it."
    )


def merged(name: str) -> Refusal:
    """Return the refusal of a cell that belongs to another one."""
    return _fault(name, f"The cell of {name} is part of a merged one: undo that, and write the value into each row.")


def _number(name: str, value: float, number_format: str) -> CellText:
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    if "%" in number_format and name == "score":
        exact = (Decimal(exact) * 100).normalize()
    text = number_text(name, exact)
    if text is None and name not in _FREE_TEXTS:
        return CellText(str(exact), number_refused(name))
    if text is None:
        return CellText(str(exact))
    # An id that is shown with zeros in front has them.
    return CellText(text.zfill(len(number_format)) if _ZEROS.fullmatch(number_format) else text)


def _moment(name: str, value: datetime | date | time | timedelta) -> CellText:
    if isinstance(value, datetime) and (name == "date" or value.time() == time()):
        value = value.date()
    text = str(value)
    if name == "date" and type(value) is date:
        return CellText(text)
    if name in _FREE_TEXTS or name not in BY_NAME:
        return CellText(text)
    said = f"The cell of {name} holds a date or a time, which the spreadsheet may have made of something else."
    return CellText(text, _fault(name, f"{said} Format the column as text, and write the value again."))


def _fault(name: str, message: str) -> Refusal:
    return Refusal(Reason.CELL_FORM, name, message)
