"""How long a signed list has waited to be published or signed again is seen, also while that fails."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from libs.audit.entry import Action, Entry
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import Event
from services.issuer.renewal import publication
from services.issuer.renewal.metrics import RenewalMetrics
from services.issuer.renewal.publication import Freshness, Publication, Signed

SIGNED_AT = datetime(2026, 10, 1, tzinfo=UTC)


class Documents:
    """Versioned documents, of which `changed` are not published, and all were signed at `SIGNED_AT`."""

    def __init__(self) -> None:
        self.changed: list[str] = []
        self.at_work: asyncio.Queue[tuple[str, datetime]] = asyncio.Queue()

    async def oldest(self) -> datetime:
        return SIGNED_AT

    async def claim_due(self, *_: object) -> str:
        return "a"

    async def unfinished(self, _: datetime) -> list[str]:
        return list(self.changed)

    async def begin(self, *_: object) -> object:
        return object()

    async def go_on(self, document_id: str, _: str, now: datetime) -> None:
        self.at_work.put_nowait((document_id, now))

    async def give_up(self, *_: object) -> None:
        return

    async def finish(self, *_: object, **__: object) -> None:
        self.changed.pop(0)

    async def forget_publishers(self, *_: object) -> None:
        return


class Lists(Publication[Any]):
    """The publication of lists that say nothing."""

    async def _sign(self, current: Any, now: datetime) -> Signed:
        return Signed(Event.model_construct(), "", {})


class World:
    """A publication at a time that the test sets, over a broker that may fail."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.now = datetime(2026, 10, 12, tzinfo=UTC)
        self.fails = False
        self.slow: asyncio.Event | None = None
        self.documents = Documents()
        self.metrics = RenewalMetrics(
            published=Counter("published", "published", registry=registry),
            renewed=Counter("renewed", "renewed", registry=registry),
            oldest_seconds=Gauge("oldest", "oldest", registry=registry),
            overdue_seconds=Gauge("overdue", "overdue", registry=registry),
            unpublished_seconds=Gauge("unpublished", "unpublished", registry=registry),
        )
        self.lists = Lists(
            self.documents,  # type: ignore[arg-type]  # what `repair` asks of them
            action=Action.STATUS_LIST_SIGNED,
            audit=self,
            publish=self._publish,
            clock=lambda: self.now,
            freshness=Freshness(timedelta(days=7), timedelta(minutes=1)),
            metrics=self.metrics,
        )

    async def record(self, *_: Entry) -> None:
        return

    async def _publish(self, _: Sequence[Outgoing]) -> None:
        if self.slow is not None:
            await self.slow.wait()
        if self.fails:
            raise ConnectionError

    async def repair(self, later: float) -> float:
        """Look again after so many seconds; return how long a change has waited by then."""
        self.now += timedelta(seconds=later)
        try:
            await self.lists.repair()
        except ConnectionError:
            assert self.fails
        return float(self.metrics.unpublished_seconds._value.get())


@pytest.fixture
def world() -> World:
    return World()


async def test_a_change_that_cannot_be_published_is_seen_to_wait_and_is_forgotten_when_it_was(world: World) -> None:
    world.documents.changed, world.fails = ["a"], True
    assert [await world.repair(30) for _ in range(3)] == [0, 30, 60]
    world.fails = False
    await world.repair(30)
    assert await world.repair(1) == 0


async def test_a_list_that_changes_all_the_time_and_is_published_each_time_does_not_count_as_waiting(
    world: World,
) -> None:
    for _ in range(5):
        world.documents.changed = ["a"]
        assert await world.repair(60) == 0


async def test_how_long_a_list_should_have_been_signed_again_is_seen_while_signing_it_fails(world: World) -> None:
    world.fails = True
    with pytest.raises(ConnectionError):
        await world.lists.renew()
    due_at = world.lists._freshness.renewed_at(SIGNED_AT)
    assert world.metrics.overdue_seconds._value.get() == (world.now - due_at).total_seconds() > 0


async def test_who_takes_long_to_publish_says_that_it_is_at_work_so_that_nobody_takes_it_for_killed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "_PUBLISHER_BEAT_SECONDS", 0)
    noted = world.slow = asyncio.Event()
    world.documents.changed = ["a"]
    publishing = asyncio.create_task(world.lists.publish("a"))
    assert await world.documents.at_work.get() == ("a", world.now)
    noted.set()
    await publishing
    assert not world.documents.changed
