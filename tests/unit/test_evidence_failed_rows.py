"""Rows that failed: no cell of theirs is a formula, all is read again as it was, and proposals are no guesses."""

import csv
import io
from datetime import date
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from libs.common.spreadsheets import as_sent, csv_lines, neutralized
from services.evidence.batches.originals import LONGEST, OriginalSealing, kept_of
from services.evidence.sources.columns import BY_NAME, COLUMNS
from services.evidence.sources.csv_reader import CsvReader
from services.evidence.sources.failed_columns import FAILED_COLUMNS
from services.evidence.sources.refusals import Reason
from services.evidence.sources.rows import Submission, read_row
from services.evidence.sources.suggestions import suggestion
from tests.ids import SECRET

FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
HOSTILE = st.text(st.sampled_from(FORMULA + "'\" ;,\t\r\n|a1\xa0"), max_size=12)
BATCH = UUID(int=7 << 96)


@given(HOSTILE)
def test_what_is_neutralized_is_read_again_as_it_was(text: str) -> None:
    assert as_sent(neutralized(text)) == text


@given(st.lists(HOSTILE, min_size=1, max_size=3), st.sampled_from(",;\t|"))
def test_no_program_finds_a_formula_in_a_cell_whichever_delimiter_it_expects(cells: list[str], delimiter: str) -> None:
    text = csv_lines([cells])
    found = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]
    naive = [part for row in text.splitlines() for part in row.split(delimiter)]
    for cell in [*found, *(naive if delimiter != "," else [])]:
        assert cell.strip(' \xa0"')[:1] not in set(FORMULA), (cell, text)


@given(st.dictionaries(st.sampled_from(COLUMNS), HOSTILE, min_size=1))
def test_a_row_of_a_failed_file_says_what_was_sent(sent: dict[str, str]) -> None:
    row = [sent.get(name, "") for name in COLUMNS]
    text = csv_lines([(*COLUMNS, *FAILED_COLUMNS), [*row, *(["=x"] * len(FAILED_COLUMNS))]])
    reader = CsvReader(10_000)
    ((_, fields),) = [*reader.feed(text.encode()), *reader.finish()]
    if isinstance(fields, dict):
        assert {name: text for name, text in fields.items() if text} == {n: t for n, t in sent.items() if t}
    else:
        assert fields.reason is Reason.COLUMNS_WRONG
        assert not "".join(sent.values()).strip(" \t\r\n\xa0")


@pytest.mark.parametrize(
    ("reason", "value", "proposed"),
    [
        (Reason.LEVEL_UNKNOWN, "Relationl", "relational"),
        (Reason.LEVEL_UNKNOWN, "extended abstrakt", "extended_abstract"),
        (Reason.ACHIEVEMENT_FORM, "Team Work", "team-work"),
        (Reason.ACHIEVEMENT_FORM, "Résilience!", "resilience"),
        (Reason.LEARNER_ID_FORM, "1001.0", "1001"),
        (Reason.SOURCE_ID_FORM, "77.", "77"),
        (Reason.SCORE_FORM, "87,5", "87.5"),
        (Reason.SCORE_FORM, "87 %", "87"),
        (Reason.DATE_FORM, "23/11/2026", "2026-11-23"),
        (Reason.DATE_FORM, "11-23-2026", "2026-11-23"),
        (Reason.DATE_FORM, "3.4.2026", "2026-04-03 or 2026-03-04"),
        (Reason.DATE_FORM, "2026/11/23", "2026-11-23"),
        (Reason.DATE_FORM, "2026-11-23 00:00:00", "2026-11-23"),
        (Reason.DATE_FORM, "46090", "2026-03-09"),
        (Reason.EMAIL_FORM, "Zoe <zoe@school.example>", "zoe@school.example"),
        (Reason.LINK_FORM, "school.example/raft", "https://school.example/raft"),
    ],
)
def test_a_value_that_is_nearly_right_has_a_proposal(reason: Reason, value: str, proposed: str) -> None:
    assert suggestion(reason, value) == f"Did you mean {proposed}?"


@given(st.sampled_from(Reason), st.text(max_size=60))
def test_where_nothing_is_proposed_it_is_said_what_to_do(reason: Reason, value: str) -> None:
    assert suggestion(reason, value).endswith((".", "?"))


@pytest.mark.parametrize(
    ("reason", "value"),
    [(Reason.LEARNER_ID_FORM, "1.00E+05"), (Reason.LEVEL_UNKNOWN, "4"), (Reason.DATE_FORM, "31/02/2026"),
     (Reason.SCORE_FORM, "140"), (Reason.EMAIL_FORM, "a@b.example, c@d.example"), (Reason.LINK_FORM, "javascript:x")],
)  # fmt: skip
def test_nothing_is_proposed_where_it_would_be_a_guess(reason: Reason, value: str) -> None:
    assert "Did you mean" not in suggestion(reason, value)


@given(st.integers(1, 12), st.integers(1, 28), st.integers(2001, 2025))
def test_a_day_is_proposed_in_every_way_in_which_it_can_be_meant(month: int, day: int, year: int) -> None:
    proposed = suggestion(Reason.DATE_FORM, f"{day}/{month}/{year}")
    assert date(year, month, day).isoformat() in proposed
    assert (" or " in proposed) == (day <= 12 and day != month)


def test_what_a_decision_refuses_has_no_proposal_here() -> None:
    assert suggestion("score_needed", "relational") == ""


def test_an_apostrophe_before_a_formula_is_no_part_of_a_text() -> None:
    row = read_row(
        {"source_id": "1", "learner_id": "2", "achievement": "a", "score": "80", "date": "2026-01-02",
         "activity": "'-5 degrees, on the river", "comment": "'Twas cold"}, date(2026, 11, 23),
    )  # fmt: skip
    assert isinstance(row, Submission)
    assert (row.activity, row.comment) == ("-5 degrees, on the river", "'Twas cold")


def test_rows_as_they_were_sent_are_sealed_for_their_batch_and_school_alone() -> None:
    sealing = OriginalSealing(SECRET.key)
    sealed = sealing.seal(BATCH, "north", [(1, {"learner_name": "Zoë"}), (3, {"level": "wrong"})])
    assert b"Zo" not in sealed
    assert sealing.open(BATCH, "north", sealed) == {1: {"learner_name": "Zoë"}, 3: {"level": "wrong"}}
    assert sealing.seal(BATCH, "north", [(1, {"learner_name": "Zoë"}), (3, {"level": "wrong"})]) == sealed
    for batch_id, issuer_id in ((BATCH, "south"), (UUID(int=8 << 96), "north")):
        with pytest.raises(InvalidTag):
            sealing.open(batch_id, issuer_id, sealed)


def test_a_row_that_was_taken_is_kept_without_name_and_address_and_an_endless_one_not_at_all() -> None:
    sent = {"source_id": "1", "learner_name": "Zoë", "learner_email": "z@school.example", "comment": ""}
    assert kept_of(sent, taken=True) == {"source_id": "1"}
    assert kept_of(sent, taken=False) == {name: text for name, text in sent.items() if text}
    assert kept_of({"activity": "x" * (LONGEST + 1)}, taken=False) is None
    assert sum(column.longest for column in BY_NAME.values()) < LONGEST
