"""Versions of issuers on the real MongoDB: suspensions and profiles that lose nothing of each other."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from libs.audit.entry import Action, Cause, Entry
from libs.common.arrivals import Arrivals
from libs.common.errors import ConflictError, UnreadableError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import (
    AchievementPublished,
    IssuerPublished,
    SigningKeySealed,
)
from libs.contracts.reasons import SuspensionReason
from libs.openbadges.crypto.keys import Ed25519Key
from services.issuer.catalogue import trial
from services.issuer.catalogue.achievements import Achievements
from services.issuer.catalogue.issuers import By, Issuers, Profile
from services.issuer.catalogue.names import IssuerNames
from services.issuer.catalogue.publications import Publications
from services.issuer.catalogue.repository import Catalogue
from services.issuer.keys.adoption import KeyAdoption
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.keys.states import KeyState, new_key
from tests.issuer_doubles import (
    NOW,
    TRACE,
    MemoryAudit,
    achievement,
    issuer,
)
from tests.issuer_world import (
    KEK,
    URLS,
    KilledError,
    World,
)

pytestmark = pytest.mark.integration


ADMINISTRATOR = By(Cause("administrator:first", "0" * 32), TRACE)


class IssuerWorld:
    """The issuers of one database, and their process, which dies at one of its steps."""

    def __init__(self, world: World) -> None:
        self.catalogue = Catalogue(world.database)
        self.audit = MemoryAudit()
        self.dies = ""
        self.now = NOW
        keys = SigningKeyRepository(world.client, world.database)
        self.publications = Publications(
            world.database,
            catalogue=self.catalogue,
            audit=self,
            arrivals=Arrivals(),
            publish=self.publish,
            clock=lambda: self.now,
        )
        self.issuers = Issuers(
            catalogue=self.catalogue,
            publications=self.publications,
            signing_keys=world.signing_keys(),
            keys=keys,
            audit=self.audit,
            names=IssuerNames(world.database, lambda: self.now),
            urls=URLS,
            clock=lambda: self.now,
        )
        self.achievements = Achievements(
            catalogue=self.catalogue, publications=self.publications, urls=URLS, clock=lambda: self.now
        )

    async def record(self, *entries: Entry) -> None:
        self._die("before the audit log")
        await self.audit.record(*entries)
        self._die("after the audit log")

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        self._die("before publishing")
        await self.catalogue.store_issuers([each.event for each in outgoing if isinstance(each.event, IssuerPublished)])
        versions = [each.event for each in outgoing if isinstance(each.event, AchievementPublished)]
        await self.catalogue.store_achievements(versions)
        self._die("after publishing")

    def _die(self, where: str) -> None:
        if self.dies == where:
            self.dies = ""
            raise KilledError(where)

    async def wattle(self, **profile: Any) -> None:
        await self.issuers.onboard(
            "wattle",
            Profile("Wattle", **profile),
            parent=None,
            did_method=None,
            expected_version=None,
            by=ADMINISTRATOR,
        )

    def recorded(self) -> list[tuple[Action, str | None]]:
        return [(each.action, each.reason) for each in self.audit.entries[2:]]


async def test_who_is_suspended_stays_so_whatever_is_published_of_it_until_it_is_resumed(world: World) -> None:
    here = IssuerWorld(world)
    await here.wattle(public_evidence=True)
    first = await here.issuers.set_suspension("wattle", SuspensionReason.SECURITY, ADMINISTRATOR)
    assert await here.catalogue.suspended(["wattle", "banksia"]) == {"wattle"}
    here.now += timedelta(hours=1)
    assert await here.issuers.set_suspension("wattle", SuspensionReason.SECURITY, ADMINISTRATOR) == first
    await here.issuers.change_profile(
        "wattle",
        Profile("Wattle Grove", public_evidence=True),
        expected_version=None,
        may_resemble=True,
        by=ADMINISTRATOR,
    )
    await world.signing_keys().create("wattle", KeyState.NEXT, NOW)
    published = await here.issuers.publish_keys("wattle", TRACE, ADMINISTRATOR.cause)
    assert published is not None
    assert (published.version, published.suspension, published.public_evidence) == (4, first.suspension, True)
    other = await here.issuers.set_suspension("wattle", SuspensionReason.CLOSED, ADMINISTRATOR)
    assert other.suspension is not None
    assert (other.suspension.reason, other.suspension.since) == (SuspensionReason.CLOSED, NOW)
    resumed = [await here.issuers.set_suspension("wattle", None, ADMINISTRATOR) for _ in range(2)]
    assert [(each.version, each.suspension) for each in resumed] == [(6, None)] * 2
    assert await here.catalogue.suspended(["wattle"]) == set()
    assert here.recorded() == [
        (Action.ISSUER_SUSPENDED, "security"),
        (Action.ISSUER_PUBLISHED, None),
        (Action.ISSUER_PUBLISHED, None),
        (Action.ISSUER_SUSPENDED, "closed"),
        (Action.ISSUER_RESUMED, None),
    ]


@pytest.mark.parametrize(
    "step", ["before the audit log", "after the audit log", "before publishing", "after publishing"]
)
async def test_killed_while_it_suspends_the_log_says_so_first_and_what_was_claimed_is_finished(
    world: World, step: str
) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    here.dies = step
    with pytest.raises(KilledError):
        await here.issuers.set_suspension("wattle", SuspensionReason.UNDER_REVIEW, ADMINISTRATOR)
    told = [(Action.ISSUER_SUSPENDED, "under_review")]
    assert here.recorded() == ([] if step == "before the audit log" else told)
    assert bool(await here.catalogue.suspended(["wattle"])) == (step == "after publishing")
    here.now += timedelta(minutes=1)
    await here.publications.repair()
    assert bool(await here.catalogue.suspended(["wattle"])) == (step.endswith("publishing"))
    version = await here.issuers.set_suspension("wattle", SuspensionReason.UNDER_REVIEW, ADMINISTRATOR)
    assert (version.version, version.suspension is not None) == (2, True)
    assert await here.catalogue.suspended(["wattle"]) == {"wattle"}


async def test_suspending_and_changing_a_profile_at_once_loses_neither(world: World) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    profile = Profile("Wattle Grove")
    suspended, renamed = await asyncio.gather(
        here.issuers.set_suspension("wattle", SuspensionReason.OTHER, ADMINISTRATOR),
        here.issuers.change_profile("wattle", profile, expected_version=None, may_resemble=True, by=ADMINISTRATOR),
        return_exceptions=True,
    )
    newest = await here.issuers.current("wattle")
    assert isinstance(suspended, IssuerPublished)
    assert newest.suspension is not None
    assert newest.name == ("Wattle" if isinstance(renamed, ConflictError) else "Wattle Grove")


async def test_no_key_is_made_for_a_published_issuer_whose_key_is_lost_and_its_copy_brings_it_back(
    world: World,
) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    document = (await here.issuers.current("wattle")).did_document
    await world.database["signing_keys"].delete_many({})
    with pytest.raises(ConflictError, match="active signing key of wattle is lost"):
        await here.wattle(url="https://wattle.example")
    assert await world.stored("signing_keys") == []
    copies = [each.event for each in world.published if isinstance(each.event, SigningKeySealed)]
    adoption = KeyAdoption(SigningKeyRepository(world.client, world.database), KEK, here.audit)
    assert [await adoption.adopt(copies) for _ in range(2)] == [1, 0]
    await here.wattle(url="https://wattle.example")
    current = await here.issuers.current("wattle")
    assert (current.version, current.did_document) == (2, document)
    assert (await world.signing_keys().key("wattle")).public_multibase in document


async def test_a_did_document_holds_no_key_whose_copy_is_not_confirmed(world: World) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    key = new_key(Ed25519Key.generate().public_multibase, "wattle", KeyState.NEXT, NOW)
    await SigningKeyRepository(world.client, world.database).insert(key, KEK.seal(b"", "nothing"))
    await here.issuers.publish_keys("wattle", TRACE, ADMINISTRATOR.cause)
    await here.wattle(url="https://wattle.example")
    current = await here.issuers.current("wattle")
    assert (current.version, key.key_id in current.did_document) == (2, False)


async def test_an_issuer_is_suspended_whatever_was_published_of_its_profile(world: World) -> None:
    here = IssuerWorld(world)
    await here.catalogue.store_issuers([issuer().model_copy(update={"url": "https://bad.example/?id=3|home"})])
    version = await here.issuers.set_suspension("wattle", SuspensionReason.OTHER, ADMINISTRATOR)
    assert version.suspension is not None


async def test_an_issuer_that_was_stored_before_versions_had_numbers_is_read_and_followed_by_the_second(
    world: World,
) -> None:
    here = IssuerWorld(world)
    unnumbered = issuer().model_dump_json(exclude={"version", "public_evidence", "suspension"})
    await world.database["issuers"].insert_one({"_id": "wattle", "schema": 1, "parent": None, "event": unnumbered})
    assert (await here.catalogue.issuers(["wattle"]))["wattle"].version == 1
    trial.try_achievement(achievement(), await here.issuers.current("wattle"), URLS.achievement(achievement()), NOW)
    version = await here.issuers.set_suspension("wattle", SuspensionReason.OTHER, ADMINISTRATOR)
    assert version.version == 2
    assert await here.catalogue.suspended(["wattle"]) == {"wattle"}


DAMAGE: list[dict[str, Any]] = [
    {"$unset": {"event": ""}},
    {"$set": {"event": "no JSON"}},
    {"$set": {"event": 7, "version": "one"}},
]


@pytest.mark.parametrize("damage", DAMAGE)
async def test_the_next_profile_takes_the_place_of_a_version_that_cannot_be_read(
    world: World, damage: dict[str, Any]
) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    await world.database["issuers"].update_one({"_id": "wattle"}, damage)
    version, new = await here.issuers.change_profile(
        "wattle",
        Profile("Wattle", url="https://wattle.example"),
        expected_version=None,
        may_resemble=True,
        by=ADMINISTRATOR,
    )
    assert (version.version, new) == (2, True)
    assert await here.catalogue.newest_issuer("wattle") == version


@pytest.mark.parametrize("damage", DAMAGE)
async def test_the_same_profile_again_puts_a_damaged_version_right(world: World, damage: dict[str, Any]) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    whole = await here.catalogue.newest_issuer("wattle")
    await world.database["issuers"].update_one({"_id": "wattle"}, damage)
    await here.wattle()
    assert await here.catalogue.newest_issuer("wattle") == whole


async def test_where_the_newest_number_cannot_be_told_no_version_is_published_and_the_document_is_named(
    world: World,
) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    await world.database["issuers"].update_one({"_id": "wattle"}, {"$unset": {"event": ""}})
    await world.database["publications"].delete_many({})
    with pytest.raises(UnreadableError, match="issuer wattle is stored and cannot be read"):
        await here.wattle()
    await world.database["publications"].insert_one(
        {"_id": "issuer:wattle/1", "subject": "issuer:wattle", "version": 1, "kind": "issuer", "event": "no JSON"}
    )
    with pytest.raises(UnreadableError):
        await here.wattle(url="https://wattle.example")
    assert await world.database["publications"].count_documents({}) == 1


async def test_a_damaged_did_document_is_made_anew_of_the_keys(world: World) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    published = await here.catalogue.newest_issuer("wattle")
    assert published is not None
    broken = published.model_copy(update={"did_document": "no JSON"}).model_dump_json()
    await world.database["issuers"].update_one({"_id": "wattle"}, {"$set": {"event": broken}})
    await world.database["publications"].update_one({"_id": "issuer:wattle/1"}, {"$set": {"event": broken}})
    version = await here.issuers.publish_keys("wattle", TRACE, ADMINISTRATOR.cause)
    assert version is not None
    assert (version.version, version.did_document) == (2, published.did_document)


@pytest.mark.parametrize("field", ["owner", "achievement_id", "version", "shared", "event"])
@pytest.mark.parametrize("next_version", [False, True])
async def test_publishing_an_achievement_gets_round_what_is_damaged_of_it(
    world: World, field: str, next_version: bool
) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    content = achievement()
    first, _, _ = await here.achievements.publish(content, None, TRACE, ADMINISTRATOR.cause)
    await world.database["achievements"].update_one({"_id": first.version_key}, {"$unset": {field: ""}})
    if next_version:
        content = content.model_copy(update={"description": "Another description of it."})
    version, new, _ = await here.achievements.publish(content, None, TRACE, ADMINISTRATOR.cause)
    assert (version.version, new) == ((2, True) if next_version else (1, False))
    issuers = await here.catalogue.issuers(["wattle"])
    assert await here.catalogue.resolve([("wattle", content.achievement_id)], issuers) == {
        ("wattle", content.achievement_id): version
    }


async def test_a_damaged_publication_holds_up_no_repair_and_no_start(world: World) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    first = await here.catalogue.newest_issuer("wattle")
    assert first is not None
    await world.database["publications"].update_one({"_id": "issuer:wattle/1"}, {"$set": {"arrived": False}})
    await world.database["publications"].insert_one(
        {"_id": "issuer:wattle/2", "subject": "issuer:wattle", "version": 2, "kind": "gone", "arrived": True}
    )
    here.now += timedelta(hours=1)
    assert await here.publications.repair() > 0
    assert await here.publications.lacking([first]) == []
    await world.database["publications"].update_one({"_id": "issuer:wattle/1"}, {"$unset": {"event": ""}})
    assert await here.publications.lacking([first]) == [first]
