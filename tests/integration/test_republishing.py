"""What Kafka lost before it was applied is published again from the stores, and has its effect once."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from bowerbird.auditing.stores import StoreChecks
from bowerbird.publications import Publications
from libs.audit.entry import Cause
from libs.audit.log import AuditLog
from libs.common.arrivals import Arrivals
from libs.common.damage import Damage
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import (
    AUTHORITY_ID,
    AuthorityPublished,
    CredentialDocument,
    Event,
    IssuerPublished,
    MailDomainsSet,
    OrganisationPublished,
)
from libs.contracts.organisations import OrganisationKind
from libs.contracts.reasons import WithdrawalReason
from libs.contracts.results import SoloLevel
from services.issuer.catalogue.repository import Catalogue
from services.issuer.catalogue.worker import CatalogueFact, CatalogueWorker
from services.issuer.credentials.announcements import Announcer
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.withdrawal_requests import WithdrawalRequests
from services.issuer.decisions.withdrawals import Withdrawals
from services.issuer.mail_domains.repository import MailDomainRepository
from services.issuer.registry.repository import IssuerListRepository
from tests.evidence_doubles import CONTACT_SEALING
from tests.ids import COMMANDS, IDS, PROOFS, SEALING
from tests.issuer_doubles import NOW, TRACE, MemoryCatalogue, achievement, evidence, issuer, received, ruled
from tests.issuer_world import URLS, World, closing, command, take_down

pytestmark = pytest.mark.integration

CREDENTIALS = "credentials, with what partners read"
WITHDRAWALS, REVOKED = "withdrawals of evidence that are not done", "revoked badges, for what stacked on them"
HELD = "held badges, for what was published above them"
CAUSE = Cause("key:wattle/Office", TRACE)
DIPLOMA = ruled("diploma", {"type": "holds", "achievement": "wattle/resilience"}, revoked_with_holdings=True)


def organisation(version: int) -> OrganisationPublished:
    return OrganisationPublished(
        organisation_id="north",
        version=version,
        kind=OrganisationKind.REGION,
        name=f"North {version}",
        registered_at=NOW,
        published_at=NOW,
    )


def authority(version: int) -> AuthorityPublished:
    return AuthorityPublished(
        authority_id=AUTHORITY_ID, version=version, did="did:web:x.example", did_document="{}", published_at=NOW
    )


def school(version: int) -> IssuerPublished:
    return issuer().model_copy(update={"version": version})


def domains(version: int) -> MailDomainsSet:
    return MailDomainsSet(
        issuer_id="wattle", domains=(f"v{version}.example",), changed_at=NOW + timedelta(milliseconds=version)
    )


VERSIONED: dict[str, Callable[[int], CatalogueFact]] = {
    "versions of organisations": organisation,
    "versions of issuers": school,
    "the authority's own DID document": authority,
    "domains that mail may go to": domains,
}


class LostBrokerError(Exception):
    """Stands for Kafka's disk, which is lost with what was published."""


async def published_again(world: World, kind: str, at: datetime = NOW) -> list[Event]:
    """Return what `bowerbird republish` publishes of this kind at this moment."""
    (found,) = (each for each in publications(world, at).kinds() if each.name == kind)
    return [each async for some in found.events() for each in some]


def publications(world: World, at: datetime = NOW) -> Publications:
    databases: Any = {"issuer": world.database, "notifier": world.database, "evidence": world.database}
    authority: Any = SimpleNamespace(
        ids=IDS,
        announcer=Announcer(URLS, SEALING),
        commands=COMMANDS,
        learner_proofs=PROOFS,
        contact_sealing=CONTACT_SEALING,
    )
    return Publications(databases, authority, at)


async def apply(world: World, catalogue: MemoryCatalogue, events: Sequence[Any]) -> None:
    await world.learner_events(catalogue).handle([Received(each, each.key, TRACE) for each in events])


