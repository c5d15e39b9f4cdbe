"""What is stored of an upload goes to Kafka sealed, and opens as it was for the evidence service alone."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from libs.common.authority_secret import AuthoritySecret
from libs.contracts.ids import submission_id
from services.evidence.batches.batch import NewRow, Progress, RowFault, RowWarning
from services.evidence.batches.sealing import BatchSealing, DoesNotOpenError, Header, StoredRows
from tests.ids import SECRET

NOW = datetime(2026, 11, 23, 9, 0, 0, 123000, tzinfo=UTC)
SEALING = BatchSealing(SECRET.key)
BATCH = UUID(int=7 << 96)
HEADER = Header(BATCH, "north", "sis", "csv", NOW)
WARNING = RowWarning("activity", "email_in_text", "Look.")
ROWS = (
    NewRow(submission_id(BATCH, 1), 1, "VW-1", "pending", None, None, None, "Ms Pike", "Kept going", (WARNING,)),
    NewRow(
        submission_id(BATCH, 2),
        2,
        None,
        "refused",
        "level",
        "level_unknown",
        "None of the five.",
        also=(RowFault("date", "date_form", "No date."), RowFault(None, "not_utf8", "No text.")),
        original={"level": "wrong", "learner_name": "Zoë"},
    ),
)
STORED = StoredRows(HEADER, ROWS, Progress(2, 2, "ab"))


def test_what_is_sealed_opens_as_it_was_and_sealed_again_is_the_same() -> None:
    (event,) = SEALING.seal(STORED, NOW, accepted=True)
    assert (event.row, event.accepted, event.stored_at) == (2, True, NOW)
    assert SEALING.open(event) == STORED
    assert SEALING.seal(STORED, NOW, accepted=True) == [event]


def test_the_end_of_an_upload_is_told_without_rows() -> None:
    (event,) = SEALING.seal(replace(STORED, rows=()), NOW, accepted=True)
    assert (event.row, SEALING.open(event).progress) == (2, Progress(2, 2, "ab"))


@pytest.mark.parametrize(
    "change",
    [{"row": 3}, {"accepted": False}, {"issuer_id": "south"}, {"batch_id": UUID(int=8 << 96)}, {"sealed": "AAAA"}],
)
def test_it_opens_for_nothing_else(change: dict[str, Any]) -> None:
    (event,) = SEALING.seal(STORED, NOW, accepted=True)
    with pytest.raises(DoesNotOpenError):
        SEALING.open(event.model_copy(update=change))


def test_it_opens_under_no_other_secret() -> None:
    (event,) = SEALING.seal(STORED, NOW, accepted=True)
    with pytest.raises(DoesNotOpenError):
        BatchSealing(AuthoritySecret(bytes(32)).key).open(event)


def test_long_rows_are_told_in_records_that_the_topic_takes_and_only_the_last_is_the_end() -> None:
    # Characters that hardly compress, three bytes each.
    comment = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(4_000))
    rows = tuple(
        NewRow(submission_id(BATCH, number), number, f"VW-{number}", "pending", comment=comment[number:])
        for number in range(1, 251)
    )
    events = SEALING.seal(StoredRows(HEADER, rows, Progress(250, 250)), NOW, accepted=True)
    assert len(events) > 1
    assert all(len(event.sealed) < 1_000_000 for event in events)
    opened = [SEALING.open(event) for event in events]
    assert tuple(row for part in opened for row in part.rows) == rows
    assert [part.progress for part in opened] == [None] * (len(events) - 1) + [Progress(250, 250)]
    assert [event.accepted for event in events] == [False] * (len(events) - 1) + [True]
    assert [event.row for event in events] == [part.rows[-1].row for part in opened]
