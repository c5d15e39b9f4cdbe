"""Replicas that come and go while 20,000 pieces of evidence are on their way."""

import pytest

from deploy.embedded.stack import Stack
from tests.faults.scenario import Scenario

pytestmark = [pytest.mark.integration, pytest.mark.fault]


@pytest.mark.parametrize("service", ["issuer", "notifier"])
def test_a_second_replica_that_joins_and_is_killed_loses_nothing_and_doubles_nothing(
    stack: Stack, service: str
) -> None:
    replica = f"{service}-2"

    def join_and_die() -> None:
        stack.start(replica)
        stack.kill(replica)

    def join_and_leave() -> None:
        stack.start(replica)
        stack.stop(replica)

    turns = [join_and_leave, join_and_die, join_and_leave, join_and_die]
    scenario = Scenario(stack, f"rebalanced-{service}", seed=31)
    scenario.run(lambda: turns.pop()(), len(turns))  # noqa: PLW0108  # a fresh turn each time
    scenario.promises_hold(repeats_allowed=2 * 16 if service == "notifier" else 0)
