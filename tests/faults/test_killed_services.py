"""SIGKILL of all services at once at random moments; exact moments of each are in test_failpoints."""

import pytest

from deploy.embedded.stack import Stack
from tests.faults.scenario import MAILS_IN_FLIGHT, SERVICES, Scenario

pytestmark = [pytest.mark.integration, pytest.mark.fault]


def test_killing_all_services_at_once_loses_nothing_and_doubles_nothing(stack: Stack) -> None:
    def kill_all() -> None:
        for service in SERVICES:
            stack.kill(service)
        stack.start(*SERVICES)

    scenario = Scenario(stack, "killed-all", seed=13)
    scenario.run(kill_all, 2)
    scenario.count().kept(repeats_allowed=2 * MAILS_IN_FLIGHT)
