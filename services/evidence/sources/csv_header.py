"""The first row of a CSV file: what its columns are, and everything that is wrong with them at once. Pure."""

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from libs.common.errors import FieldProblem, InvalidRequestError
from libs.common.spreadsheets import as_sent
from libs.common.text import TextRefusedError, clean_line
from services.evidence.sources.columns import COLUMNS, OTHER_NAMES, REQUIRED
from services.evidence.sources.failed_columns import FAILED_COLUMNS, TEXT
from services.evidence.sources.refusals import Reason, Refusal

_KNOWN: Final = frozenset(COLUMNS)
_OF_FAILED: Final = frozenset(FAILED_COLUMNS)
_TOO_MANY_FIELDS: Final = Refusal(
    Reason.TOO_MANY_FIELDS, None, "The row has more values than the first row has columns; quote a text with commas."
)
_FAILED_AGAIN: Final = (
    "Nothing stands in the columns of evidence of this row, which failed before: write its values there, or take the"
    " row out."
)
# What the template says of a column beside its name.
_MARKS: Final = re.compile(r"\s*\(public(?: by choice)?\)\s*$", re.IGNORECASE)
_SEPARATORS: Final = re.compile(r"[\s._-]+")
_LONGEST_NAME: Final = 40
# So many unknown names are looked up; a file with more is something else.
_LOOKED_UP: Final = 50
_NAMES_SHOWN: Final = 10


class Header:
    """The columns of a CSV file, in the file's order; those of a file of failed rows are passed over.

    Attributes:
        names: of its columns, in the form that they have here.
    """

    def __init__(self, cells: Sequence[str], delimiter: str) -> None:
        """Read the first row.

        Raises:
            InvalidRequestError: something is wrong with the columns; the error lists all of it.
        """
        self.delimiter = delimiter
        self.names = column_names(cells)
        self._failed = not _OF_FAILED.isdisjoint(self.names)
        _check(self.names)

    def fields(self, cells: Sequence[str]) -> dict[str, str] | Refusal | None:
        """Return the fields of a row; None for a blank one.

        It may be shorter than the first row, and have empty cells behind the last column: spreadsheets write both.
        """
        if is_blank(cells):
            return None
        if len(cells) > len(self.names) and not is_blank(cells[len(self.names) :]):
            return self._too_many(cells)
        fields = dict(zip(self.names, cells, strict=False))
        if "" in fields:
            if any(cell.strip() for name, cell in zip(self.names, cells, strict=False) if not name):
                return self._too_many(cells)
            del fields[""]
        return _of_failed(fields) if self._failed else fields

    def _too_many(self, cells: Sequence[str]) -> Refusal:
        return replace(_TOO_MANY_FIELDS, sent={TEXT: self.delimiter.join(cells)})


def _of_failed(fields: Mapping[str, str]) -> dict[str, str] | Refusal:
    """Return what a row of a file of failed rows says by now; one that holds no evidence fails again."""
    sent = {name: as_sent(cell) for name, cell in fields.items() if name not in _OF_FAILED}
    if is_blank(list(sent.values())):
        text = as_sent(fields.get(TEXT, ""))
        return Refusal(Reason.COLUMNS_WRONG, None, _FAILED_AGAIN, sent={TEXT: text} if text else None)
    return sent


def is_blank(cells: Sequence[str]) -> bool:
    """Return whether nothing stands in a row."""
    return not any(cells) or not any(_shows(cell) for cell in cells)


def _shows(cell: str) -> bool:
    return bool(cell.strip(" \t\u00a0")) and (cell.isascii() or bool(_cleaned(cell)))


def column_names(cells: Sequence[str]) -> list[str]:
    """Return the names as people write them (`Learner ID`, `learner-id`) in the one form that they have here."""
    return [_SEPARATORS.sub("_", _MARKS.sub("", _cleaned(cell)).lower()).strip("_*:") for cell in cells]


def known(names: Sequence[str]) -> int:
    """Return how many of these names are columns of evidence."""
    return len(_KNOWN.intersection(names))


def _cleaned(cell: str) -> str:
    try:
        return clean_line(cell)
    except TextRefusedError:
        return "".join(each for each in cell if each.isprintable())


def _check(names: Sequence[str]) -> None:
    """Refuse the whole file, in one go, for everything that is wrong with its columns.

    A column that we do not know is an error, not ignored: it may be a misspelt one whose loss nobody would see, and it
    may hold personal data that nobody needs here.
    """
    errors: list[FieldProblem] = [
        {"field": name, "reason": "this column is missing; every row needs it"}
        for name in REQUIRED
        if name not in names
    ]
    if "level" not in names and "score" not in names:
        errors.append({"field": "level", "reason": "a column level or score is missing; every row needs one of them"})
    unknown = 0
    for name, times in Counter(names).items():
        if name in _OF_FAILED:
            continue
        if name and name not in _KNOWN:
            unknown += 1
            if unknown <= _LOOKED_UP:
                errors.append({"field": name[:_LONGEST_NAME], "reason": f"this column is not known: {_hint(name)}"})
        elif name and times > 1:
            errors.append({"field": name, "reason": "this column is there more than once"})
    if errors:
        shown = "; ".join(f"{e['field']}: {e['reason']}" for e in errors[:_NAMES_SHOWN])
        raise InvalidRequestError(
            f"The first row must name the columns, and something is wrong with it. {shown}", errors[:50]
        )


def _hint(name: str) -> str:
    near = [OTHER_NAMES[name]] if name in OTHER_NAMES else difflib.get_close_matches(name[:_LONGEST_NAME], COLUMNS, n=1)
    return f"did you mean {near[0]}?" if near else "take it out of the file"
