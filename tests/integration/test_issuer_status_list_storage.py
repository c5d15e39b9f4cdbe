"""Status lists on the real MongoDB: places given once, versions published, signed again in time."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import (
    StatusListPublished,
)
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.keys.encryption import KeyUnavailableError
from services.issuer.status import metrics
from services.issuer.status.repository import StatusListRepository
from tests.issuer_doubles import (
    NOW,
    evidence,
    received,
)
from tests.issuer_world import (
    FRESHNESS,
    BitsAsText,
    KilledError,
    World,
    closing,
    command,
)

pytestmark = pytest.mark.integration

LIST, SECOND_LIST = f"{int(NOW.timestamp())}-1", f"{int(NOW.timestamp())}-2"


async def test_a_list_left_unpublished_by_a_crash_is_published_by_the_repair(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    await closing(world).handle([command(held)])

    async def killed(outgoing: Sequence[Outgoing]) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        await world.publication(publish=killed).tick()
    lists = world.publication(lambda: NOW + timedelta(minutes=2))
    await lists.tick()
    last = world.published[-1].event
    assert isinstance(last, StatusListPublished)
    assert json.loads(last.credential) == [held["status_index"]]
    before = len(world.published)
    await lists.tick()
    assert len(world.published) == before, "nothing is left to repair"


async def test_a_list_that_kafka_did_not_take_is_published_at_the_next_tick(world: World) -> None:
    await one_list(world)
    await world.publication().changed([LIST], NOW)

    async def away(outgoing: Sequence[Outgoing]) -> None:
        raise KafkaConnectionError

    with pytest.raises(KafkaConnectionError):
        await world.publication(publish=away).tick()
    await world.publication().tick()
    assert [each.version for each in world.published_lists] == [1]


async def test_a_publisher_that_was_overtaken_sees_so_and_the_newest_version_is_the_last_record(world: World) -> None:
    await one_list(world)
    await world.publication().changed([LIST], NOW)

    async def late(outgoing: Sequence[Outgoing]) -> None:
        await world.publication().changed([LIST], NOW)
        # As after more than a minute, in which nobody heard of this publisher.
        await world.publication(lambda: NOW + timedelta(minutes=2)).tick()
        await world.publish(outgoing)

    await world.publication(publish=late).tick()
    assert [each.version for each in world.published_lists] == [2, 1]
    await world.publication().tick()
    assert [each.version for each in world.published_lists] == [2, 1, 2]


async def test_a_version_tells_since_when_its_revocations_are_waited_for_and_the_next_one_of_its_own_alone(
    world: World,
) -> None:
    await one_list(world)
    first, meanwhile = NOW - timedelta(seconds=3), NOW - timedelta(seconds=5)
    await world.publication().changed([LIST], NOW)
    await world.publication().changed([LIST], first)

    async def away(outgoing: Sequence[Outgoing]) -> None:
        raise KafkaConnectionError

    async def slow(outgoing: Sequence[Outgoing]) -> None:
        await world.publication().changed([LIST], meanwhile)
        await world.publish(outgoing)

    with pytest.raises(KafkaConnectionError):
        await world.publication(publish=away).tick()
    await world.publication(publish=slow).tick()
    await world.publication().tick()
    await world.publication(lambda: FRESHNESS.renewed_at(NOW)).renew()
    assert [each.revoked_since for each in world.published_lists] == [first, meanwhile, None]


@dataclass(frozen=True)
class ClockAt:
    """A clock that stands still."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment


async def one_list(world: World) -> None:
    await world.entries().allocate(1)
    world.published.clear()


async def two_lists(world: World) -> None:
    await world.entries(size=2).allocate(3)
    world.published.clear()


async def test_each_list_that_is_due_is_signed_again_once_by_several_processes_and_then_rests(world: World) -> None:
    await two_lists(world)
    due = FRESHNESS.renewed_at(NOW)
    await world.publication(lambda: due - timedelta(seconds=1)).renew()
    assert world.published == []
    await asyncio.gather(*(world.publication(lambda: due).renew() for _ in range(4)))
    assert sorted((each.list_id, each.version) for each in world.published_lists) == [(LIST, 1), (SECOND_LIST, 1)]
    assert {each.published_at for each in world.published_lists} == {due}
    await world.publication(lambda: due + timedelta(minutes=5)).renew()
    assert len(world.published) == 2


async def test_a_list_is_signed_again_on_a_schedule_that_no_change_moves(world: World) -> None:
    await one_list(world)
    due = FRESHNESS.renewed_at(NOW)
    for quarters in (1, 2, 3):
        await world.publication().changed([LIST], NOW)
        await world.publication(ClockAt(NOW + (due - NOW) * quarters / 4)).tick()
    world.published.clear()
    await world.publication(lambda: due).renew()
    assert [each.published_at for each in world.published_lists] == [due]
    assert FRESHNESS.renewed_at(due) - due == FRESHNESS.valid_for / 2


async def test_after_a_stop_beyond_every_end_all_lists_are_signed_again_at_once(world: World) -> None:
    await two_lists(world)
    long_after = NOW + 3 * FRESHNESS.valid_for
    await world.publication(lambda: long_after).renew()
    assert {each.list_id for each in world.published_lists} == {LIST, SECOND_LIST}
    assert metrics.STATUS_LISTS.overdue_seconds._value.get() == 0


