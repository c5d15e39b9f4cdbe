"""What an audit log lacks, since its database was set back, is added to it again, once, and the chain holds."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from pymongo.errors import BulkWriteError

from libs.audit.copies import AuditCopies, Reader
from libs.audit.entry import Action, Cause, Entry
from libs.audit.log import AuditLog
from libs.audit.stored_form import recorded_of
from libs.common.topic_reading import Ends
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import AuditEntryCopied, Event
from libs.contracts.topics import AUDIT_ENTRIES
from tests.positions_in_memory import MemoryPositions

NOW = datetime(2026, 3, 2, 9, 30, 0, 123_456, tzinfo=UTC)
OFFICE = Cause("key:wattle/Office", "0af7651916cd43dd8448eb211c80319c", "3f2a" * 4, "192.0.2.7")
PLACE = TopicPartition(AUDIT_ENTRIES["issuer"].name, 0)


def revoked(number: int) -> Entry:
    return Entry(Action.CREDENTIAL_REVOKED, OFFICE, ("wattle",), f"credential {number}", "other", {"request": number})


class Found:
    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self._documents = documents

    def batch_size(self, _size: int) -> "Found":
        return self

    async def to_list(self, _length: int | None) -> list[dict[str, Any]]:
        return self._documents

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for each in self._documents:
            yield each


class Stored:
    """The calls that a log makes of its collection, over a dict."""

    def __init__(self) -> None:
        self.documents: dict[int, dict[str, Any]] = {}

    async def find_one(self, sort: object) -> dict[str, Any] | None:
        return self.documents[max(self.documents)] if self.documents else None

    async def insert_many(self, documents: Sequence[Mapping[str, Any]], ordered: bool) -> None:
        for number, each in enumerate(documents):
            if each["_id"] in self.documents:
                errors = [{"index": number, "code": 11000}]
                raise BulkWriteError({"writeErrors": errors, "writeConcernErrors": [], "nInserted": number})
            self.documents[each["_id"]] = dict(each)

    def find(self, query: Mapping[str, Any] | None = None, *, sort: object, limit: int = 0) -> Found:
        if query and "at" in query:
            before = [each for each in self.documents.values() if each["at"] < query["at"]["$lt"]]
            return Found(before[-1:])
        asked = (query or {}).get("_id", {})
        low, high = max(asked.get("$gt", -1) + 1, asked.get("$gte", 0)), asked.get("$lt", 10**9)
        return Found([self.documents[each] for each in sorted(self.documents) if low <= each < high][: limit or None])


class World:
    """A database that can be set back, and a topic that cannot."""

    def __init__(self) -> None:
        self.stored = Stored()
        self.positions = MemoryPositions()
        self.topic: list[AuditEntryCopied] = []
        self.now = NOW
        self.ids = {PLACE.topic: "first"}
        self.away: BaseException | None = None
        self.start()

    def start(self) -> None:
        """Begin a process anew."""
        self.log = AuditLog({"audit": self.stored}, clock=lambda: self.now)  # type: ignore[arg-type]  # a fake
        self.copies = self.of(self.log)

    def another(self) -> AuditCopies:
        """Return those of another replica."""
        return self.of(AuditLog({"audit": self.stored}, clock=lambda: self.now))  # type: ignore[arg-type]  # a fake

    def of(self, log: AuditLog) -> AuditCopies:
        """Return those of this log."""
        copies = AuditCopies(
            "issuer", log, self.positions, reading=self.reading, publish=self.publish, clock=lambda: self.now
        )
        log.copied_by(copies.copy)
        return copies

    def backup(self) -> tuple[Stored, MemoryPositions]:
        return deepcopy((self.stored, self.positions))

    def restore(self, kept: tuple[Stored, MemoryPositions]) -> None:
        self.stored, self.positions = deepcopy(kept)
        self.start()

    def reading(self) -> AbstractAsyncContextManager[Reader]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Reader]:
            yield self

        return opened()

    async def ends(self) -> Ends:
        return {PLACE: len(self.topic)}

    async def events(self, since: Mapping[TopicPartition, int], ends: Ends) -> AsyncIterator[list[Event]]:
        for offset in range(since.get(PLACE, 0), ends[PLACE], 2):
            yield list(self.topic[offset : min(offset + 2, ends[PLACE])])

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        if self.away is not None:
            raise self.away
        for each in outgoing:
            assert isinstance(each.event, AuditEntryCopied)
            self.topic.append(AuditEntryCopied.model_validate_json(each.event.model_dump_json()))

    def subjects(self) -> list[str]:
        return [each["subject"] for _, each in sorted(self.stored.documents.items())]


async def tick(copies: AuditCopies) -> None:
    while not await copies.tick():
        pass


@pytest.fixture
def world() -> World:
    return World()


async def test_what_was_written_since_a_backup_is_added_at_the_end_with_its_first_hash_and_time(
    world: World,
) -> None:
    await world.log.record(revoked(1))
    await tick(world.copies)
    kept = world.backup()
    await world.log.record(revoked(2), revoked(3))
    await tick(world.copies)
    lost = recorded_of(world.stored.documents[2])
    world.restore(kept)
    await world.log.record(revoked(4))
    await tick(world.copies)
    assert world.subjects() == ["credential 1", "credential 4", "credential 2", "credential 3"]
    again = recorded_of(world.stored.documents[3])
    assert again.entry.details == {
        "request": 2,
        "recorded_as": lost.hash,
        "recorded_at": lost.at.isoformat(),
    }
    assert (again.entry.cause, again.entry.tenants, again.entry.reason) == (OFFICE, ("wattle",), "other")
    assert (await world.log.check()).broken_at is None


async def test_an_entry_is_copied_before_what_it_speaks_of_is_done_so_that_none_is_lost_with_the_database(
    world: World,
) -> None:
    await tick(world.copies)
    kept = world.backup()
    await world.log.record(revoked(1), revoked(2))
    world.restore(kept)
    await tick(world.copies)
    assert world.subjects() == ["credential 1", "credential 2"]


async def test_an_entry_that_is_copied_at_once_is_copied_once(world: World) -> None:
    await tick(world.copies)
    for number in range(1, 4):
        await world.log.record(revoked(number))
        assert len(world.topic) == number
        await tick(world.copies)
    assert [each.sequence for each in world.topic] == [1, 2, 3]


@pytest.mark.parametrize("away", [KafkaConnectionError(), TimeoutError()])
async def test_nothing_waits_for_a_broker_that_is_away_and_what_was_recorded_is_copied_when_it_is_back(
    world: World, away: Exception
) -> None:
    await tick(world.copies)
    world.away = away
    await world.log.record(revoked(1))
    world.away = AssertionError("asked again before it has answered")
    await world.log.record(revoked(2))
    assert not world.topic
    world.away = None
    await tick(world.copies)
    await world.log.record(revoked(3))
    assert [each.subject for each in world.topic] == [f"credential {each}" for each in (1, 2, 3)]


async def test_a_start_without_a_set_back_adds_nothing(world: World) -> None:
    for number in range(5):
        await world.log.record(revoked(number))
        await tick(world.copies)
        world.start()
        await tick(world.copies)
    assert len(world.stored.documents) == 5
    assert [each.sequence for each in world.topic] == [1, 2, 3, 4, 5]


async def test_wherever_it_is_set_back_and_however_often_each_entry_is_there_once(world: World) -> None:
    moments, number = [world.backup()], 0
    for back in (0, 2, 1, 4, 3, 0, 6):
        for _ in range(3):
            number += 1
            await world.log.record(revoked(number))
            await tick(world.copies)
            moments.append(world.backup())
        world.restore(moments[back])
        number += 1
        await world.log.record(revoked(number))
        await tick(world.copies)
        assert sorted(world.subjects()) == sorted(f"credential {each}" for each in range(1, number + 1))
        assert (await world.log.check()).broken_at is None


async def test_two_replicas_that_start_at_once_add_each_entry_once(world: World) -> None:
    await world.log.record(revoked(1))
    kept = world.backup()
    await world.log.record(*map(revoked, range(2, 8)))
    await tick(world.copies)
    world.restore(kept)
    other = world.another()
    await tick(world.copies)
    await tick(other)
    assert sorted(world.subjects()) == [f"credential {each}" for each in range(1, 8)]


async def test_a_copy_that_was_changed_on_the_topic_is_not_added(world: World) -> None:
    kept = world.backup()
    await world.log.record(revoked(1), revoked(2))
    await tick(world.copies)
    world.topic[0] = world.topic[0].model_copy(update={"principal": "key:wattle/Other"})
    world.restore(kept)
    await tick(world.copies)
    assert world.subjects() == ["credential 2"]


async def test_an_entry_that_cannot_be_read_holds_up_no_other(world: World) -> None:
    await world.log.record(revoked(1), revoked(2))
    world.stored.documents[1]["details"] = "{"
    await tick(world.copies)
    assert [each.subject for each in world.topic] == ["credential 2"]


@pytest.mark.parametrize("grown", [0, 3])
async def test_a_topic_that_was_made_anew_gets_again_what_it_keeps(world: World, grown: int) -> None:
    await world.log.record(revoked(1))
    world.now = NOW + timedelta(days=10)
    await world.log.record(revoked(2), revoked(3))
    await tick(world.copies)
    world.start()
    await tick(world.copies)
    world.topic[:] = world.topic[:grown]
    world.ids = {PLACE.topic: "second"}
    world.now = NOW + timedelta(days=20)
    world.start()
    await tick(world.copies)
    assert [each.sequence for each in world.topic[grown:]] == [2, 3]
    assert len(world.stored.documents) == 3