async def test_a_withdrawal_is_published_again_until_it_is_applied(world: World) -> None:
    catalogue = MemoryCatalogue([issuer()], [achievement()])
    await world.worker(catalogue=catalogue).handle(received([evidence(row, learner=f"s{row}") for row in (1, 2)]))
    lost: list[Outgoing] = []

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        lost.extend(outgoing)
        raise LostBrokerError

    withdrawals = Withdrawals(
        ids=IDS,
        decisions=world.decisions,
        requests=WithdrawalRequests(world.database),
        audit=AuditLog(world.database),
        arrivals=Arrivals(),
        proofs=PROOFS,
        publish=publish,
        clock=lambda: NOW,
    )
    piece = PieceId(evidence(1).batch_id, 1)
    for _ in range(2):  # who has no answer asks again
        with pytest.raises(LostBrokerError):
            await withdrawals.withdraw("wattle", [piece], WithdrawalReason.CORRECTED, cause=CAUSE, trace=TRACE)
    again = await published_again(world, WITHDRAWALS)
    assert again == [lost[0].event]
    for _ in range(2):
        await apply(world, catalogue, again)
    outcomes = [(each["source_id"], each["outcome"]) for each in await world.stored("decisions")]
    assert outcomes == [("e1", "issued"), ("e1", "withdrawn"), ("e2", "issued")]
    assert await published_again(world, WITHDRAWALS) == []


async def test_a_badge_goes_with_a_revoked_one_that_it_stacks_on(world: World) -> None:
    catalogue = MemoryCatalogue([issuer()], [achievement(), DIPLOMA])
    await Catalogue(world.database).store_achievements([achievement(), DIPLOMA])
    await world.worker(catalogue=catalogue).handle(received([evidence(1), evidence(2, learner="s2")]))
    assert await published_again(world, REVOKED) == []
    below, *_ = (each for each in await world.stored("credentials") if each["achievement"] == "wattle/resilience/1")
    # What is then asked for, `holding.reconsider`, is lost.
    await closing(world).handle([command(below)])
    again = await published_again(world, REVOKED)
    assert [each.key for each in again] == [str(below["learner_id"])]
    for _ in range(2):
        await apply(world, catalogue, again)
    credentials = await world.stored("credentials")
    assert {each["state"] for each in credentials if each["learner_id"] == below["learner_id"]} == {"revoked"}
    assert {each["state"] for each in credentials if each["learner_id"] != below["learner_id"]} == {"active"}
    assert len(await world.stored("decisions")) == 3, "it is decided once"


async def test_a_sweep_whose_questions_were_lost_is_asked_again_while_their_topic_would_have_kept_them(
    world: World,
) -> None:
    catalogue = MemoryCatalogue([issuer()], [achievement()])
    await world.worker(catalogue=catalogue).handle(
        received([evidence(1), evidence(2, learner="s2"), evidence(3, learner="s3", level=SoloLevel.PRESTRUCTURAL)])
    )
    assert await published_again(world, HELD) == []
    catalogue.versions.append(DIPLOMA)
    await world.sweeps().begin([DIPLOMA])
    assert len(await published_again(world, HELD)) == 2, "what was not asked for yet"
    for minutes in (0, 2):
        await world.sweeps(partial(NOW.__add__, timedelta(minutes=minutes))).tick()
    (sweep,) = await world.stored("sweeps")
    assert sweep["passes"] == 0
    again = await published_again(world, HELD, NOW + timedelta(days=13))
    # What the sweep published is lost.
    for _ in range(2):
        await apply(world, catalogue, again)
    names = Counter(each["achievement"] for each in await world.stored("credentials"))
    assert names == {"wattle/resilience/1": 2, "wattle/diploma/1": 2}
    assert await published_again(world, HELD, NOW + timedelta(days=15)) == []


