"""The columns that a file of failed rows has beside those of evidence. Pure."""

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
