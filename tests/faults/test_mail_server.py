"""A mail server that hangs, refuses and drops connections while mails go out."""

import itertools

import pytest

from deploy.embedded.smtp_sink import CONTROL, Faults
from deploy.embedded.stack import Stack
from tests.faults import promises
from tests.faults.scenario import Scenario

pytestmark = [pytest.mark.integration, pytest.mark.fault]

MAILED_ONE_IN = 10


def test_a_mail_server_that_hangs_refuses_and_drops_loses_no_mail(stack: Stack) -> None:
    control = stack.layout.mail / CONTROL
    moods = itertools.cycle(
        [
            Faults(refuse={"*": "451 4.7.1 try again later"}, every=2),
            Faults(drop="before", every=3),
            Faults(hang=8, every=20),
            Faults(refuse={"*": "421 4.3.2 closing"}, every=5),
        ]
    )
    scenario = Scenario(stack, "bad-mail-server", seed=51)
    try:
        scenario.run(lambda: next(moods).write(control), 6)
    finally:
        control.unlink(missing_ok=True)
    scenario.count().kept()


def test_a_mail_taken_over_without_a_word_is_offered_again_under_the_same_message_id(stack: Stack) -> None:
    control = stack.layout.mail / CONTROL
    scenario = Scenario(stack, "silent-mail-server", seed=52)
    try:
        scenario.run(lambda: Faults(drop="after", every=25).write(control), 1)
    finally:
        control.unlink(missing_ok=True)
    # One in 25 mails is taken over, and its sender is not told: it cannot but offer it again.
    scenario.count().kept(repeats_allowed=scenario.expected.issued // MAILED_ONE_IN)


def test_a_permanent_refusal_is_told_apart_from_a_temporary_one(stack: Stack) -> None:
    control = stack.layout.mail / CONTROL
    scenario = Scenario(stack, "no-such-user", seed=53, evidence=800)
    Faults(refuse={"school0.example": "550 5.1.1 no such user"}).write(control)
    try:
        scenario.run(lambda: None, 1)
        mailed = [learner for learner, _level in scenario.expected.awards if learner % MAILED_ONE_IN == 0]
        refused = sum(learner % 3 == 0 for learner in mailed)
        promises.deliveries_end_as(stack, scenario.name, {"sent": len(mailed) - refused, "failed_permanently": refused})
    finally:
        control.unlink(missing_ok=True)
    scenario.count(mails=False).kept()
