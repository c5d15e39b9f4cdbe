"""SIGKILL between the steps in which evidence that waited is decided: nothing lost, nothing doubled."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from deploy.embedded.stack import Stack
from libs.common.failpoints import Name, Order
from tests.faults import promises
from tests.faults.hurried import order_file
from tests.faults.scenario import Keeper
from tests.faults.school import SchoolClient, expected_of, make_rows

pytestmark = [pytest.mark.integration, pytest.mark.fault]

POINTS: tuple[Name, ...] = ("issuer.award.5", "issuer.waiting.1", "issuer.waiting.2")


def until(school: SchoolClient, batch_id: str, holds: Callable[[Any], bool]) -> Any:
    give_up_at = time.monotonic() + 120
    while True:
        batch = school.batch(batch_id)
        promises.numbers_add_up(batch)
        if holds(batch):
            return batch
        assert time.monotonic() < give_up_at, batch
        time.sleep(0.1)


@pytest.mark.parametrize("point", POINTS)
def test_killed_while_what_waited_is_decided_each_piece_is_decided_once_more(stack: Stack, point: Name) -> None:
    name = f"waiting-{POINTS.index(point)}"
    rows = make_rows(700, seed=5)
    expected = expected_of(rows)
    with Keeper(stack):
        school = SchoolClient(stack, name, publish=False)
        (batch_id,) = school.send(rows, len(rows), mailed_one_in=1_000)
        waiting = until(school, batch_id, lambda batch: batch["counts"]["waiting"] == len(rows))
        assert not waiting["complete"]
        order = Order(point, passing=2)
        order.write(order_file(stack, "issuer"))
        school.publish()
        done = until(school, batch_id, lambda batch: batch["complete"])
        # The last pieces are announced before their waiting is ended.
        with promises.databases(stack) as client:
            while client["issuer"]["waiting"].count_documents({"issuer_id": name}):
                time.sleep(0.1)
    assert not order_file(stack, "issuer").exists(), f"{point} was not passed"
    assert {state: done["counts"][state] for state in expected.counts()} == expected.counts()
    with promises.databases(stack) as client:
        decisions = list(client["issuer"]["decisions"].find({"issuer_id": name}, {"outcome": 1, "sequence": 1}))
        credentials = [str(each["_id"]) for each in client["issuer"]["credentials"].find({"issuer_id": name})]
    assert Counter(each["sequence"] for each in decisions) == {1: len(rows), 2: len(rows)}
    assert Counter(each["outcome"] for each in decisions if each["sequence"] == 2) == expected.counts()
    assert len(credentials) == len(set(credentials)) == expected.issued
