"""Two replicas of every service, and rebalances of each, while evidence is on its way."""

import httpx
import pytest

from deploy.embedded.stack import Stack
from tests.faults.scenario import MAILS_IN_FLIGHT, SERVICES, Scenario
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.fault]

REPLICAS = [f"{service}-2" for service in SERVICES]
# The consumer of each that the evidence passes through.
GROUPS = ["evidence-decisions", "issuer-evidence", "verifier-documents", "notifier-decisions"]


class Replicas:
    """A second replica of every service: all join, take partitions over and work on them, and leave or die."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def join(self) -> None:
        """Return when each has partitions of its own, so that of all that is sent from now on a part is theirs."""
        self._stack.start(*REPLICAS)
        self._wait_until_all_tell("lag_records", "")

    def leave(self) -> None:
        """In good order, in the middle of their work."""
        self._wait_until_all_tell("records_total", 'outcome="done"')
        self._stack.stop(*REPLICAS)

    def die(self) -> None:
        """By SIGKILL, in the middle of their work."""
        self._wait_until_all_tell("records_total", 'outcome="done"')
        for replica in REPLICAS:
            self._stack.kill(replica)

    def _wait_until_all_tell(self, metric: str, label: str) -> None:
        """A sample is there from the first time that there is something to count."""
        for replica, group in zip(REPLICAS, GROUPS, strict=True):
            sample = f'bowerbird_consumer_{metric}{{consumer="{group}",{label}'
            metrics = self._stack.metrics_url(replica)
            eventually(lambda: sample in httpx.get(metrics, timeout=30, trust_env=False).text)  # noqa: B023  # at once


def test_second_replicas_that_join_and_leave_or_die_lose_nothing_and_double_nothing(stack: Stack) -> None:
    replicas = Replicas(stack)
    turns = iter([replicas.join, replicas.leave, replicas.join, replicas.die])
    scenario = Scenario(stack, "rebalanced", seed=31)
    scenario.run(lambda: next(turns)(), 4)  # noqa: PLW0108  # a fresh turn each time
    scenario.count().kept(repeats_allowed=MAILS_IN_FLIGHT)