async def test_a_document_that_cannot_be_read_is_named_and_all_others_are_published(world: World) -> None:
    await world.worker().handle(received([evidence(row, learner=f"s{row}") for row in (1, 2, 3)]))
    catalogue = Catalogue(world.database)
    await catalogue.store_achievements([achievement(), DIPLOMA])
    await catalogue.store_issuers([school(1), school(1).model_copy(update={"issuer_id": "acacia"})])
    await catalogue.organisations.store([organisation(1), organisation(1).model_copy(update={"organisation_id": "b"})])
    damaged, *_ = await world.stored("credentials")
    harm: dict[str, tuple[Any, Any]] = {
        "achievements": ("wattle/diploma/1", {"$set": {"event": "{"}}),
        "issuers": ("wattle", {"$set": {"event": "{}"}}),
        "organisations": ("north", {"$unset": {"event": ""}}),
        "credentials": (damaged["_id"], {"$unset": {"status_index": ""}}),
    }
    for collection, (key, change) in harm.items():
        assert (await world.database[collection].update_one({"_id": key}, change)).modified_count == 1
    some = publications(world)
    published = [each for kind in some.kinds() async for events in kind.events() for each in events]
    keys = {each.key for each in published}
    assert {"wattle/resilience/1", "acacia", "b"} <= keys | {each.rpartition(":")[2] for each in keys}
    assert len([each for each in published if isinstance(each, CredentialDocument)]) == 2
    named = [str(key) for key, _ in harm.values()]
    assert all(any(key in each for each in some.damage.found) for key in named), some.damage.found
    databases: Any = dict.fromkeys(("issuer", "notifier", "evidence", "verifier"), world.database)
    announcer, damage = Announcer(URLS, SEALING), Damage()
    checks = StoreChecks(databases, IDS, announcer, damage, at=NOW + timedelta(days=1), grace=timedelta())
    differences = [each async for each in checks.differences()]
    assert not [each for each in differences if each.check == "decisions_without_credential"]
    assert any(str(damaged["_id"]) in each and "of wattle" in each for each in damage.found)


async def test_what_is_closed_while_it_is_published_again_stays_closed_on_the_topic(world: World) -> None:
    await world.worker().handle(received([evidence(row, learner=f"s{row}") for row in (1, 2, 3)]))
    revoked, taken_down, _ = await world.stored("credentials")
    read = await published_again(world, CREDENTIALS)
    ends = [[command(revoked)], [take_down(taken_down), take_down(revoked)]]

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        """Have something closed before each time that it is published."""
        if ends:
            await world.publish(await closing(world).handle(ends.pop(0)))
        await world.publish(outgoing)

    world.published.clear()
    await publications(world).publish(read, publish, TRACE)
    last = {each.event.key: each.event for each in world.published if isinstance(each.event, CredentialDocument)}
    now = await published_again(world, CREDENTIALS)
    assert last == {each.key: each for each in now if isinstance(each, CredentialDocument)}
    assert sorted(each.state for each in last.values()) == ["active", "taken_down", "taken_down"]
    assert not ends


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("kind", VERSIONED)
async def test_what_is_changed_while_it_is_published_again_stays_the_last_of_its_key_on_the_topic(
    world: World, kind: str, together: bool
) -> None:
    changed = IssuerListRepository(world.database).changed
    mail_domains = MailDomainRepository(world.database)
    worker = CatalogueWorker(Catalogue(world.database), mail_domains, world.sweeps(), changed)
    old, new = VERSIONED[kind](1), VERSIONED[kind](2)

    async def consume(*facts: CatalogueFact) -> list[Event]:
        """Have the issuer service read these; return what it publishes."""
        return [each.event for each in await worker.handle([Received(each, each.key, TRACE) for each in facts])]

    assert await consume(old) == []
    assert await published_again(world, kind) == [old]
    # It was changed behind the back of who publishes again.
    again = await consume(new, old) if together else [*await consume(new), *await consume(old)]
    assert again == [new]
    assert await consume(new) == [], "once"
    assert await published_again(world, kind) == [new]
