"""SIGKILL of each service at random moments, several times, while 20,000 pieces of evidence are on their way."""

import pytest

from deploy.embedded.stack import Stack
from tests.faults.scenario import SERVICES, Scenario

pytestmark = [pytest.mark.integration, pytest.mark.fault]

KILLS = 4
# The notifier has at most this many mails between the server's 250 and the mark in the database.
MAILS_IN_FLIGHT = 16


@pytest.mark.parametrize("service", ["evidence", "issuer", "verifier"])
def test_killing_a_service_loses_nothing_and_doubles_nothing(stack: Stack, service: str) -> None:
    scenario = Scenario(stack, f"killed-{service}", seed=11)
    scenario.run(lambda: stack.restart(service), KILLS)
    scenario.promises_hold()


def test_killing_the_notifier_loses_no_mail_and_repeats_only_what_was_in_flight(stack: Stack) -> None:
    scenario = Scenario(stack, "killed-notifier", seed=12)
    scenario.run(lambda: stack.restart("notifier"), KILLS, mailed_one_in=4)
    scenario.promises_hold(mailed_one_in=4, repeats_allowed=KILLS * MAILS_IN_FLIGHT)


def test_killing_all_services_at_once_loses_nothing_and_doubles_nothing(stack: Stack) -> None:
    def kill_all() -> None:
        for service in SERVICES:
            stack.kill(service)
        stack.start(*SERVICES)

    scenario = Scenario(stack, "killed-all", seed=13)
    scenario.run(kill_all, 3)
    scenario.promises_hold(repeats_allowed=3 * MAILS_IN_FLIGHT)
