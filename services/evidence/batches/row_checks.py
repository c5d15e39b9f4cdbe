"""Checks the rows of one upload, and sees where so many are refused that it is no file of evidence. Pure."""

from dataclasses import replace
from datetime import date
from typing import Final

from libs.common.contact_details import ContactPolicy
from services.evidence.sources.reader import Fields, RawRow
from services.evidence.sources.refusals import Refusal
from services.evidence.sources.rows import Submission, read_row, says_little

MOST_REFUSED: Final = 10_000
"""Rows of an upload; where so many were refused, in a row and most of all or nearly all, no more is read of it.

The same holds where so many were junk, and more than were taken.
"""

# Of so many refused rows one may be good among junk that is meant to be stored.
_NEARLY_ALL: Final = 9


class RowChecks:
    """The checks of one upload's rows, and how many were taken and refused so far.

    Attributes:
        is_hopeless: very many rows were refused, in a row and most of all or nearly all, or more rows than were taken
            are junk: this is no file of evidence.
    """

    def __init__(self, contact_policy: ContactPolicy, *, local: bool) -> None:
        """Take what `read_row` needs."""
        self._contact_policy = contact_policy
        self._local = local
        self.taken = 0
        self.refused = 0
        self.is_hopeless = False
        self._refused_in_a_row = 0
        # Rows that could not be read, or that lack most of what every row needs: a few bytes each.
        self._junk = 0

    def check(self, raw: RawRow, today: date) -> Submission | Refusal:
        """Return what this row says, or all that is wrong with it; `today` is the date in UTC."""
        row = self._read(raw[1], today)
        if isinstance(row, Refusal):
            self.refused += 1
            self._refused_in_a_row += 1
            self._junk += isinstance(raw[1], Refusal) or says_little(row)
            self.is_hopeless = self.is_hopeless or self._looks_hopeless()
        else:
            self.taken += 1
            self._refused_in_a_row = 0
        return row

    def _read(self, fields: dict[str, str] | Refusal, today: date) -> Submission | Refusal:
        if isinstance(fields, Refusal):
            return fields
        row = read_row(fields, today, self._contact_policy, local=self._local)
        if not isinstance(fields, Fields):
            return row
        if not fields.faults:
            return row if isinstance(row, Refusal) else replace(row, warnings=(*row.warnings, *fields.warnings))
        # What is wrong with a cell says more than what is wrong with its text.
        cells = {each.column for each in fields.faults}
        texts = (row, *row.also) if isinstance(row, Refusal) else ()
        also = [replace(each, also=()) for each in texts if each.column not in cells]
        return replace(fields.faults[0], also=(*fields.faults[1:], *also))

    def _looks_hopeless(self) -> bool:
        in_a_row = self._refused_in_a_row >= MOST_REFUSED and self.refused > self.taken
        nearly_all = self.refused >= MOST_REFUSED and self.refused > _NEARLY_ALL * self.taken
        return in_a_row or nearly_all or (self._junk >= MOST_REFUSED and self._junk > self.taken)
