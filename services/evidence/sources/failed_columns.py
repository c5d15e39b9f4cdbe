"""The columns that a file of failed rows has beside those of evidence, and cells in which no formula runs. Pure."""

import re
from typing import Final

ROW: Final = "failed_row"
SHEET_ROW: Final = "failed_sheet_row"
COLUMN: Final = "failed_column"
CODE: Final = "failed_code"
MESSAGE: Final = "failed_message"
VALUE: Final = "failed_value"
SUGGESTION: Final = "failed_suggestion"
TEXT: Final = "failed_text"
FAILED_COLUMNS: Final = (ROW, SHEET_ROW, COLUMN, CODE, MESSAGE, VALUE, SUGGESTION, TEXT)
"""What stands beside a row that failed, and is passed over when it is sent again. `failed_text` is a row that could
not be parted into columns, as it was sent; nothing is read from it either."""

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
