"""The last use of a key: known to the hour, told once an hour, and not lost where it cannot be told at once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from libs.access.key_use import KeyUse, UseWorker
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import ApiKeyUsed
from tests.issuer_doubles import TRACE

KEY, OTHER = "ab" * 32, "cd" * 32
HOUR = datetime(2026, 3, 2, 9, tzinfo=UTC)


class World:
    """A clock, and a topic that may be away."""

    def __init__(self) -> None:
        self.now = HOUR + timedelta(minutes=30, seconds=7)
        self.away = False
        self.told: list[ApiKeyUsed] = []

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        if self.away:
            raise ConnectionError("away")
        self.told += [each.event for each in outgoing if isinstance(each.event, ApiKeyUsed)]

    @property
    def use(self) -> KeyUse:
        return KeyUse("evidence", self.publish, now=lambda: self.now)


async def test_a_key_is_told_once_an_hour_with_the_hour_alone() -> None:
    world = World()
    use = world.use
    for _ in range(100):
        use.note(KEY)
    use.note(OTHER)
    await use.publish()
    use.note(KEY)
    await use.publish()
    assert [(each.key_sha256, each.hour) for each in world.told] == [(KEY, HOUR), (OTHER, HOUR)]
    world.now += timedelta(minutes=30)
    use.note(KEY)
    await use.publish()
    assert (world.told[-1].key_sha256, world.told[-1].hour) == (KEY, HOUR + timedelta(hours=1))


async def test_what_could_not_be_told_is_told_later() -> None:
    world = World()
    use = world.use
    use.note(KEY)
    world.away = True
    with pytest.raises(ConnectionError):
        await use.publish()
    world.away = False
    use.note(KEY)
    await use.publish()
    assert [each.hour for each in world.told] == [HOUR]


async def test_the_issuer_service_notes_each_hour_that_it_is_told() -> None:
    noted: list[tuple[str, datetime]] = []

    class Repository:
        async def used(self, hours: Sequence[tuple[str, datetime]]) -> None:
            noted.extend(hours)

    event = ApiKeyUsed(key_sha256=KEY, service="evidence", hour=HOUR)
    worker = UseWorker(Repository())  # type: ignore[arg-type]  # a fake
    assert await worker.handle([Received(event, event.key, TRACE), Received(None, event.key, TRACE)]) == []
    assert noted == [(KEY, HOUR)]
