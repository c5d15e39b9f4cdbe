"""How fast a batch is decided and when it is done: told from its counts, and not where nobody can say."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evidence.batches.batch import ROW_STATES, Batch, BatchState, Tally
from services.evidence.batches.views import BatchView

BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)


def batch(counts: Mapping[str, int], state: BatchState = BatchState.ACCEPTED, unread: int = 0) -> Batch:
    tally = Tally.of([*((name, None, count) for name, count in counts.items()), ("refused", "level_unknown", unread)])
    return Batch(UUID(int=1), state, "sis", "csv", BEGAN, BEGAN, None, tally)


def test_the_rest_takes_as_long_for_each_row_as_those_before() -> None:
    found, now = batch({"issued": 150, "refused": 50, "pending": 400}, unread=70), BEGAN + timedelta(seconds=20)
    assert found.rate(now) == 10
    assert found.estimated_finish(now) == now + timedelta(seconds=40)


@pytest.mark.parametrize("counts", [{"pending": 5}, {"issued": 5}, {"issued": 5, "waiting": 3}, {}])
def test_nothing_is_told_where_nothing_is_decided_yet_or_nothing_is_left(counts: dict[str, int]) -> None:
    found, now = batch(counts, unread=9), BEGAN + timedelta(seconds=20)
    assert (found.rate(now), found.estimated_finish(now)) == (None, None)


def test_of_an_upload_that_still_comes_the_end_is_not_known() -> None:
    found, now = batch({"issued": 5, "pending": 5}, BatchState.RECEIVING), BEGAN + timedelta(seconds=5)
    assert (found.rate(now), found.estimated_finish(now)) == (1, None)


COUNTS = st.dictionaries(st.sampled_from(list(map(str, ROW_STATES))), st.integers(0, 10**6))


@given(COUNTS, st.timedeltas(timedelta(), timedelta(days=900)))
def test_whatever_is_counted_the_sum_holds_and_no_end_lies_in_the_past(counts: dict[str, int], age: timedelta) -> None:
    now = BEGAN + age
    view = BatchView.of(batch(counts), now)
    assert view.received == sum(view.counts.values())
    assert view.estimated_finish is None or now <= view.estimated_finish <= now + timedelta(days=30)
