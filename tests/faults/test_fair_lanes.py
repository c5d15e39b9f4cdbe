"""Ten rows of one school are decided while a large file of another one is, whatever is killed meanwhile."""

from typing import Final

import pytest

from deploy.embedded.stack import Stack
from tests.faults import promises
from tests.faults.scenario import Keeper
from tests.faults.school import SchoolClient, expected_of, make_rows
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.fault]

LARGE: Final = 16_000
NO_MAIL: Final = 1_000_000


@pytest.mark.parametrize("killed", [False, True])
def test_a_small_batch_is_decided_while_most_of_a_large_one_is_still_undecided(stack: Stack, *, killed: bool) -> None:
    rows, ten = make_rows(LARGE, seed=61), make_rows(10, seed=62)
    with Keeper(stack):
        large, small = (SchoolClient(stack, f"{size}-{killed}".lower()) for size in ("large", "small"))
        (running,) = large.send(rows, LARGE, NO_MAIL)
        before = large.batch(running)
        if killed:
            stack.kill("issuer")
        (sent,) = small.send(ten, len(ten), NO_MAIL)
        eventually(lambda: small.batch(sent)["complete"], seconds=240)
        after = large.batch(running)
        promises.numbers_add_up(after)
        eventually(lambda: large.batch(running)["complete"], seconds=240)
        counts = {each.id: each.batch(batch_id)["counts"] for each, batch_id in ((large, running), (small, sent))}
    assert before["counts"]["pending"] > LARGE / 2, "it was decided as fast as it came: make it larger"
    # Until a member that was killed is given up, others decide what is bulk on their partitions.
    least = 0 if killed else before["counts"]["pending"] / 2
    assert after["counts"]["pending"] > least
    assert after["estimated_finish"] is not None
    for school, sent_rows in ((large, rows), (small, ten)):
        expected = expected_of(sent_rows).counts()
        assert {state: counts[school.id][state] for state in expected} == expected
