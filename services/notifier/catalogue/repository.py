"""Names of issuers and texts of achievement versions in MongoDB, as mail needs them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

from cachetools import LRUCache, TTLCache

from libs.common.mongo import Database, Document, find_by_ids, insert_new, upsert_newest
from libs.common.stored import Text, all_readable, typed
from libs.contracts.events import AchievementLevel, AchievementPublished, IssuerPublished
from libs.contracts.results import SoloLevel

# An issuer may be renamed; a mail may carry the old name this much longer.
_REMEMBERED_SECONDS = 60.0
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class IssuerText:
    """What mail says of an issuer.

    Attributes:
        email: its public address, where it names one.
        department: the name of its department, where it has one that has arrived.
    """

    name: str
    email: str | None = None
    department: str | None = None


@dataclass(frozen=True, slots=True)
class LevelText:
    """The name and description that the achievement's author gave a level."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class AchievementText:
    """One published version of an achievement, as far as mail needs it."""

    name: str
    description: str
    levels: dict[SoloLevel, LevelText]


class Catalogue:
    """Issuers and achievement versions, public to all tenants of this service. Absence is never cached."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._issuers = database["issuers"]
        self._achievements = database["achievements"]
        self._known: TTLCache[str, IssuerText] = TTLCache(_REMEMBERED, _REMEMBERED_SECONDS, clock)
        self._texts: LRUCache[str, AchievementText] = LRUCache(_REMEMBERED)

    async def store_issuers(self, events: Sequence[IssuerPublished]) -> None:
        """Store what the newest version of each issuer's profile says of it."""
        documents: list[Document] = [
            {
                "_id": event.issuer_id,
                "schema": 1,
                "version": event.version,
                "name": event.name,
                "email": event.email,
                "parent": event.parent,
            }
            for event in events
        ]
        await upsert_newest(self._issuers, documents, order="version")

    async def store_achievements(self, events: Sequence[AchievementPublished]) -> None:
        """Store achievement versions; one that is stored stays as it is, for a published version never changes."""
        documents: dict[str, Document] = {
            event.version_key: {
                "_id": event.version_key,
                "schema": 1,
                "name": event.name,
                "description": event.description,
                "levels": [level.model_dump(mode="json") for level in event.levels],
            }
            for event in events
        }
        await insert_new(self._achievements, list(documents.values()))

    async def issuers(self, issuer_ids: Iterable[str]) -> dict[str, IssuerText]:
        """Return those of these issuers that have arrived."""
        wanted = set(issuer_ids)
        known = {each: text for each in wanted if (text := self._known.get(each)) is not None}
        missing = await find_by_ids(self._issuers, "_id", wanted - known.keys())
        parents = {parent for found in missing if isinstance(parent := found.get("parent"), str)}
        departments = await find_by_ids(self._issuers, "_id", parents)
        names = {each.id: each.name for each in all_readable(stored_issuer, departments, self._issuers)}
        for each in all_readable(stored_issuer, missing, self._issuers):
            text = IssuerText(each.name, each.email, names.get(each.parent or ""))
            known[each.id] = self._known[each.id] = text
        return known

    async def achievement_texts(self, keys: Iterable[str]) -> dict[str, AchievementText]:
        """Return the texts of those of these achievement versions (OWNER/ID/VERSION) that have arrived."""
        wanted = set(keys)
        known = {key: text for key in wanted if (text := self._texts.get(key)) is not None}
        found = await find_by_ids(self._achievements, "_id", wanted - known.keys())
        for each in all_readable(stored_achievement, found, self._achievements):
            levels = {level.level: LevelText(level.name, level.description) for level in each.levels}
            known[each.id] = self._texts[each.id] = AchievementText(each.name, each.description, levels)
        return known


class _Issuer(NamedTuple):
    """What is stored of an issuer."""

    id: str
    name: Text
    email: str | None
    parent: str | None


class _Achievement(NamedTuple):
    """What is stored of a version of an achievement."""

    id: str
    name: Text
    description: str
    levels: list[AchievementLevel]


stored_issuer, stored_achievement = typed(_Issuer, id="_id"), typed(_Achievement, id="_id")
