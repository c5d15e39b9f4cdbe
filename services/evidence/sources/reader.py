"""What reads an evidence file: fed with bytes cut anywhere, it gives numbered rows of text fields."""

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from libs.common.errors import InvalidRequestError
from services.evidence.sources.refusals import Reason, Refusal

# A row's number with its fields, or with why it has none. Of a CSV file, row n is the sheet's row n + 1, wherever the
# columns are named: blank rows count. Of NDJSON it is the line.
RawRow = tuple[int, dict[str, str] | Refusal]


class Fields(dict[str, str]):
    """Fields of a row of which the form says more than text: what is wrong with single cells, what warns of the row."""

    def __init__(
        self, texts: Mapping[str, str], *, faults: tuple[Refusal, ...] = (), warnings: tuple[Refusal, ...] = ()
    ) -> None:
        super().__init__(texts)
        self.faults = faults
        self.warnings = warnings


MOST_BLANK: Final = 1_048_576
"""Blank rows of a file: as many as a sheet has in all. Spreadsheets write thousands of them behind the last one."""


class BlankRows:
    """Counts the blank rows of a file, which are passed over: without an end they would be work for nothing."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, cost: int = 1) -> None:
        """Count one that took as much work as this many.

        Raises:
            InvalidRequestError: a sheet has not so many.
        """
        self._count += cost
        if self._count > MOST_BLANK:
            raise InvalidRequestError("The file has more blank rows than a sheet has rows; take them out of it.")


class Reader(Protocol):
    """Reads one file, block by block; memory is bounded by the block and the longest row."""

    def feed(self, block: bytes) -> Iterator[RawRow]:
        """The rows that this block completes. Must be exhausted before the next call.

        Raises:
            InvalidRequestError: the file as a whole cannot be read.
        """

    def finish(self) -> Iterator[RawRow]:
        """The rows that the end of the file completes; raises as `feed` does."""


def rows_of(reader: Reader, block: bytes | None) -> list[RawRow]:
    """Return the rows that a block completes; None is the end of the file."""
    return list(reader.finish() if block is None else reader.feed(block))


NOT_UTF8 = Refusal(
    Reason.NOT_UTF8,
    None,
    "The text is not UTF-8, most likely Windows-1252; in Excel, save as 'CSV UTF-8'.",
)


def too_long(longest: int) -> Refusal:
    """Return the refusal of a row of more characters, or bytes, than this."""
    return Refusal(Reason.TOO_LONG, None, f"The row is longer than {longest} characters.")


def readable(text: str) -> str:
    """Return a text of `decode` with U+FFFD for what is not UTF-8, which no row may hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def decode(raw: bytes) -> tuple[str, bool]:
    """Return the text, and whether it is UTF-8; what is not stands in it as lone surrogates."""
    try:
        return raw.decode(), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape"), False
