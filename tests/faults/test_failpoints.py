"""SIGKILL exactly between two numbered steps, at every failpoint, while 2,000 pieces of evidence are on their way."""

from collections import defaultdict
from collections.abc import Sequence

import pytest

from deploy.embedded.stack import Stack
from libs.common.failpoints import Order, read_orders, write_orders
from tests.faults import promises
from tests.faults.hurried import order_file
from tests.faults.orders import TOGETHER, Kill
from tests.faults.scenario import MAILS_IN_FLIGHT, Scenario

pytestmark = [pytest.mark.integration, pytest.mark.fault]


@pytest.mark.parametrize("kills", TOGETHER, ids=lambda kills: " and ".join(map(str, kills)))
def test_killed_right_after_a_step_nothing_is_lost_and_nothing_doubled(stack: Stack, kills: Sequence[Kill]) -> None:
    scenario = Scenario(stack, f"killed-{TOGETHER.index(list(kills))}", seed=11, told=2)
    promises.begin_new_epoch(stack)
    orders: dict[str, list[Order]] = defaultdict(list)
    for kill in kills:
        orders[kill.service].append(kill.order_after(scenario.mailed))
    for service, those in orders.items():
        write_orders(order_file(stack, service), those)
    scenario.run()
    count = scenario.count()
    for service in orders:
        assert not read_orders(order_file(stack, service)), f"{service} was not killed there: these were not passed"
    # Of two mails that tell of a revocation, one is killed where it cannot repeat; the other may be in flight.
    repeats = [1 if kill.later else MAILS_IN_FLIGHT for kill in kills if kill.service == "notifier"]
    count.kept(repeats_allowed=sum(repeats))
