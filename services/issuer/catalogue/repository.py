"""Issuers and achievement versions in MongoDB, materialised from the catalogue topic, with caches before them."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from re import escape
from time import monotonic
from typing import NamedTuple, TypeVar

from cachetools import LRUCache, TTLCache
from pymongo import DESCENDING

from libs.access.organisations import OrganisationStore
from libs.common.damage import readable_page
from libs.common.mongo import Database, Document, Index, aggregate, find_by_ids, insert_new, upsert_newest
from libs.common.stored import all_readable, readable, require_readable
from libs.contracts.events import (
    AUTHORITY_ID,
    AchievementPublished,
    AuthorityPublished,
    IssuerPublished,
    OrganisationPublished,
)
from libs.contracts.rules import asked_for
from libs.openbadges.trust.names import likenesses, sought_likenesses
from services.issuer.credentials.hindrance import Hindrance, Pair

INDEXES: Sequence[Index] = (
    Index("achievements", ["owner", "achievement_id", "version"], unique=True),
    # What a rule asks to hold: what is awarded may meet it.
    Index("achievements", ["asks_for", "owner"], partial={"asks_for": {"$exists": True}}),
    Index("issuers", ["likenesses"]),
)

CatalogueEvent = IssuerPublished | AchievementPublished | AuthorityPublished | OrganisationPublished

E = TypeVar("E", IssuerPublished, AchievementPublished)

_REMEMBERED = 10_000
# Read at one go: some milliseconds.
_TOGETHER = 500
# A profile can be published anew; an achievement version never changes.
_ISSUER_REMEMBERED_SECONDS = 10.0


class Catalogue:
    """The collections `issuers`, `achievements` and `authority_document`. Absence is never cached.

    Attributes:
        organisations: the organisations, which issuers may be.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = monotonic) -> None:
        self.organisations = OrganisationStore(database)
        self._issuers = database["issuers"]
        self._achievements = database["achievements"]
        self._authority = database["authority_document"]
        self._issuer_cache: TTLCache[str, IssuerPublished] = TTLCache(_REMEMBERED, _ISSUER_REMEMBERED_SECONDS, clock)
        self._version_cache: LRUCache[str, AchievementPublished] = LRUCache(_REMEMBERED)
        # What was met last and could not be read: as good as nothing, unless the database was tampered with.
        self._unreadable_issuers: set[str] = set()
        self._unreadable_pairs: set[Pair] = set()

    async def store_issuers(self, events: Sequence[IssuerPublished]) -> None:
        """Keep the newest version of each issuer; what was damaged of it is put right by the same version again."""
        issuers = [_issuer(event) for event in events]
        await upsert_newest(self._issuers, issuers, order="version")
        versions = {(each["_id"], each["version"]): each for each in issuers}
        for stored in await find_by_ids(self._issuers, "_id", {each["_id"] for each in issuers}):
            again = versions.get((stored["_id"], stored.get("version")))
            if again is not None and readable(_read_issuer, stored) is None:
                await self._issuers.replace_one({"_id": stored["_id"], "version": again["version"]}, again)
        for issuer in issuers:
            self._issuer_cache.pop(issuer["_id"], None)

    async def store_achievements(self, events: Sequence[AchievementPublished]) -> None:
        """Keep every version of each achievement; one that was damaged is put right by the same version again."""
        achievements = {event.version_key: _achievement(event) for event in events}
        there = await insert_new(self._achievements, list(achievements.values()))
        for stored in await find_by_ids(self._achievements, "_id", there):
            if not _is_whole(stored):
                await self._achievements.replace_one({"_id": stored["_id"]}, achievements[stored["_id"]])

    async def store_authority(self, events: Sequence[AuthorityPublished]) -> None:
        """Keep the newest version of the authority's DID document."""
        await upsert_newest(
            self._authority,
            [
                {"_id": each.authority_id, "schema": 1, "version": each.version, "event": each.model_dump_json()}
                for each in events
            ],
            order="version",
        )

    async def has_arrived(self, event: CatalogueEvent) -> bool:
        """Return whether this version is in the database, and can be read, or a newer one, but of an achievement."""
        if isinstance(event, OrganisationPublished):
            return await self.organisations.has_arrived(event)
        if isinstance(event, IssuerPublished):
            issuer = await self._issuers.find_one({"_id": event.issuer_id, "version": {"$gte": event.version}})
            if issuer is None or issuer["version"] > event.version:
                return issuer is not None
            return readable(_read_issuer, issuer) is not None
        if isinstance(event, AuthorityPublished):
            query = {"_id": event.authority_id, "version": {"$gte": event.version}}
            return await self._authority.find_one(query, {"_id": 1}) is not None
        achievement = await self._achievements.find_one({"_id": event.version_key})
        return achievement is not None and _is_whole(achievement)

    async def newest_issuer(self, issuer_id: str) -> IssuerPublished | None:
        """Return the newest version of an issuer that has arrived, if any, past the cache.

        Raises:
            UnreadableError: it was damaged.
        """
        found = await self._issuers.find_one({"_id": issuer_id}, {"event": 1, "version": 1})
        return None if found is None else require_readable(_read_issuer, found, f"issuer {issuer_id}")

    async def newest_issuers(self, issuer_ids: Iterable[str]) -> dict[str, IssuerPublished]:
        """Return the newest versions of those of these issuers that have arrived, past the cache."""
        found = await find_by_ids(self._issuers, "_id", issuer_ids, projection={"event": 1})
        return {issuer.issuer_id: issuer for issuer in all_readable(_read_issuer, found)}

    async def page(
        self, among: AbstractSet[str] | None, *, text: str | None, suspended: bool | None, after: str, limit: int
    ) -> list[IssuerPublished]:
        """Return the newest versions of issuers, of these ids alone unless it is None, sorted, from the one after.

        Args:
            among: the ids that may be seen.
            text: stands in the name, whatever its case.
            suspended: whether they may issue nothing; None for any.
            after: the id before the first.
            limit: how many at most.
        """
        query: Document = {"_id": {"$gt": after} if among is None else {"$gt": after, "$in": sorted(among)}}
        if text is not None:
            query["name"] = {"$regex": escape(text), "$options": "i"}
        if suspended is not None:
            query["suspended"] = suspended
        event = {"event": 1}
        return await readable_page(
            self._issuers, query, _read_issuer, order=[("_id", 1)], limit=limit, projection=event
        )

    async def newest_authority(self) -> AuthorityPublished | None:
        """Return the newest version of the authority's DID document that has arrived, if any."""
        found = await self._authority.find_one({"_id": AUTHORITY_ID}, {"event": 1})
        return None if found is None else AuthorityPublished.model_validate_json(found["event"])

    async def everybody(self) -> AsyncIterator[Sequence[IssuerPublished]]:
        """Return the newest version of every issuer that has arrived, some at a time, sorted by id.

        One that cannot be read is logged and left out, and costs no other its place.
        """
        # All tenants: for the list of issuers, which is public.
        cursor = self._issuers.find({}, {"event": 1}).sort("_id", 1).batch_size(_TOGETHER)
        while found := await cursor.to_list(_TOGETHER):
            yield all_readable(_read_issuer, found)

    async def suspended(self, issuer_ids: Iterable[str]) -> set[str]:
        """Return those of these issuers that may issue nothing, past the cache."""
        query = {"_id": {"$in": list(issuer_ids)}, "suspended": True}
        return {found["_id"] for found in await self._issuers.find(query, {"_id": 1}).to_list(None)}

    async def is_known(self, tenant: str) -> bool:
        """Return whether an issuer or an organisation of this id has arrived."""
        return bool(await self.issuers([tenant])) or await self.organisations.newest(tenant) is not None

    async def look_alikes(self, name: str, besides: str) -> list[str]:
        """Return the ids of issuers, other than `besides`, for whom this name could be taken; ten at most."""
        query = {"likenesses": {"$in": sorted(sought_likenesses(name))}, "_id": {"$ne": besides}}
        return [found["_id"] for found in await self._issuers.find(query, {"_id": 1}).limit(10).to_list(None)]

    async def newest_version(self, owner: str, achievement_id: str) -> AchievementPublished | None:
        """Return the newest version that has arrived, if any.

        Raises:
            UnreadableError: it was damaged.
        """
        query = {"owner": owner, "achievement_id": achievement_id}
        found = await self._achievements.find_one(query, sort=[("version", DESCENDING)])
        return None if found is None else require_readable(_read_version, found, f"achievement {found['_id']}")

    async def achievements_page(
        self, owner: str, *, shared_alone: bool, text: str | None, after: str, limit: int
    ) -> list[AchievementPublished]:
        """Return the newest version of each of this owner's achievements, sorted by id, from the one after `after`.

        Args:
            owner: whose they are.
            shared_alone: only those whose newest version is shared.
            text: stands in the name of the newest version, whatever its case.
            after: the id before the first.
            limit: how many at most.
        """
        wanted: Document = {"newest.shared": True} if shared_alone else {}
        if text is not None:
            wanted["newest.name"] = {"$regex": escape(text), "$options": "i"}
        page: list[AchievementPublished] = []
        # A page is short only where the list ends: what cannot be read is made up for.
        while lacking := limit - len(page):
            pipeline: list[Document] = [
                {"$match": {"owner": owner, "achievement_id": {"$gt": after}}},
                {"$sort": {"achievement_id": 1, "version": 1}},
                {"$group": {"_id": "$achievement_id", "newest": {"$last": "$$ROOT"}}},
                {"$match": wanted},
                {"$sort": {"_id": 1}},
                {"$limit": lacking},
            ]
            found = [each async for each in aggregate(self._achievements, pipeline)]
            page += all_readable(_read_version, [each["newest"] for each in found], self._achievements)
            if len(found) < lacking:
                break
            after = found[-1]["_id"]
        return page

    async def stacking(self, owner: str) -> set[str]:
        """Return the ids of this owner's achievements of which a version asks to hold others."""
        found = self._achievements.find({"owner": owner, "asks_for": {"$exists": True}}, {"achievement_id": 1})
        return {each["achievement_id"] for each in await found.to_list(None)}

    async def asked_for(self, keys: Iterable[str]) -> set[str]:
        """Return those of these achievements, OWNER/ID, that the rule of a version asks to hold."""
        # All tenants: an achievement that is shared may be asked for by any school of its owner.
        wanted = set(keys)
        found = await self._achievements.find({"asks_for": {"$in": sorted(wanted)}}, {"asks_for": 1}).to_list(None)
        return wanted.intersection(key for each in found for key in each["asks_for"])

    async def issuers(self, issuer_ids: Iterable[str]) -> dict[str, IssuerPublished]:
        """Return those of these issuers that have arrived, and their parents."""
        known = await self._issuers_alone(issuer_ids)
        parents = {issuer.parent for issuer in known.values() if issuer.parent is not None} - known.keys()
        return {**known, **await self._issuers_alone(parents)}

    async def resolve(
        self, pairs: Iterable[tuple[str, str]], issuers: dict[str, IssuerPublished]
    ) -> dict[tuple[str, str], AchievementPublished]:
        """Return the achievement version that decides, for each (issuer, achievement id) that has one.

        It is the newest version of the issuer's own achievement of that id, else of a shared one of its parent. With
        them come those that the issuer may award and whose rules ask to hold one of these, and so on upward.
        """
        wanted = {(issuer, achievement) for issuer, achievement in pairs if issuer in issuers}
        keys, above = await self._newest_keys(wanted, issuers)
        while above := above - wanted:
            wanted |= above
            more, above = await self._newest_keys(above, issuers)
            keys |= more
        versions = await self._versions(keys.values())
        self._unreadable_pairs.difference_update(wanted)
        self._unreadable_pairs.update(pair for pair, key in keys.items() if key not in versions)
        found = {pair: versions[key] for pair, key in keys.items() if key in versions}
        return {pair: version for pair, version in found.items() if version.shared or version.owner == pair[0]}

    async def _newest_keys(
        self, wanted: AbstractSet[Pair], issuers: dict[str, IssuerPublished]
    ) -> tuple[dict[Pair, str], set[Pair]]:
        """Return which version decides, by its key; and the pairs of which a version asks to hold one of these."""
        owners_of = {pair: [pair[0], issuers[pair[0]].parent or ""] for pair in wanted}
        owners = [owner for some in owners_of.values() for owner in some if owner in issuers]
        held = [f"{owner}/{pair[1]}" for pair, some in owners_of.items() for owner in some]
        of_owners = {"owner": {"$in": list(dict.fromkeys(owners))}}
        # Each part has its index.
        query = {
            "$or": [
                {**of_owners, "achievement_id": {"$in": list({achievement for _, achievement in wanted})}},
                {**of_owners, "asks_for": {"$in": list(dict.fromkeys(held))}},
            ]
        }
        newest: dict[Pair, _Found] = {}
        asking: dict[str, set[Pair]] = {}
        asked = {"shared": 1, "asks_for": 1}
        for each in all_readable(_found, await self._achievements.find(query, asked).to_list(None)):
            newest[each.place] = max(newest.get(each.place, each), each, key=lambda one: one.version)
            for key in each.asks_for:
                asking.setdefault(key, set()).add(each.place)
        keys: dict[Pair, str] = {}
        for pair, (own_id, parent_id) in owners_of.items():
            own, of_parent = newest.get((own_id, pair[1])), newest.get((parent_id, pair[1]))
            if own is not None:
                keys[pair] = own.key
            elif of_parent is not None and of_parent.may_be_shared:
                keys[pair] = of_parent.key
        above = {
            (pair[0], achievement)
            for pair, key in keys.items()
            for owner, achievement in asking.get(key.rpartition("/")[0], ())
            if owner in owners_of[pair]
        }
        return keys, above

    def unreadable(self, pairs: Iterable[Pair], issuers: dict[str, IssuerPublished]) -> dict[Pair, Hindrance]:
        """Return those of these that `issuers` and `resolve` left out since what is stored of them cannot be read.

        Where a parent cannot be read, that may be one of its shared achievements.
        """
        found: dict[Pair, Hindrance] = {}
        for pair in pairs:
            issuer = issuers.get(pair[0])
            if pair[0] in self._unreadable_issuers:
                found[pair] = Hindrance.ISSUER_UNUSABLE
            elif pair in self._unreadable_pairs:
                found[pair] = Hindrance.ACHIEVEMENT_UNUSABLE
            elif issuer is not None and issuer.parent in self._unreadable_issuers:
                found[pair] = Hindrance.ISSUER_UNUSABLE
        return found

    async def _issuers_alone(self, issuer_ids: Iterable[str]) -> dict[str, IssuerPublished]:
        wanted = set(issuer_ids)
        known = {each: issuer for each in wanted if (issuer := self._issuer_cache.get(each)) is not None}
        for found in await find_by_ids(self._issuers, "_id", wanted - known.keys()):
            issuer = readable(_read_issuer, found)
            if issuer is None:
                self._unreadable_issuers.add(found["_id"])
            else:
                known[issuer.issuer_id] = self._issuer_cache[issuer.issuer_id] = issuer
        self._unreadable_issuers.difference_update(known)
        return known

    async def _versions(self, keys: Iterable[str]) -> dict[str, AchievementPublished]:
        wanted = set(keys)
        known = {key: version for key in wanted if (version := self._version_cache.get(key)) is not None}
        for found in await find_by_ids(self._achievements, "_id", wanted - known.keys()):
            if (version := readable(_read_version, found)) is not None:
                known[version.version_key] = self._version_cache[version.version_key] = version
        return known


