"""Issuers and achievement versions in MongoDB, materialised from the catalogue topic, with caches before them."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from time import monotonic

from cachetools import LRUCache, TTLCache
from pymongo import DESCENDING

from libs.common.mongo import Database, Document, Index, find_by_ids, insert_new, upsert_newest
from libs.common.telemetry import get_logger
from libs.contracts.events import AUTHORITY_ID, AchievementPublished, AuthorityPublished, IssuerPublished
from libs.openbadges.trust.names import likenesses, sought_likenesses
from services.issuer.credentials.hindrance import Hindrance, Pair

INDEXES: Sequence[Index] = (
    Index("achievements", ["owner", "achievement_id", "version"], unique=True),
    Index("issuers", ["likenesses"]),
)

CatalogueEvent = IssuerPublished | AchievementPublished | AuthorityPublished

_REMEMBERED = 10_000
_UNREADABLE = (ValueError, KeyError, TypeError)
# Read at one go: some milliseconds.
_TOGETHER = 500
# A profile can be published anew; an achievement version never changes.
_ISSUER_REMEMBERED_SECONDS = 10.0


class Catalogue:
    """The collections `issuers`, `achievements` and `authority_document`. Absence is never cached."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = monotonic) -> None:
        self._issuers = database["issuers"]
        self._achievements = database["achievements"]
        self._authority = database["authority_document"]
        self._issuer_cache: TTLCache[str, IssuerPublished] = TTLCache(_REMEMBERED, _ISSUER_REMEMBERED_SECONDS, clock)
        self._version_cache: LRUCache[str, AchievementPublished] = LRUCache(_REMEMBERED)
        # What was met last and could not be read: as good as nothing, unless the database was tampered with.
        self._unreadable_issuers: set[str] = set()
        self._unreadable_pairs: set[Pair] = set()

    async def store_issuers(self, events: Sequence[IssuerPublished]) -> None:
        """Keep the newest version of each issuer."""
        issuers = [_issuer(event) for event in events]
        await upsert_newest(self._issuers, issuers, order="version")
        for issuer in issuers:
            self._issuer_cache.pop(issuer["_id"], None)

    async def store_achievements(self, events: Sequence[AchievementPublished]) -> None:
        """Keep every version of each achievement."""
        achievements = {event.version_key: _achievement(event) for event in events}
        await insert_new(self._achievements, list(achievements.values()))

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
        """Return whether this version, or a newer one of an issuer or of the authority, is in the database."""
        if isinstance(event, IssuerPublished):
            query = {"_id": event.issuer_id, "version": {"$gte": event.version}}
            return await self._issuers.find_one(query, {"_id": 1}) is not None
        if isinstance(event, AuthorityPublished):
            query = {"_id": event.authority_id, "version": {"$gte": event.version}}
            return await self._authority.find_one(query, {"_id": 1}) is not None
        return await self._achievements.find_one({"_id": event.version_key}, {"_id": 1}) is not None

    async def newest_issuer(self, issuer_id: str) -> IssuerPublished | None:
        """Return the newest version of an issuer that has arrived, if any, past the cache."""
        found = await self._issuers.find_one({"_id": issuer_id}, {"event": 1})
        return None if found is None else IssuerPublished.model_validate_json(found["event"])

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
            yield [issuer for each in found if (issuer := _readable_issuer(each)) is not None]

    async def every_version(self) -> AsyncIterator[Sequence[AchievementPublished]]:
        """Return every version of every achievement that has arrived, some at a time, sorted by key."""
        # All tenants: for publishing them again.
        cursor = self._achievements.find({}, {"event": 1}).sort("_id", 1).batch_size(_TOGETHER)
        while found := await cursor.to_list(_TOGETHER):
            yield [AchievementPublished.model_validate_json(each["event"]) for each in found]

    async def suspended(self, issuer_ids: Iterable[str]) -> set[str]:
        """Return those of these issuers that may issue nothing, past the cache."""
        query = {"_id": {"$in": list(issuer_ids)}, "suspended": True}
        return {found["_id"] for found in await self._issuers.find(query, {"_id": 1}).to_list(None)}

    async def look_alikes(self, name: str, besides: str) -> list[str]:
        """Return the ids of issuers, other than `besides`, for whom this name could be taken; ten at most."""
        query = {"likenesses": {"$in": sorted(sought_likenesses(name))}, "_id": {"$ne": besides}}
        return [found["_id"] for found in await self._issuers.find(query, {"_id": 1}).limit(10).to_list(None)]

    async def newest_version(self, owner: str, achievement_id: str) -> AchievementPublished | None:
        """Return the newest version that has arrived, if any."""
        query = {"owner": owner, "achievement_id": achievement_id}
        found = await self._achievements.find_one(query, sort=[("version", DESCENDING)])
        return None if found is None else AchievementPublished.model_validate_json(found["event"])

    async def issuers(self, issuer_ids: Iterable[str]) -> dict[str, IssuerPublished]:
        """Return those of these issuers that have arrived, and their parents."""
        known = await self._issuers_alone(issuer_ids)
        parents = {issuer.parent for issuer in known.values() if issuer.parent is not None} - known.keys()
        return {**known, **await self._issuers_alone(parents)}

    async def resolve(
        self, pairs: Iterable[tuple[str, str]], issuers: dict[str, IssuerPublished]
    ) -> dict[tuple[str, str], AchievementPublished]:
        """Return the achievement version that decides, for each (issuer, achievement id) that has one.

        It is the newest version of the issuer's own achievement of that id, else of a shared one of its parent.
        """
        wanted = {(issuer, achievement) for issuer, achievement in pairs if issuer in issuers}
        owners = {issuer for issuer, _ in wanted} | {issuers[issuer].parent for issuer, _ in wanted}
        query = {
            "owner": {"$in": [owner for owner in owners if owner in issuers]},
            "achievement_id": {"$in": list({achievement for _, achievement in wanted})},
        }
        newest: dict[tuple[str, str], tuple[int, bool, str]] = {}
        cursor = self._achievements.find(query, {"owner": 1, "achievement_id": 1, "version": 1, "shared": 1})
        for each in await cursor.to_list(None):
            place = each["owner"], each["achievement_id"]
            newest[place] = max(newest.get(place, (0, False, "")), (each["version"], each["shared"], each["_id"]))
        keys: dict[tuple[str, str], str] = {}
        for issuer, achievement in wanted:
            own = newest.get((issuer, achievement))
            of_parent = newest.get((issuers[issuer].parent or "", achievement))
            if own is not None:
                keys[issuer, achievement] = own[2]
            elif of_parent is not None and of_parent[1]:
                keys[issuer, achievement] = of_parent[2]
        versions = await self._versions(keys.values())
        self._unreadable_pairs.difference_update(wanted)
        self._unreadable_pairs.update(pair for pair, key in keys.items() if key not in versions)
        return {pair: versions[key] for pair, key in keys.items() if key in versions}

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
            issuer = _readable_issuer(found)
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
            try:
                version = AchievementPublished.model_validate_json(found["event"])
            except _UNREADABLE as error:
                get_logger().error("an achievement cannot be read", version=found["_id"], problem=type(error).__name__)
            else:
                known[version.version_key] = self._version_cache[version.version_key] = version
        return known


def _readable_issuer(stored: Document) -> IssuerPublished | None:
    try:
        return IssuerPublished.model_validate_json(stored["event"])
    except _UNREADABLE as error:
        get_logger().error("an issuer cannot be read", issuer=stored["_id"], problem=type(error).__name__)
        return None


def _issuer(event: IssuerPublished) -> Document:
    return {
        "_id": event.issuer_id,
        "schema": 1,
        "version": event.version,
        "parent": event.parent,
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
        "event": event.model_dump_json(),
    }
