"""A verifier whose database is of an earlier moment serves nothing of it until it has caught up; others always do."""

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition

from libs.common.fence import WentBackError
from libs.common.positions import Position
from libs.contracts import topics
from services.verifier.material import catching_up
from services.verifier.material.catching_up import CONSUMED, CatchingUp, StaleError
from services.verifier.material.lookup import PublicRecords
from services.verifier.material.repository import Repository
from tests.brokers_in_memory import MOMENT, Brokers
from tests.positions_in_memory import MemoryPositions

CATALOGUE, LISTS, DOCUMENTS = (
    TopicPartition(topic.name, 0) for topic in (topics.CATALOGUE, topics.STATUS_LISTS, topics.CREDENTIAL_DOCUMENTS)
)
RECORDS = {CATALOGUE: range(3), LISTS: range(2), DOCUMENTS: range(10)}


class Fence:
    """When the database was last used, and whether somebody left word that it went back."""

    def __init__(self, last_used: datetime | None) -> None:
        self.last_used = last_used
        self.is_noted = False
        self.went_back = False

    async def prove(self) -> None:
        if self.went_back:
            raise WentBackError

    async def last_raised(self) -> datetime | None:
        return self.last_used

    async def noted(self) -> bool:
        return self.is_noted

    async def note(self) -> None:
        self.is_noted = True

    async def forget_note(self) -> None:
        self.is_noted = False


class World:
    """Topics with records, and a database whose consumers have come to the places that a test says."""

    def __init__(
        self, *, used_ago: timedelta | None, records: Mapping[TopicPartition, Sequence[int]] = RECORDS
    ) -> None:
        self.brokers = Brokers(records, {tp: len(each) for tp, each in RECORDS.items()})
        self.brokers.topics.known = {tp.topic: "this" for tp in RECORDS}
        self.fence = Fence(None if used_ago is None else MOMENT - used_ago)
        self.positions = MemoryPositions()

    def process(self) -> CatchingUp:
        parts: dict[str, Any] = {"fence": self.fence, "kafka": self.brokers, "positions": self.positions}
        return CatchingUp(**parts, service="verifier", clock=lambda: MOMENT, proved_seconds=0)

    async def started(self) -> CatchingUp:
        """Return what a process has that came to its consumers."""
        process = self.process()
        await process.judge()
        await process.take_ends()
        return process

    def come_to(self, *places: tuple[TopicPartition, int], topic_id: str = "this") -> None:
        for tp, offset in places:
            groups = [f"verifier-{name}" for name, topic in CONSUMED.items() if topic.name == tp.topic]
            self.positions.kept |= {(group, tp): Position(offset, topic_id=topic_id) for group in groups}


async def is_served(process: CatchingUp) -> bool:
    try:
        await process.require()
    except StaleError:
        return False
    return True


async def test_a_process_that_starts_again_serves_at_once_and_asks_no_broker() -> None:
    world = World(used_ago=timedelta(seconds=3))
    world.brokers.reader = None  # type: ignore[method-assign,assignment]  # Kafka is away
    process = await world.started()
    assert await is_served(process)
    assert await process.probe() is None
    await process.tick()
    assert not world.fence.is_noted


async def test_the_first_request_waits_until_the_database_was_asked() -> None:
    process = World(used_ago=timedelta(seconds=3)).process()
    asked = asyncio.create_task(is_served(process))
    await asyncio.sleep(0)
    await process.judge()
    assert await asked


async def test_nothing_is_served_while_nobody_knows_of_which_moment_the_database_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catching_up, "_PATIENCE_SECONDS", 0.01)
    assert not await is_served(World(used_ago=timedelta()).process())


@pytest.mark.parametrize("used_ago", [None, timedelta(hours=6)])
async def test_a_database_that_was_set_back_is_served_once_it_has_what_stood_there_at_the_start(
    used_ago: timedelta | None,
) -> None:
    world = World(used_ago=used_ago)
    world.come_to((CATALOGUE, 1), (DOCUMENTS, 4))
    process = await world.started()
    assert not await is_served(process)
    assert await process.probe()
    world.brokers.at_end[DOCUMENTS] = 900  # what comes meanwhile is read as ever
    world.come_to((CATALOGUE, 3), (LISTS, 2), (DOCUMENTS, 9))
    await process.tick()
    assert not await is_served(process)
    world.come_to((DOCUMENTS, 10))
    await process.tick()
    assert await is_served(process)
    assert not world.fence.is_noted


async def test_a_service_that_stood_still_for_long_and_missed_nothing_serves_before_its_consumers_run() -> None:
    world = World(used_ago=timedelta(days=2))
    world.come_to((CATALOGUE, 3), (LISTS, 2), (DOCUMENTS, 10))
    assert await is_served(await world.started())
    assert await is_served(await World(used_ago=None, records={}).started()), "a first start, with empty topics"


async def test_a_process_that_starts_while_another_one_catches_up_waits_too() -> None:
    world = World(used_ago=timedelta(hours=6))
    first = await world.started()
    world.fence.last_used = MOMENT  # by that one
    second = await world.started()
    assert not await is_served(second)
    world.come_to((CATALOGUE, 3), (LISTS, 2), (DOCUMENTS, 10))
    await first.tick()
    await second.tick()
    assert await is_served(first)
    assert await is_served(second)


async def test_positions_in_a_topic_that_is_gone_count_for_nothing() -> None:
    world = World(used_ago=timedelta(hours=6))
    world.come_to((CATALOGUE, 300), (LISTS, 200), (DOCUMENTS, 1000), topic_id="before")
    process = await world.started()
    await process.tick()
    assert not await is_served(process)


async def test_what_brokers_have_lost_before_the_end_is_not_waited_for_for_ever() -> None:
    world = World(used_ago=timedelta(hours=6), records={**RECORDS, DOCUMENTS: range(7)})
    process = await world.started()
    world.come_to((CATALOGUE, 3), (LISTS, 2), (DOCUMENTS, 7))
    await process.tick()
    assert not await is_served(process)
    for _ in range(catching_up._STILL):
        await process.tick()
    assert await is_served(process)


async def test_nothing_is_served_of_a_database_that_is_put_back_beneath_a_process_before_that_ends_for_it() -> None:
    world = World(used_ago=timedelta(seconds=3))
    process = await world.started()
    assert await is_served(process)
    world.fence.went_back = True
    assert not await is_served(process)


READS = sorted(name for name, each in inspect.getmembers(PublicRecords, inspect.isfunction) if not name.startswith("_"))


@pytest.mark.parametrize("name", READS)
async def test_nothing_of_a_stale_database_is_read_for_others(name: str) -> None:
    async def stale() -> None:
        raise StaleError

    database: Any = defaultdict(lambda: None)
    read = getattr(Repository(database, stale), name)
    needed = [each for each in inspect.signature(read).parameters.values() if each.default is inspect.Parameter.empty]
    with pytest.raises(StaleError):
        await read(*needed)