async def test_a_list_that_cannot_be_signed_holds_up_no_other_and_is_tried_again(world: World) -> None:
    await two_lists(world)

    class Without(BitsAsText):
        async def status_list(self, list_id: str, *given: Any, **fresh: Any) -> str:
            if list_id == LIST:
                raise KeyUnavailableError("not available")
            return await super().status_list(list_id, *given, **fresh)

    due = FRESHNESS.renewed_at(NOW) + timedelta(hours=2)
    await world.publication(lambda: due, signer=Without()).renew()
    assert [each.list_id for each in world.published_lists] == [SECOND_LIST]
    assert metrics.STATUS_LISTS.overdue_seconds._value.get() == 7200, "what cannot be signed again shows in the metric"
    await world.publication(lambda: due + timedelta(minutes=2)).renew()
    assert [each.list_id for each in world.published_lists] == [SECOND_LIST, LIST]


async def test_a_process_killed_while_it_signs_a_list_again_leaves_it_to_the_repair(world: World) -> None:
    await one_list(world)

    async def killed(outgoing: Sequence[Outgoing]) -> None:
        raise KilledError

    due = FRESHNESS.renewed_at(NOW)
    with pytest.raises(KilledError):
        await world.publication(lambda: due, publish=killed).renew()
    await world.publication(lambda: due + timedelta(minutes=2)).tick()
    assert [(each.list_id, each.version) for each in world.published_lists] == [(LIST, 1)]


async def test_no_place_is_given_twice_also_when_a_list_is_full(world: World) -> None:
    workers = [world.entries(size=300) for _ in range(3)]
    taken = await asyncio.gather(*(workers[turn % 3].allocate(50) for turn in range(12)))
    places = [place for each in taken for place in each]
    assert len(set(places)) == len(places) == 600
    assert len({place.list_id for place in places}) >= 2
    assert all(0 <= place.index < 300 for place in places)


async def test_the_lists_of_all_issuers_are_one_and_a_block_of_entries_is_one_call(world: World) -> None:
    entries = world.entries()
    await entries.allocate(1)
    counters = [each["next"] for each in await world.stored("status_lists")]
    places = await entries.allocate(counters[0] - 1)
    assert {each.list_id for each in places} == {LIST}
    assert [each["next"] for each in await world.stored("status_lists")] == counters, "no call for any of these"
    assert sorted(each.index for each in places) != [each.index for each in places], "their order tells nothing"


async def test_a_new_epoch_is_later_than_any_seen_and_no_list_of_an_earlier_one_is_filled_further(world: World) -> None:
    used = world.entries()
    before = await used.allocate(300)
    epochs = world.epochs()
    first = await epochs.current()
    assert first == int(NOW.timestamp())
    begun = await asyncio.gather(*(epochs.begin_new(first + 40) for _ in range(3)))
    assert sorted(begun) == [first + 40, first + 41, first + 42]
    assert await epochs.current() == first + 42
    assert await world.epochs(ClockAt(NOW + timedelta(days=1))).begin_new(0) == first + 86_400
    after = [*await used.allocate(600), *await world.entries().allocate(10)]
    # What the process had taken before is its own.
    assert {each.list_id for each in after[300:]} == {f"{first + 86_400}-1"}
    assert len({*before, *after}) == 910


async def test_with_a_new_epoch_every_list_is_published_anew_in_it_also_if_that_was_killed_in_between(
    world: World,
) -> None:
    await two_lists(world)
    # Killed right after the epoch was recorded.
    await world.database["epoch"].update_one({"_id": "epoch"}, {"$inc": {"number": 7}})
    epoch = await world.epochs().current()
    await world.publication().tick()
    assert {(each.list_id, each.epoch) for each in world.published_lists} == {(LIST, epoch), (SECOND_LIST, epoch)}
    await world.publication().tick()
    assert len(world.published_lists) == 2


async def test_lists_that_a_restored_store_does_not_know_are_adopted_and_kept_up_and_filled_no_further(
    world: World,
) -> None:
    await world.entries(size=2).allocate(1)
    then = await world.stored("status_lists")
    await world.entries(size=2).allocate(2)
    for _ in range(3):
        await world.publication().changed([LIST], NOW)
        await world.publication().tick()
    published = {each.list_id: each for each in world.published_lists}
    await world.database["status_lists"].delete_many({})
    await world.database["status_lists"].insert_many(then)
    world.published.clear()

    lists = StatusListRepository(world.database)
    await lists.adopt(published.values(), size=2)
    await lists.adopt(published.values(), size=2)
    epoch = await world.epochs().begin_new(max(each.epoch for each in published.values()) + 1)
    entries = await world.entries().allocate(1)
    await world.publication().tick()
    again = {each.list_id: each for each in world.published_lists}
    assert entries[0].list_id == f"{epoch}-1"
    assert all(each.order < again[each.list_id].order for each in published.values())
    assert again.keys() == {LIST, SECOND_LIST, f"{epoch}-1"}
    due = FRESHNESS.renewed_at(NOW)
    world.published.clear()
    await world.publication(lambda: due).renew()
    assert {each.list_id for each in world.published_lists} == again.keys()


async def test_a_list_is_announced_before_any_credential_that_refers_to_it_is_recorded(world: World) -> None:
    order: list[str] = []

    class Decisions(MongoDecisions):
        async def record(self, *parts: Any) -> bool:
            order.extend(type(each.event).__name__ for each in world.published)
            order.append("recorded")
            return await super().record(*parts)

    decisions = Decisions(world.client, world.database, world.credentials)
    await world.worker(decisions=decisions).handle(received([evidence(1)]))
    assert order == ["StatusListPublished", "recorded"]
