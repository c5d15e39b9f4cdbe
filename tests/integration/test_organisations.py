"""Organisations on the real MongoDB: the tree, its versions, and that a killed publication is finished."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from libs.access.api_keys import ALL_ISSUERS, Caller
from libs.access.organisations import DEEPEST, OrganisationStore, Sought
from libs.access.repository import KeyRepository
from libs.audit.entry import Action
from libs.common.errors import ConflictError, NotFoundError, OtherTenantError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import IssuerPublished, OrganisationPublished
from libs.contracts.organisations import Closing, ClosingReason, Identifier, OrganisationKind
from services.issuer.catalogue.issuers import Profile
from services.issuer.organisations.finding import OrganisationsFound
from services.issuer.organisations.publishing import Content, IssuerPart, Organisations
from services.issuer.organisations.turns import TreeTurns
from tests.integration.test_issuer_version_storage import ADMINISTRATOR, IssuerWorld
from tests.issuer_doubles import NOW
from tests.issuer_world import KilledError, World

pytestmark = pytest.mark.integration

LAST_DAY = date(2026, 12, 18)


class Tree(IssuerWorld):
    """Organisations of one database, which arrive as they are published, and a process that dies at a step."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.stored = OrganisationStore(world.database)
        self.organisations = Organisations(
            self.stored,
            publications=self.publications,
            issuers=self.issuers,
            turns=TreeTurns(world.database, lambda: self.now),
            clock=lambda: self.now,
        )
        self.found = OrganisationsFound(self.catalogue, KeyRepository(world.database))

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        arrived = [each.event for each in outgoing if isinstance(each.event, OrganisationPublished)]
        if arrived:
            self._die("before publishing")
        await self.stored.store(arrived)
        issuers = [each.event for each in outgoing if isinstance(each.event, IssuerPublished)]
        await self.catalogue.store_issuers(issuers)

    async def add(
        self,
        organisation_id: str,
        parent: str | None = None,
        *,
        issues: bool = False,
        name: str | None = None,
        acara: str | None = None,
    ) -> bool:
        identifiers = () if acara is None else (Identifier(scheme="acara", value=acara),)
        content = Content(OrganisationKind.SCHOOL, parent, identifiers, None)
        part = IssuerPart(Profile(name or organisation_id.title()), None) if issues else None
        _, new = await self.organisations.apply(
            organisation_id, name or organisation_id.title(), content, part, ADMINISTRATOR
        )
        return new

    async def grown(self) -> None:
        """A department that issues, two regions that do not, and three schools."""
        await self.add("department", issues=True)
        for region in ("north", "south"):
            await self.add(region, "department")
        for school, region in (("wattle", "north"), ("banksia", "north"), ("grevillea", "south")):
            await self.add(school, region, issues=True)

    async def close(self, organisation_id: str, **changes: Any) -> OrganisationPublished:
        closing: dict[str, Any] = {"last_day": LAST_DAY, "reason": ClosingReason.CLOSED, **changes}
        return await self.organisations.close(organisation_id, Closing(**closing), ADMINISTRATOR)


def caller(organisation_id: str) -> Caller:
    return Caller(organisation_id, frozenset())


async def test_a_school_awards_what_the_nearest_issuer_above_it_shares_also_after_it_moved(world: World) -> None:
    here = Tree(world)
    await here.grown()
    assert (await here.issuers.current("wattle")).parent == "department"
    assert await here.add("north", "department", issues=True)
    assert await here.add("wattle", "north")
    assert (await here.issuers.current("wattle")).parent == "north"
    assert await here.add("wattle", "south")
    assert (await here.issuers.current("wattle")).parent == "department"
    with pytest.raises(ConflictError, match="the nearest issuer above it is department"):
        await here.issuers.onboard(
            "wattle", Profile("Wattle"), parent=None, did_method=None, expected_version=None, by=ADMINISTRATOR
        )


async def test_to_publish_the_same_again_changes_nothing_and_a_change_makes_one_version(world: World) -> None:
    here = Tree(world)
    await here.grown()
    assert [await here.add("wattle", "north", issues=True) for _ in range(2)] == [False, False]
    assert [await here.add("wattle", "north", acara="40123") for _ in range(2)] == [True, False]
    organisation, issuer = await here.organisations.current("wattle"), await here.issuers.current("wattle")
    assert (organisation.version, issuer.version) == (2, 1)


async def test_whoever_reads_sees_its_own_organisation_and_those_below_it(world: World) -> None:
    here = Tree(world)
    await here.grown()
    assert await here.found.seen_by(caller("wattle"), None) == frozenset({"wattle"})
    assert await here.found.seen_by(caller("north"), None) == frozenset({"north", "wattle", "banksia"})
    assert await here.found.seen_by(caller("department"), "south") == frozenset({"south", "grevillea"})
    assert await here.found.seen_by(caller(ALL_ISSUERS), None) is None
    for stranger in ("wattle", "north", "nobody"):
        with pytest.raises(OtherTenantError):
            await here.found.seen_by(caller(stranger), "south")
    with pytest.raises(NotFoundError):
        await here.found.seen_by(caller(ALL_ISSUERS), "nobody")