class _Found(NamedTuple):
    """What is asked of a stored version before it is read; whether it is shared, its event says."""

    place: Pair
    version: int
    may_be_shared: bool
    asks_for: Sequence[str]
    key: str


def _found(stored: Document) -> _Found:
    # By its id, which nobody can change.
    owner, achievement_id, version = stored["_id"].split("/")
    asks_for = stored.get("asks_for")
    asked = [str(each) for each in asks_for] if isinstance(asks_for, list) else []
    return _Found((owner, achievement_id), int(version), stored.get("shared") is not False, asked, stored["_id"])


def _read_issuer(stored: Document) -> IssuerPublished:
    issuer = IssuerPublished.model_validate_json(stored["event"])
    return _as_named(issuer, issuer.issuer_id, stored)


def _read_version(stored: Document) -> AchievementPublished:
    version = AchievementPublished.model_validate_json(stored["event"])
    return _as_named(version, version.version_key, stored)


def _is_whole(stored: Document) -> bool:
    """Return whether a version can be read, and found by what it says."""
    version = readable(_read_version, stored)
    if version is None:
        return False
    written = _achievement(version)
    return all(stored.get(name) == written[name] for name in ("owner", "achievement_id", "version", "shared"))


def _as_named(event: E, name: str, stored: Document) -> E:
    if name != stored["_id"]:
        raise ValueError("the event is another one's")
    return event


def _issuer(event: IssuerPublished) -> Document:
    return {
        "_id": event.issuer_id,
        "schema": 1,
        "version": event.version,
        "parent": event.parent,
        "name": event.name,
        "likenesses": sorted(likenesses(event.name)),
        "suspended": event.suspension is not None,
        "event": event.model_dump_json(),
    }


def _achievement(event: AchievementPublished) -> Document:
    return {
        "_id": event.version_key,
        "schema": 1,
        "owner": event.owner,
        "achievement_id": event.achievement_id,
        "version": event.version,
        "shared": event.shared,
        "name": event.name,
        **({"asks_for": asked} if (asked := [] if event.rule is None else asked_for(event.rule)) else {}),
        "event": event.model_dump_json(),
    }
