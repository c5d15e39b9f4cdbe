"""Status lists on the real MongoDB: places given once, versions published, signed again in time."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import (
    StatusListPublished,
)
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.keys.encryption import KeyUnavailableError
from services.issuer.status import metrics
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


async def test_a_list_left_unpublished_by_a_crash_is_published_by_the_repair(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")

    async def killed(outgoing: Sequence[Outgoing]) -> None:
        raise KilledError

    world.publish, working = killed, world.publish  # type: ignore[method-assign]  # the process dies while publishing
    with pytest.raises(KilledError):
        await closing(world).handle([command(held)])
    world.publish = working  # type: ignore[method-assign]  # as above
    lists = world.publication(lambda: NOW + timedelta(minutes=2))
    await lists.repair()
    last = world.published[-1].event
    assert isinstance(last, StatusListPublished)
    assert json.loads(last.credential) == [held["status_index"]]
    before = len(world.published)
    await lists.repair()
    assert len(world.published) == before, "nothing is left to repair"


async def issuers_with_lists(world: World, *issuers: str) -> None:
    for each in issuers:
        await world.entries().allocate(each, 1)
    world.published.clear()


async def test_each_list_that_is_due_is_signed_again_once_by_several_processes_and_then_rests(world: World) -> None:
    await issuers_with_lists(world, "wattle", "banksia", "myrtle")
    almost, due = NOW + FRESHNESS.renewed_after - timedelta(seconds=1), NOW + FRESHNESS.renewed_after
    await world.publication(lambda: almost).renew()
    assert world.published == []
    await asyncio.gather(*(world.publication(lambda: due).renew() for _ in range(4)))
    assert sorted((each.list_id, each.version) for each in world.published_lists) == [
        ("banksia-1", 1),
        ("myrtle-1", 1),
        ("wattle-1", 1),
    ]
    assert {each.published_at for each in world.published_lists} == {due}
    await world.publication(lambda: due + timedelta(minutes=5)).renew()
    assert len(world.published) == 3


async def test_after_a_stop_beyond_every_end_all_lists_are_signed_again_at_once(world: World) -> None:
    await issuers_with_lists(world, "wattle", "banksia")
    long_after = NOW + 3 * FRESHNESS.valid_for
    await world.publication(lambda: long_after).renew()
    assert {each.list_id for each in world.published_lists} == {"wattle-1", "banksia-1"}
    assert metrics.STATUS_LISTS.overdue_seconds._value.get() == 0


async def test_a_list_whose_key_is_not_available_holds_up_no_other_and_is_tried_again(world: World) -> None:
    await issuers_with_lists(world, "wattle", "banksia")

    class WithoutWattle(BitsAsText):
        async def status_list(self, issuer_id: str, *given: Any, **fresh: Any) -> str:
            if issuer_id == "wattle":
                raise KeyUnavailableError("not available")
            return await super().status_list(issuer_id, *given, **fresh)

    due = NOW + FRESHNESS.renewed_after + timedelta(hours=2)
    await world.publication(lambda: due, signer=WithoutWattle()).renew()
    assert [each.list_id for each in world.published_lists] == ["banksia-1"]
    assert metrics.STATUS_LISTS.overdue_seconds._value.get() == 7200, "what cannot be signed again shows in the metric"
    await world.publication(lambda: due + timedelta(minutes=2)).renew()
    assert [each.list_id for each in world.published_lists] == ["banksia-1", "wattle-1"]


async def test_a_process_killed_while_it_signs_a_list_again_leaves_it_to_the_repair(world: World) -> None:
    await issuers_with_lists(world, "wattle")

    async def killed(outgoing: Sequence[Outgoing]) -> None:
        raise KilledError

    due = NOW + FRESHNESS.renewed_after
    with pytest.raises(KilledError):
        await world.publication(lambda: due, publish=killed).renew()
    await world.publication(lambda: due + timedelta(minutes=2)).repair()
    assert [(each.list_id, each.version) for each in world.published_lists] == [("wattle-1", 1)]


async def test_no_place_is_given_twice_also_when_a_list_is_full(world: World) -> None:
    workers = [world.entries(size=300) for _ in range(3)]
    taken = await asyncio.gather(*(workers[turn % 3].allocate("wattle", 50) for turn in range(12)))
    places = [place for each in taken for place in each]
    assert len(set(places)) == len(places) == 600
    assert len({place.list_id for place in places}) >= 2
    assert all(0 <= place.index < 300 for place in places)


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
