"""Ten rows of one school are decided while a large file of another one is, whatever is killed meanwhile."""

import asyncio
import time
from collections import defaultdict
from typing import Final

import pytest

from deploy.embedded.stack import Stack
from libs.contracts import topics
from libs.contracts.cloudevents import read_event, readable_headers
from libs.contracts.events import EvidenceDecided
from tests.faults import promises
from tests.faults.scenario import Keeper
from tests.faults.school import SchoolClient, expected_of, make_rows
from tests.topic_reading import Ends, everything_on
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.fault]

LARGE: Final = 16_000
NO_MAIL: Final = 1_000_000


@pytest.mark.parametrize("killed", [False, True])
def test_a_small_batch_is_decided_while_most_of_a_large_one_is_still_undecided(stack: Stack, *, killed: bool) -> None:
    rows, ten = make_rows(LARGE, seed=61), make_rows(10, seed=62)
    large, small = (SchoolClient(stack, f"{size}-{killed}".lower()) for size in ("large", "small"))
    since = promises.where_topics_end(stack)
    # However slowly the file is taken in, all of it is there when deciding begins.
    stack.stop("issuer")
    (running,) = large.send(rows, LARGE, NO_MAIL)
    assert large.batch(running)["counts"]["pending"] == LARGE
    with Keeper(stack):
        eventually(lambda: large.batch(running)["counts"]["pending"] < LARGE, seconds=240)
        if killed:
            stack.kill("issuer")
        sent_at = time.time() * 1000
        (sent,) = small.send(ten, len(ten), NO_MAIL)
        eventually(lambda: small.batch(sent)["complete"], seconds=240)
        during = large.batch(running)
        promises.numbers_add_up(during)
        assert during["complete"] or during["estimated_finish"] is not None
        eventually(lambda: large.batch(running)["complete"], seconds=240)
        counts = {each.id: each.batch(batch_id)["counts"] for each, batch_id in ((large, running), (small, sent))}
    moments = decided_at(stack, since)
    undecided = [each for each in moments[large.id] if each > sent_at]
    last = max(moments[small.id])
    later = [each for each in undecided if each > last]
    # Until a member that was killed is given up, others decide what is bulk on their partitions.
    assert len(later) > (0 if killed else len(undecided) / 2)
    for school, sent_rows in ((large, rows), (small, ten)):
        expected = expected_of(sent_rows).counts()
        assert {state: counts[school.id][state] for state in expected} == expected


def decided_at(stack: Stack, since: Ends) -> dict[str, list[int]]:
    """Return by school when each decision was published, in milliseconds, as the issuer's clock has it.

    The states of a batch follow later, by as much as a loaded machine pleases.
    """
    moments = defaultdict(list)
    for record in asyncio.run(everything_on(stack.kafka_bootstrap, topics.EVIDENCE_DECIDED, since)):
        event = read_event(readable_headers(record.headers), record.value)
        assert isinstance(event, EvidenceDecided)
        moments[event.issuer_id].append(record.timestamp)
    return moments
