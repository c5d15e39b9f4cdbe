"""The tree of organisations: calls at one moment make no circle of it, and a turn ends also where its holder is killed.

The stores are in memory; tests/integration/test_organisations.py has them on MongoDB.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, cast

import pytest
from pymongo.errors import DuplicateKeyError

from libs.access.organisations import OrganisationStore
from libs.audit.entry import Cause
from libs.common.errors import ConflictError, UnavailableError
from libs.common.mongo import Database
from libs.contracts.events import OrganisationPublished
from libs.contracts.organisations import Closing, ClosingReason, OrganisationKind
from services.issuer.catalogue.issuers import By, Issuers
from services.issuer.catalogue.publications import Publications
from services.issuer.organisations.publishing import Content, Organisations
from services.issuer.organisations.turns import TURN, TreeTurns
from tests.issuer_doubles import NOW, TRACE, issuer

ADMINISTRATOR = By(Cause("administrator:first", "0" * 32), TRACE)
DAY = date(2026, 12, 18)


class Turns:
    """The one document of the collection `organisation_turns`."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {}

    def __getitem__(self, _collection: str) -> "Turns":
        return self

    async def update_one(self, query: Mapping[str, Any], update: Mapping[str, Any], *, upsert: bool = False) -> None:
        await asyncio.sleep(0)
        if self._is_found(query):
            self.document |= update["$set"]
        elif upsert and self.document:
            raise DuplicateKeyError("organisation_turns")
        elif upsert:
            self.document = dict(update["$set"])

    def _is_found(self, query: Mapping[str, Any]) -> bool:
        if "holder" in query:
            return bool(self.document) and self.document["holder"] == query["holder"]
        return bool(self.document) and self.document["ends_at"] <= query["ends_at"]["$lte"]


class Tree:
    """Organisations that issue or not; what is claimed arrives after others had their say."""

    def __init__(self, *organisation_ids: str, issuers: Collection[str] = ()) -> None:
        self.turns = Turns()
        self.now = NOW
        self.issuers = {each: issuer(each) for each in issuers}
        self.claimed = {
            each: OrganisationPublished(
                organisation_id=each,
                version=1,
                kind=OrganisationKind.REGION,
                name=each.title(),
                registered_at=NOW,
                published_at=NOW,
            )
            for each in organisation_ids
        }
        self.arrived = dict(self.claimed)

    def replica(self) -> Organisations:
        """What one process publishes them with."""
        return Organisations(
            cast(OrganisationStore, Stored(self)),
            publications=cast(Publications, Claims(self)),
            issuers=cast(Issuers, Known(self)),
            turns=TreeTurns(cast(Database, self.turns), lambda: self.now),
            clock=lambda: self.now,
        )

    async def move(self, organisation_id: str, parent: str) -> None:
        content = Content(OrganisationKind.REGION, parent, (), None)
        await self.replica().apply(organisation_id, organisation_id.title(), content, None, ADMINISTRATOR)

    async def close(self, organisation_id: str, successor: str, last_day: date = DAY) -> None:
        closing = Closing(last_day=last_day, reason=ClosingReason.MERGED, successor=successor)
        await self.replica().close(organisation_id, closing, ADMINISTRATOR)


class Stored:
    """What has arrived."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    async def newest(self, organisation_id: str) -> OrganisationPublished | None:
        await asyncio.sleep(0)
        return self._tree.arrived.get(organisation_id)

    async def above(self, organisation_id: str) -> list[str]:
        await asyncio.sleep(0)
        found: list[str] = []
        parent = self._tree.arrived[organisation_id].parent
        while parent is not None and parent not in found:
            found.append(parent)
            parent = self._tree.arrived[parent].parent
        return found

    async def below(self, organisation_id: str) -> frozenset[str]:
        return frozenset({organisation_id})

    async def by_ids(self, _ids: Iterable[str]) -> dict[str, OrganisationPublished]:
        return {}

    async def holders(self, _identifiers: Iterable[str]) -> dict[str, str]:
        return {}


class Claims:
    """What is claimed."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    async def newest(self, subject: str) -> OrganisationPublished | None:
        await asyncio.sleep(0)
        return self._tree.claimed.get(subject.partition(":")[2])

    async def publish(
        self, event: OrganisationPublished, _trace: str, **_: object
    ) -> tuple[OrganisationPublished, bool]:
        self._tree.claimed[event.organisation_id] = event
        for _turn in range(20):
            await asyncio.sleep(0)
        self._tree.arrived[event.organisation_id] = event
        return event, True

    async def finish(self, _event: OrganisationPublished, _trace: str) -> None:
        return None


