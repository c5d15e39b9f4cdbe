"""The signed list of issuers on the real MongoDB: it follows the catalogue, also past a kill."""

import asyncio
import base64
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from libs.audit.log import AuditLog
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import (
    IssuerListPublished,
    IssuerPublished,
    Suspension,
)
from libs.contracts.reasons import SuspensionReason
from libs.openbadges.crypto.did import did_key
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.trust import Party, Registry, read_registry
from services.issuer.catalogue.repository import Catalogue
from services.issuer.catalogue.worker import CatalogueWorker
from services.issuer.mail_domains.repository import MailDomainRepository
from services.issuer.registry.publication import IssuerListPublication
from services.issuer.registry.repository import IssuerListRepository
from tests.issuer_doubles import (
    NOW,
    TRACE,
    issuer,
)
from tests.issuer_world import (
    FRESHNESS,
    KilledError,
    World,
)

pytestmark = pytest.mark.integration


LIST_KEY = Ed25519Key.from_seed(b"l" * 32)


@dataclass
class IssuerList:
    """The list of issuers of a catalogue, published by as many processes as are asked for."""

    world: World
    key: Ed25519Key = LIST_KEY

    def process(self, clock: Callable[[], datetime] = lambda: NOW, **changes: Any) -> IssuerListPublication:
        parts: dict[str, Any] = {
            "issuers": Catalogue(self.world.database),
            "key": self.key,
            "name": "badges.example",
            "audit": AuditLog(self.world.database),
            "publish": self.world.publish,
            "clock": clock,
            "freshness": FRESHNESS,
        }
        return IssuerListPublication(IssuerListRepository(self.world.database), **(parts | changes))

    async def arrive(self, *events: IssuerPublished) -> None:
        database = self.world.database
        changed = IssuerListRepository(database).changed
        worker = CatalogueWorker(Catalogue(database), MailDomainRepository(database), self.world.sweeps(), changed)
        await worker.handle([Received(event, event.key, TRACE) for event in events])

    @property
    def published(self) -> list[Registry]:
        """Every list that was published, as its readers read it."""
        events = [each.event for each in self.world.published if isinstance(each.event, IssuerListPublished)]
        signers = [did_key(self.key.public_multibase)]
        return [
            read_registry(zlib.decompress(base64.b64decode(each.compressed)), signers=signers, now=each.published_at)
            for each in events
        ]


def named(registry: Registry) -> dict[str, str]:
    return {did: party.name for did, (party,) in registry.parties.items()}


async def test_the_list_of_issuers_follows_the_catalogue_and_is_published_once_a_change(world: World) -> None:
    issuers = IssuerList(world)
    await issuers.process().tick()
    assert issuers.published[-1].parties == {}, "that nobody is registered is said too"
    school = issuer().model_copy(update={"registered_at": NOW - timedelta(days=9), "url": "https://wattle.example"})
    await issuers.arrive(school, issuer("banksia"))
    await asyncio.gather(*(issuers.process().tick() for _ in range(4)))
    assert named(issuers.published[-1]) == {issuer().did: issuer().name, issuer("banksia").did: issuer("banksia").name}
    (party,) = issuers.published[-1].parties[school.did]
    assert party == Party(school.did, school.name, school.url, begins=NOW - timedelta(days=9))
    before = len(issuers.published)
    await issuers.process().tick()
    assert len(issuers.published) == before, "without a change nothing is published"
    await issuers.arrive(school.model_copy(update={"version": 2, "name": "Wattle Hill"}))
    await issuers.process().tick()
    assert named(issuers.published[-1])[school.did] == "Wattle Hill"
    held = Suspension(reason=SuspensionReason.CLOSED, since=NOW)
    await issuers.arrive(school.model_copy(update={"version": 3, "suspension": held}))
    await issuers.process().tick()
    (party,) = issuers.published[-1].parties[school.did]
    assert (party.begins, party.ends) == (NOW - timedelta(days=9), NOW)
    assert party.suspension is not None
    assert party.suspension.reason == "closed"


@pytest.mark.parametrize("delivered_again", [False, True])
async def test_a_change_whose_publisher_was_killed_is_in_the_next_list(world: World, *, delivered_again: bool) -> None:
    issuers = IssuerList(world)
    await issuers.process().tick()

    async def killed(outgoing: Sequence[Outgoing] = ()) -> None:
        raise KilledError

    if delivered_again:
        domains = MailDomainRepository(world.database)
        worker = CatalogueWorker(Catalogue(world.database), domains, world.sweeps(), killed)
        with pytest.raises(KilledError):
            await worker.handle([Received(issuer(), issuer().key, TRACE)])
    await issuers.arrive(issuer())
    with pytest.raises(KilledError):
        await issuers.process(publish=killed).tick()
    await issuers.process(lambda: NOW + timedelta(minutes=2)).tick()
    assert issuer().did in issuers.published[-1].parties
    assert [each["publishing"] for each in await world.stored("issuer_list")] == [[]]


async def test_an_issuer_that_comes_while_the_list_is_signed_is_in_the_list_after_it(world: World) -> None:
    issuers = IssuerList(world)

    async def meanwhile(outgoing: Sequence[Outgoing]) -> None:
        first = not issuers.published
        await world.publish(outgoing)
        if first:
            await issuers.arrive(issuer())

    await issuers.process(publish=meanwhile).tick()
    await issuers.process().tick()
    assert [issuer().did in each.parties for each in issuers.published] == [False, True]


async def test_the_list_is_signed_again_in_time_and_at_once_under_another_key(world: World) -> None:
    issuers = IssuerList(world)
    await issuers.process().tick()
    due = FRESHNESS.renewed_at(NOW)
    await asyncio.gather(*(issuers.process(lambda: due).renew() for _ in range(4)))
    assert [each.signed_at for each in issuers.published] == [NOW, due]
    other = IssuerList(world, Ed25519Key.from_seed(b"m" * 32))
    world.published.clear()
    await other.process(lambda: due).tick()
    await other.process(lambda: due).tick()
    assert [each.signed_at for each in other.published] == [due]