async def test_organisations_are_found_by_name_kind_identifier_state_and_place_in_pages(world: World) -> None:
    here = Tree(world)
    await here.grown()
    await here.add("wattle", "north", acara="40123")
    await here.close("banksia")

    async def ids(limit: int = 100, after: str = "", below: str | None = None, **sought: Any) -> list[str]:
        asked = Sought(today=LAST_DAY + timedelta(days=1), **sought)
        page = await here.found.page(caller(ALL_ISSUERS), below, asked, after, limit)
        return [each.organisation.organisation_id for each in page]

    assert await ids() == ["banksia", "department", "grevillea", "north", "south", "wattle"]
    assert await ids(2, "department") == ["grevillea", "north"]
    assert await ids(text="ANKS") == ["banksia"]
    assert await ids(text=".*") == []
    assert await ids(identifier="acara:40123") == ["wattle"]
    assert await ids(is_open=False) == ["banksia"]
    assert await ids(is_open=True, below="north") == ["north", "wattle"]
    assert await ids(kind=OrganisationKind.REGION) == []


async def test_a_place_that_cannot_be_is_refused(world: World) -> None:
    here = Tree(world)
    await here.grown()
    for moved, parent in (("north", "wattle"), ("north", "north"), ("department", "wattle"), ("new", "nowhere")):
        with pytest.raises(ConflictError):
            await here.add(moved, parent)
    await here.add("banksia", "north", acara="40123")
    with pytest.raises(ConflictError, match="acara:40123 is the identifier of banksia"):
        await here.add("wattle", "north", acara="40123")
    await here.close("banksia")
    with pytest.raises(ConflictError, match="the parent banksia closes"):
        await here.add("annexe", "banksia")
    above = "wattle"
    for number in range(DEEPEST - 3):
        await here.add(f"deep-{number}", above)
        above = f"deep-{number}"
    with pytest.raises(ConflictError, match="at most"):
        await here.add("deepest", above)


async def test_a_circle_ends_every_walk(world: World) -> None:
    here = Tree(world)
    await here.grown()
    north = await here.organisations.current("north")
    await here.stored.store([north.model_copy(update={"parent": "wattle", "version": 9})])
    assert await here.stored.above("wattle") == ["north"]
    assert await here.stored.below("wattle") == {"wattle", "north", "banksia"}


async def test_a_name_changes_by_renaming_alone_and_the_issuers_with_it(world: World) -> None:
    here = Tree(world)
    await here.grown()
    with pytest.raises(ConflictError, match="renames it"):
        await here.add("wattle", "north", name="Wattle Grove")
    with pytest.raises(ConflictError, match="renames it"):
        await here.issuers.change_profile(
            "wattle", Profile("Wattle Grove"), expected_version=None, may_resemble=True, by=ADMINISTRATOR
        )
    for _ in range(2):
        renamed = await here.organisations.rename("wattle", "Wattle Grove", date(2026, 2, 1), ADMINISTRATOR)
    assert [(each.name, each.until) for each in renamed.former_names] == [("Wattle", date(2026, 2, 1))]
    assert (renamed.version, (await here.issuers.current("wattle")).name) == (2, "Wattle Grove")
    for since in (NOW.date() + timedelta(days=1), date(2026, 1, 31)):
        with pytest.raises(ConflictError):
            await here.organisations.rename("wattle", "Wattle Vale", since, ADMINISTRATOR)


async def test_closing_merging_and_leaving_say_when_why_and_what_follows_and_can_be_taken_back(world: World) -> None:
    here = Tree(world)
    await here.grown()
    closed = [await here.close("wattle", reason=ClosingReason.MERGED, successor="banksia") for _ in range(2)]
    assert [each.version for each in closed] == [2, 2]
    assert await here.stored.last_day("wattle") == LAST_DAY
    assert (await here.issuers.current("wattle")).suspension is None
    with pytest.raises(ConflictError, match="stands below it and goes on"):
        await here.close("north")
    for refused in (
        {"reason": ClosingReason.MERGED},
        {"successor": "banksia"},
        {"successor": "nobody"},
        {"successor": "wattle"},
    ):
        with pytest.raises(ConflictError):
            await here.close("banksia", **refused)
    assert (await here.close("banksia", reason=ClosingReason.LEFT)).closing is not None
    assert (await here.close("north")).closing is not None
    assert (await here.organisations.reopen("wattle", ADMINISTRATOR)).closing is None
    assert await here.stored.last_day("wattle") is None
    told = [(each.action, each.reason) for each in here.audit.entries if each.subject == "organisation wattle"]
    assert told == [
        (Action.ORGANISATION_PUBLISHED, None),
        (Action.ORGANISATION_CLOSED, "merged"),
        (Action.ORGANISATION_REOPENED, None),
    ]


async def test_killed_while_it_closes_what_was_claimed_is_finished(world: World) -> None:
    here = Tree(world)
    await here.grown()
    here.dies = "before publishing"
    with pytest.raises(KilledError):
        await here.close("wattle")
    assert await here.stored.last_day("wattle") is None
    here.now += timedelta(minutes=1)
    await here.publications.repair()
    assert await here.stored.last_day("wattle") == LAST_DAY


async def test_a_database_that_was_set_back_takes_up_the_tree_as_it_was_published(world: World) -> None:
    here = Tree(world)
    await here.grown()
    published = [await here.organisations.current("north"), await here.close("wattle")]
    for collection in ("organisations", "publications"):
        await world.database[collection].delete_many({})
    lacking = await here.publications.lacking(published)
    await here.publications.adopt(lacking)
    assert await here.publications.lacking(published) == []
    assert await here.stored.last_day("wattle") == LAST_DAY
    assert (await here.close("wattle", last_day=LAST_DAY + timedelta(days=1))).version == 3
