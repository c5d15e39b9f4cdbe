"""Small documents with any one of their fields damaged, on the real MongoDB: others are read all the same.

What counts something and was damaged counts anew; what says something is left out, and named by the log or the audit.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from libs.access.api_keys import Caller
from libs.access.repository import KeyRepository, granting
from libs.audit.entry import Cause
from libs.audit.log import AuditLog
from libs.common.arrivals import Arrivals
from libs.common.canary import CanaryStages
from libs.common.errors import UnreadableError
from libs.common.mongo import Database, Document
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import CanaryDecided, MailDomainsSet
from services.evidence.batches.listing import BatchLists, SoughtBatches
from services.evidence.batches.quotas import DailyLimits, Quotas
from services.issuer.access.renewal import GrantRenewal
from services.issuer.catalogue.repository import Catalogue
from services.issuer.credentials.requests import ClosingRequests
from services.issuer.credentials.sought import SoughtCredentials
from services.issuer.mail_domains.repository import MailDomainRepository
from services.issuer.mail_domains.setting import MailDomains
from services.issuer.recovery.refilled import Refilled
from services.verifier.material.registries import RegistryCopy
from services.verifier.material.repository import Repository
from tests.damage import harms, told, unreadable
from tests.issuer_doubles import NOW, TRACE, MemoryCatalogue, achievement, evidence, issuer, received
from tests.issuer_world import World
from tests.keys_in_memory import grant

pytestmark = pytest.mark.integration
GOOD, DAMAGED = UUID(int=1), UUID(int=2)


class Kind(NamedTuple):
    """Documents of one kind.

    Attributes:
        stored: one of them, by its id.
        read: returns the ids of those that are read.
        others: fields that it may have beside.
        names: the ids, of the good one and of the one to be damaged.
    """

    stored: Callable[[Any], Document]
    read: Callable[[Database], Awaitable[Collection[Any]]]
    others: Collection[str] = ()
    names: tuple[Any, Any] = ("north", "south")


def batch(batch_id: UUID) -> Document:
    """Return a batch; each has its own issuer, but lists are of one."""
    return {"issuer_id": "north", "state": "accepted", "source": "sis", "format": "csv", "received": 3} | {
        "_id": batch_id,
        "created_at": NOW,
        "accepted_at": NOW,
    }


async def batches(database: Database) -> Collection[Any]:
    page = await BatchLists(database["batches"]).page("north", SoughtBatches(), None, 1)
    both = await BatchLists(database["batches"]).page("north", SoughtBatches(), None, 2)
    assert [each.batch_id for each in page] == [each.batch_id for each in both][:1], "a page is full before the end"
    return [each.batch_id for each in both]


def closing_request(request_id: UUID) -> Document:
    return {"_id": request_id, "issuer_id": "north", "credential_id": UUID(int=3), "kind": "revoke"} | {
        "principal": "key:north/a",
        "key": "k",
        "reason": "issued_in_error",
        "note": "for them",
        "requested_at": NOW,
    }


def domains(issuer_id: str) -> Document:
    return {"_id": issuer_id, "schema": 1, "domains": ["x.example"], "changed_at": NOW}


def published(issuer_id: str) -> Document:
    return {"_id": issuer_id, "version": 1, "name": issuer_id, "event": issuer(issuer_id).model_dump_json()}


async def issuers(database: Database) -> Collection[Any]:
    catalogue = Catalogue(database)
    page = await catalogue.page(None, text=None, suspended=None, after="", limit=2)
    return [each.issuer_id for each in page]


async def mail_domains(database: Database) -> Collection[Any]:
    return [each.issuer_id for each in await MailDomainRepository(database).of_issuers(["north", "south"])]


KINDS = {
    "batches": Kind(batch, batches, ["problem"], (GOOD, DAMAGED)),
    "closing_requests": Kind(
        closing_request,
        lambda database: ClosingRequests(database).of_issuer("north", [GOOD, DAMAGED]),
        (),
        (GOOD, DAMAGED),
    ),
    "mail_domains": Kind(domains, mail_domains),
    "issuers": Kind(published, issuers),
}


@pytest.mark.parametrize("name", KINDS)
async def test_what_was_damaged_is_left_out_and_named_and_no_other(world: World, name: str) -> None:
    kind, collection = KINDS[name], world.database[name]
    good, damaged = (kind.stored(each) for each in kind.names)
    for harm in harms(damaged, kind.others):
        await collection.delete_many({})
        await collection.insert_many([good, damaged])
        await collection.update_one({"_id": damaged["_id"]}, harm.update)
        with capture_logs() as logs:
            read = set(await kind.read(world.database))
        assert good["_id"] in read, harm
        named = str(damaged["_id"]) in {document for _, document in told(logs)}
        # What does not say any more whose it is, or of what time, is in no list of anybody's.
        nobodys = harm.name in {"issuer_id", "created_at"} and damaged["_id"] not in read
        assert named is not (damaged["_id"] in read) or nobodys, harm


async def test_a_key_that_was_damaged_keeps_no_other_from_being_known_or_signed_anew(world: World) -> None:
    keys = world.database["api_keys"]
    await keys.bulk_write([granting(grant(each, each, ["evidence:read"])) for each in ("north", "south")])
    good, damaged = await keys.find().sort("issuer_id", 1).to_list(None)
    repository = KeyRepository(world.database)
    signer: Any = type("Signer", (), {"public_key": "p"})
    renewal = GrantRenewal(repository, signer=signer, audit=AuditLog(world.database), publish=world.publish)
    for harm in harms(damaged, ["withdrawal", "ends_at", "end_reason", "ended_at_once", "last_used"]):
        await keys.replace_one({"_id": damaged["_id"]}, damaged)
        await keys.update_one({"_id": damaged["_id"]}, harm.update)
        with capture_logs():
            changes = await repository.changed_since(None)
            due = await renewal.due()
        known = {each.sha256 for each in changes.keys}
        assert good["_id"] in known, harm
        assert good["_id"] in {each.key_sha256 for each in due.unexplained}, harm
        if damaged["_id"] not in known and harm.name != "grant":
            assert changes.unreadable == [damaged["_id"]] == await unreadable(world.database, "api_keys"), harm
        if harm.name == "withdrawal" and "$set" in harm.update:
            assert damaged["_id"] not in known, "what may have been withdrawn lets nobody in"


async def test_a_synthetic_learner_goes_on_whatever_became_of_the_notes(world: World) -> None:
    sent: list[Outgoing] = []

    async def publish(outgoing: Any) -> None:
        sent.extend(outgoing)

    def stages(now: datetime) -> CanaryStages:
        return CanaryStages(world.database, lambda: now, 60)

    async def send(now: datetime) -> None:
        of_process = stages(now)
        tick = of_process.sending(lambda number, at: CanaryDecided(number=number, sent_at=at), publish)
        await of_process.recall()
        await tick()

    await send(NOW)
    (stored,) = await world.stored("canary")
    for number, harm in enumerate(harms(stored), 1):
        await world.database["canary"].replace_one({"_id": stored["_id"]}, stored)
        await world.database["canary"].update_one({"_id": stored["_id"]}, harm.update)
        await send(NOW + timedelta(minutes=2))
        assert len(sent) == number + 1, harm


async def test_a_note_of_topics_that_was_damaged_counts_as_none(world: World) -> None:
    refilled = Refilled(world.database)
    await refilled.note(["a", "b"], NOW)
    (stored,) = await world.stored("refilled_topics")
    for harm in harms(stored):
        await world.database["refilled_topics"].replace_one({"_id": stored["_id"]}, stored)
        await world.database["refilled_topics"].update_one({"_id": stored["_id"]}, harm.update)
        assert await refilled.topic_ids() in ({"a", "b"}, set()), harm


async def test_a_copy_of_a_registry_that_was_damaged_counts_as_none_until_it_is_stored_anew(world: World) -> None:
    verifier = Repository(world.database)
    copy = RegistryCopy("https://a.example/registry", b"signed", NOW)
    await verifier.store_registry_copy(copy)
    (stored,) = await world.stored("registry_copies")
    for harm in harms(stored):
        await world.database["registry_copies"].replace_one({"_id": stored["_id"]}, stored)
        await world.database["registry_copies"].update_one({"_id": stored["_id"]}, harm.update)
        with capture_logs() as logs:
            assert await verifier.registry_copy(copy.url) is None, harm
        assert copy.url in {document for _, document in told(logs)}
    later = replace(copy, signed_at=NOW + timedelta(days=1))
    await verifier.store_registry_copy(later)
    assert await verifier.registry_copy(copy.url) == later


@pytest.mark.parametrize("wanted", [(), ("y.example",)])
async def test_domains_that_were_damaged_are_no_answer_and_can_be_set_anew(
    world: World, wanted: tuple[str, ...]
) -> None:
    repository = MailDomainRepository(world.database)

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        await repository.store([each.event for each in outgoing if isinstance(each.event, MailDomainsSet)])

    setting = MailDomains(
        repository,
        catalogue=MemoryCatalogue([issuer("north")], []),
        audit=AuditLog(world.database),
        arrivals=Arrivals(),
        publish=publish,
        clock=lambda: NOW + timedelta(seconds=1),
    )
    await repository.store([MailDomainsSet(issuer_id="north", domains=("x.example",), changed_at=NOW)])
    await world.database["mail_domains"].update_one({"_id": "north"}, {"$set": {"domains": "x.example"}})
    with pytest.raises(UnreadableError):
        await setting.of_issuer("north")
    assert await setting.set("north", wanted, Cause("administrator:a", "0" * 32), TRACE) == wanted
    assert await setting.of_issuer("north") == wanted


async def test_a_quota_that_was_damaged_refuses_nothing(world: World) -> None:
    caller = Caller("north", frozenset())

    async def take() -> None:
        await Quotas(world.database, DailyLimits(issuer_rows=10_000), lambda: NOW).take(caller, "rows", 5)

    await take()
    (stored,) = await world.stored("quotas")
    for harm in harms(stored):
        await world.database["quotas"].replace_one({"_id": stored["_id"]}, stored)
        await world.database["quotas"].update_one({"_id": stored["_id"]}, harm.update)
        await take()


async def test_a_page_of_badges_is_full_though_one_of_them_was_damaged(world: World) -> None:
    await world.worker().handle(received([evidence(row, learner=f"s{row}") for row in (1, 2, 3)]))
    sought = SoughtCredentials(None, None, None)
    newest = await world.credentials.page("wattle", sought, None, 3)
    await world.database["credentials"].update_one({"_id": newest[0].credential_id}, {"$set": {"row": "1"}})
    page = await world.credentials.page("wattle", sought, None, 2)
    assert [each.credential_id for each in page] == [each.credential_id for each in newest[1:]]


async def test_a_page_of_achievements_or_issuers_is_full_though_one_of_them_was_damaged(world: World) -> None:
    catalogue = Catalogue(world.database)
    await catalogue.store_achievements([achievement(each) for each in ("a", "b", "c")])
    await catalogue.store_issuers([issuer(each) for each in ("a", "b", "c")])
    for name in ("achievements", "issuers"):
        await world.database[name].update_one({"_id": {"$regex": "a(/1)?$"}}, {"$set": {"event": "{}"}})
    versions = await catalogue.achievements_page("wattle", shared_alone=False, text=None, after="", limit=2)
    assert [each.achievement_id for each in versions] == ["b", "c"]
    issuers_page = await catalogue.page(None, text=None, suspended=None, after="", limit=2)
    assert [each.issuer_id for each in issuers_page] == ["b", "c"]
