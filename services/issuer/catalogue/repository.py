"""The catalogue as this service knows it: issuers and achievement versions, materialised from the catalogue topic."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from time import monotonic

from pymongo import DESCENDING

from libs.common.mongo import Database, Index, find_by_ids, insert_new
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import AchievementPublished, IssuerPublished

INDEXES: Sequence[Index] = (Index("achievements", ["owner", "achievement_id", "version"], unique=True),)

CatalogueEvent = IssuerPublished | AchievementPublished

_REMEMBERED = 10_000
# A profile can be published anew; an achievement version never changes.
_ISSUER_REMEMBERED_SECONDS = 10.0


class Catalogue:
    """The collections `issuers` and `achievements`, with small caches before them. Absence is never cached."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = monotonic) -> None:
        self._issuers = database["issuers"]
        self._achievements = database["achievements"]
        self._clock = clock
        self._issuer_cache: OrderedDict[str, tuple[float, IssuerPublished]] = OrderedDict()
        self._version_cache: OrderedDict[str, AchievementPublished] = OrderedDict()

    async def apply(self, batch: Sequence[Received[CatalogueEvent]]) -> Sequence[Outgoing]:
        """Effect of a batch of the catalogue: the newest profile of an issuer, and every version of an achievement."""
        versions = []
        for received in batch:
            event = received.event
            if isinstance(event, IssuerPublished):
                await self._issuers.replace_one(
                    {"_id": event.issuer_id},
                    {"schema": 1, "parent": event.parent, "event": event.model_dump_json()},
                    upsert=True,
                )
            elif isinstance(event, AchievementPublished):
                versions.append(
                    {
                        "_id": event.version_key,
                        "schema": 1,
                        "owner": event.owner,
                        "achievement_id": event.achievement_id,
                        "version": event.version,
                        "shared": event.shared,
                        "event": event.model_dump_json(),
                    }
                )
        await insert_new(self._achievements, list({each["_id"]: each for each in versions}.values()))
        return []

    async def knows(self, event: CatalogueEvent) -> bool:
        """Whether this has arrived in the database."""
        if isinstance(event, IssuerPublished):
            return await self._issuers.find_one({"_id": event.issuer_id}, {"_id": 1}) is not None
        return await self._achievements.find_one({"_id": event.version_key}, {"_id": 1}) is not None

    async def newest_version(self, owner: str, achievement_id: str) -> AchievementPublished | None:
        """The newest version that has arrived, if any."""
        query = {"owner": owner, "achievement_id": achievement_id}
        found = await self._achievements.find_one(query, sort=[("version", DESCENDING)])
        return None if found is None else AchievementPublished.model_validate_json(found["event"])

    async def issuers(self, issuer_ids: Iterable[str]) -> dict[str, IssuerPublished]:
        """Those of these issuers that are known, each with its parent."""
        known = await self._issuers_alone(issuer_ids)
        parents = {issuer.parent for issuer in known.values() if issuer.parent is not None} - known.keys()
        return {**known, **await self._issuers_alone(parents)}

    async def resolve(
        self, pairs: Iterable[tuple[str, str]], issuers: dict[str, IssuerPublished]
    ) -> dict[tuple[str, str], AchievementPublished]:
        """The achievement version that decides, for each (issuer, achievement id) that has one.

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
        return {pair: versions[key] for pair, key in keys.items()}

    async def _issuers_alone(self, issuer_ids: Iterable[str]) -> dict[str, IssuerPublished]:
        known, missing, now = {}, [], self._clock()
        for issuer_id in issuer_ids:
            remembered = self._issuer_cache.get(issuer_id)
            if remembered is not None and now < remembered[0]:
                known[issuer_id] = remembered[1]
            else:
                missing.append(issuer_id)
        for found in await find_by_ids(self._issuers, "_id", missing):
            issuer = IssuerPublished.model_validate_json(found["event"])
            known[issuer.issuer_id] = issuer
            self._issuer_cache[issuer.issuer_id] = now + _ISSUER_REMEMBERED_SECONDS, issuer
            if len(self._issuer_cache) > _REMEMBERED:
                self._issuer_cache.popitem(last=False)
        return known

    async def _versions(self, keys: Iterable[str]) -> dict[str, AchievementPublished]:
        wanted = set(keys)
        known = {key: self._version_cache[key] for key in wanted if key in self._version_cache}
        for found in await find_by_ids(self._achievements, "_id", wanted - known.keys()):
            version = AchievementPublished.model_validate_json(found["event"])
            known[version.version_key] = self._version_cache[version.version_key] = version
            if len(self._version_cache) > _REMEMBERED:
                self._version_cache.popitem(last=False)
        return known