class Known:
    """Which of them issue."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    async def find(self, issuer_id: str) -> object | None:
        return self._tree.issuers.get(issuer_id)


async def test_of_two_that_are_moved_below_each_other_at_one_moment_one_is_refused() -> None:
    tree = Tree("here", "there")
    told = await asyncio.gather(tree.move("here", "there"), tree.move("there", "here"), return_exceptions=True)
    assert sorted(type(each).__name__ for each in told) == ["ConflictError", "NoneType"]


async def test_of_three_that_are_moved_in_a_circle_at_one_moment_one_is_refused() -> None:
    tree = Tree("a", "b", "c")
    moves = [tree.move(*each) for each in ("ab", "bc", "ca")]
    told = await asyncio.gather(*moves, return_exceptions=True)
    assert sorted(type(each).__name__ for each in told) == ["ConflictError", "NoneType", "NoneType"]


async def test_of_two_that_follow_each_other_at_one_moment_one_is_refused() -> None:
    tree = Tree("here", "there")
    told = await asyncio.gather(tree.close("here", "there"), tree.close("there", "here"), return_exceptions=True)
    assert sorted(type(each).__name__ for each in told) == ["ConflictError", "NoneType"]


async def test_what_closes_earlier_is_followed_by_none_that_it_follows() -> None:
    tree = Tree("here", "there")
    await tree.close("here", "there")
    with pytest.raises(ConflictError, match="there follows here itself"):
        await tree.close("there", "here", DAY - timedelta(days=8))


async def test_a_move_that_is_claimed_and_has_not_arrived_counts() -> None:
    tree = Tree("here", "there")
    tree.claimed["there"] = tree.claimed["there"].model_copy(update={"parent": "here", "version": 2})
    with pytest.raises(ConflictError, match="stands below here"):
        await tree.move("here", "there")


async def test_an_issuer_is_followed_by_an_issuer() -> None:
    tree = Tree("school", "region", "college", issuers=["school", "college"])
    with pytest.raises(ConflictError, match="school is an issuer and the successor region is none"):
        await tree.close("school", "region")
    await tree.close("school", "college")
    await tree.close("region", "college")


async def test_a_turn_whose_holder_was_killed_ends_by_itself() -> None:
    moment: list[datetime] = [NOW]
    stored = cast(Database, Turns())
    killed = TreeTurns(stored, lambda: moment[0]).turn()
    await killed.__aenter__()
    other = TreeTurns(stored, lambda: moment[0], wait_seconds=0.01)
    with pytest.raises(UnavailableError):
        async with other.turn():
            raise AssertionError
    moment[0] += TURN
    async with other.turn():
        # Should the first go on after all, it takes the turn from nobody.
        await killed.__aexit__(None, None, None)
        with pytest.raises(UnavailableError):
            async with TreeTurns(stored, lambda: moment[0], wait_seconds=0.01).turn():
                raise AssertionError
    async with other.turn():
        pass


async def test_what_fails_in_its_turn_gives_it_back() -> None:
    turns = TreeTurns(cast(Database, Turns()), lambda: NOW, wait_seconds=0.01)
    with pytest.raises(ConflictError):
        async with turns.turn():
            raise ConflictError("no")
    async with turns.turn():
        pass
