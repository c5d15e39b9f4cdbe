"""One synthetic learner is sent in each period, whichever replica asks, and the stages remember when they saw one."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from libs.common.canary import CanaryStages, Stage
from libs.common.metrics import CANARY_LAST_SEEN
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import CANARIES, CanaryDecided
from tests.issuer_world import World

pytestmark = pytest.mark.integration

START = datetime(2026, 11, 23, 16, tzinfo=UTC)


class Replica:
    """A process of the evidence service, and what it sent."""

    def __init__(self, world: World, sent: list[CanaryDecided]) -> None:
        self.now = START
        stages = CanaryStages(world.database, lambda: self.now, 60)
        self.tick = stages.sending(lambda number, at: CanaryDecided(number=number, sent_at=at), self.publish)
        self._sent = sent

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        self._sent += [each.event for each in outgoing if isinstance(each.event, CanaryDecided)]


async def test_replicas_send_one_in_each_period_and_the_learners_take_turns(world: World) -> None:
    sent: list[CanaryDecided] = []
    replicas = [Replica(world, sent) for _ in range(3)]
    for second in (0, 20, 61, 70, 119, 122):
        for each in replicas:
            each.now = START + timedelta(seconds=second)
        assert await asyncio.gather(*(each.tick() for each in replicas)) == [60, 60, 60]
    assert [(each.sent_at - START).total_seconds() for each in sent] == [0, 61, 119]
    assert [each.number for each in sent] == list(CANARIES[1:4])


async def test_a_moment_that_a_wrong_clock_wrote_keeps_nobody_from_sending(world: World) -> None:
    sent: list[CanaryDecided] = []
    replica = Replica(world, sent)
    for moment in (START + timedelta(days=400), START):
        replica.now = moment
        await replica.tick()
    assert len(sent) == 2


async def test_a_process_that_starts_shows_when_its_stages_last_saw_one(world: World) -> None:
    async def nothing(_batch: object) -> Sequence[Outgoing]:
        return []

    now = START
    for moment, event in ((START, CanaryDecided(number=1, sent_at=START)), (START + timedelta(hours=3), None)):
        now = moment
        stages = CanaryStages(world.database, lambda: now, 60)  # noqa: B023  # at once
        handle = stages.beside(Stage("remembered", CanaryDecided), nothing)
        if event is not None:
            await handle([Received(event, event.key, new_trace())])
    CANARY_LAST_SEEN.labels("remembered").set(0)
    await stages.recall()
    assert CANARY_LAST_SEEN.labels("remembered")._value.get() == START.timestamp()
