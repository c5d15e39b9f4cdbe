"""Waiting for an event to be applied: woken by the consumer of this process, with slow polling for other replicas."""

import asyncio
from collections.abc import Sequence

from libs.common.arrivals import Arrivals
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import ApiKeyGranted

NEVER = 3_600.0


class Asked:
    """A condition that counts how often it is asked."""

    def __init__(self) -> None:
        self.holds = False
        self.times = 0

    async def __call__(self) -> bool:
        self.times += 1
        return self.holds


async def test_who_waits_is_woken_by_the_batch_that_is_applied_and_asks_no_more_often_than_that() -> None:
    arrivals, condition = Arrivals(poll_seconds=NEVER), Asked()

    async def apply(_batch: Sequence[Received[ApiKeyGranted]]) -> Sequence[Outgoing]:
        condition.holds = True
        return []

    waiting = asyncio.create_task(arrivals.wait_until(condition, NEVER))
    await asyncio.sleep(0)
    assert condition.times == 1
    await arrivals.after(apply)([])
    assert await waiting
    assert condition.times == 2


async def test_a_batch_that_is_applied_while_the_condition_is_asked_is_not_missed() -> None:
    arrivals, condition = Arrivals(poll_seconds=NEVER), Asked()

    async def asks_slowly() -> bool:
        held = await condition()
        if not held:
            condition.holds = True
            arrivals.wake()
        return held

    assert await arrivals.wait_until(asks_slowly, NEVER)
    assert condition.times == 2


async def test_what_another_replica_applies_is_found_by_asking_again() -> None:
    arrivals, condition = Arrivals(poll_seconds=0.001), Asked()
    waiting = asyncio.create_task(arrivals.wait_until(condition, NEVER))
    await asyncio.sleep(0)
    condition.holds = True
    assert await waiting


async def test_who_waits_in_vain_is_told_so() -> None:
    condition = Asked()
    assert not await Arrivals(poll_seconds=0.001).wait_until(condition, 0.005)
    assert condition.times >= 1


async def test_what_holds_already_is_not_waited_for() -> None:
    condition = Asked()
    condition.holds = True
    assert await Arrivals(poll_seconds=NEVER).wait_until(condition, 0)
