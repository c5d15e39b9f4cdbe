"""Each version of a list is in the audit log, with the digest of what was signed, before anybody can have it."""

import base64
import hashlib
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from libs.audit.entry import Action, Entry
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import Event, IssuerListPublished, IssuerPublished, StatusListPublished
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.status.bitstring import StatusList
from services.issuer.registry.publication import IssuerListPublication
from services.issuer.renewal.publication import Freshness, Publication
from services.issuer.renewal.repository import Versioned
from services.issuer.status.publication import StatusListPublication
from services.issuer.status.repository import StoredList
from services.issuer.status.signer import StatusListSigner
from services.issuer.urls import Urls
from tests.issuer_doubles import NOW, issuer
from tests.unit.test_issuer_credentials import BASE, OneAuthority

FRESHNESS = Freshness(timedelta(days=7), timedelta(minutes=1))


class World:
    """Notes in their order what is recorded and published; the log can be away. Stands for the stores of a list too."""

    def __init__(self, current: Versioned, *, away: bool = False) -> None:
        self.done: list[Entry | Event] = []
        self.finished: list[int] = []
        self._current = current
        self._away = away

    async def record(self, *entries: Entry) -> None:
        if self._away:
            raise AutoReconnect("the log is away")
        self.done += entries

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        self.done += [each.event for each in outgoing]

    async def begin(self, *_: object) -> Versioned:
        return self._current

    async def give_up(self, *_: object) -> None:
        return

    async def finish(self, current: Versioned, *_: object, **__: object) -> None:
        self.finished.append(current.version)

    async def revoked_indexes(self, _list_id: str) -> list[int]:
        return [3, 5]

    async def misplaced(self, _list_id: str, _indexes: Iterable[int]) -> set[int]:
        return set()

    async def keep_set(self, _list_id: str, entries: Iterable[int]) -> StatusList:
        bits = StatusList()
        for each in entries:
            bits.set(each)
        return bits

    async def everybody(self) -> AsyncIterator[Sequence[IssuerPublished]]:
        yield [issuer()]


def clock() -> datetime:
    return NOW


def status_lists(*, away: bool = False) -> tuple[World, Publication[Any]]:
    current = StoredList(id="17-1", version=4, purpose="revocation", epoch=17)
    world: Any = World(current, away=away)
    parts: dict[str, Any] = {"revoked": world, "audit": world, "publish": world.publish, "freshness": FRESHNESS}
    signer = StatusListSigner(OneAuthority(), Urls(BASE))
    return world, StatusListPublication(world, world, signer=signer, clock=clock, **parts)


def issuer_list(*, away: bool = False) -> tuple[World, Publication[Any]]:
    world: Any = World(Versioned(id="issuers", version=7), away=away)
    parts: dict[str, Any] = {"issuers": world, "audit": world, "publish": world.publish, "freshness": FRESHNESS}
    key = Ed25519Key.from_seed(b"l" * 32)
    return world, IssuerListPublication(world, key=key, name="badges.example", clock=clock, **parts)


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


async def test_a_version_of_a_status_list_is_recorded_with_its_digest_and_then_published() -> None:
    world, lists = status_lists()
    await lists.publish("17-1")
    entry, event = world.done
    assert isinstance(entry, Entry)
    assert isinstance(event, StatusListPublished)
    assert (entry.action, entry.subject) == (Action.STATUS_LIST_SIGNED, "list 17-1")
    assert (entry.cause.principal, entry.tenants) == ("service:issuer", ("authority",))
    assert entry.details == {"epoch": 17, "version": 4, "sha256": digest(event.credential.encode())}
    assert world.finished == [4]


async def test_a_version_of_the_issuer_list_is_recorded_with_its_digest_and_then_published() -> None:
    world, lists = issuer_list()
    await lists.publish("issuers")
    entry, event = world.done
    assert isinstance(entry, Entry)
    assert isinstance(event, IssuerListPublished)
    assert (entry.action, entry.subject) == (Action.ISSUER_LIST_SIGNED, "list issuers")
    served = zlib.decompress(base64.b64decode(event.compressed))
    assert entry.details == {"version": 7, "sha256": digest(served)}


@pytest.mark.parametrize("of", [status_lists, issuer_list])
async def test_a_list_that_cannot_be_recorded_is_not_published(of: Any) -> None:
    world, lists = of(away=True)
    with pytest.raises(AutoReconnect):
        await lists.publish("issuers")
    assert world.done == []
    assert world.finished == []
