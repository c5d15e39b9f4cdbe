"""What the mail's text needs of the catalogue: names of issuers, and what each level of an achievement means."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic

from pymongo import UpdateOne

from libs.common.mongo import Database, Document, find_by_ids, insert_new
from libs.contracts.events import AchievementPublished, IssuerPublished
from libs.contracts.results import SoloLevel

# An issuer may be renamed; a mail may carry the old name this much longer.
_REMEMBERED_SECONDS = 60.0
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class LevelText:
    """The name and description that the achievement's author gave a level."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class AchievementText:
    """One published version of an achievement, as far as the mail tells of it."""

    name: str
    description: str
    levels: dict[SoloLevel, LevelText]


class Catalogue:
    """Issuers and achievement versions, public to all tenants of this service, with a short memory in the process."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._issuers = database["issuers"]
        self._achievements = database["achievements"]
        self._clock = clock
        self._names: dict[str, tuple[float, str]] = {}
        self._texts: dict[str, AchievementText] = {}

    async def keep_issuers(self, events: Sequence[IssuerPublished]) -> None:
        """Store each issuer's name unless a newer profile is stored."""
        newest = {event.issuer_id: event for event in sorted(events, key=lambda event: event.published_at)}
        documents: list[Document] = [
            {"_id": event.issuer_id, "schema": 1, "name": event.name, "published_at": event.published_at}
            for event in newest.values()
        ]
        there = await insert_new(self._issuers, documents)
        updates = [
            UpdateOne(
                {"_id": document["_id"], "published_at": {"$lt": document["published_at"]}},
                {"$set": {"name": document["name"], "published_at": document["published_at"]}},
            )
            for document in documents
            if document["_id"] in there
        ]
        if updates:
            await self._issuers.bulk_write(updates, ordered=False)

    async def keep_achievements(self, events: Sequence[AchievementPublished]) -> None:
        """Store achievement versions; one that is there stays as it is, for a published version never changes."""
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

    async def issuer_names(self, issuer_ids: Iterable[str]) -> dict[str, str]:
        """The names of those of these issuers that are known."""
        now = self._clock()
        known = {
            each: self._names[each][1] for each in issuer_ids if each in self._names and now < self._names[each][0]
        }
        missing = set(issuer_ids) - set(known)
        if missing:
            if len(self._names) > _REMEMBERED:
                self._names.clear()
            for found in await find_by_ids(self._issuers, "_id", missing):
                known[found["_id"]] = found["name"]
                self._names[found["_id"]] = (now + _REMEMBERED_SECONDS, found["name"])
        return known

    async def achievement_texts(self, keys: Iterable[str]) -> dict[str, AchievementText]:
        """The texts of those of these achievement versions (OWNER/ID/VERSION) that are known."""
        known = {key: self._texts[key] for key in keys if key in self._texts}
        missing = set(keys) - set(known)
        if missing:
            if len(self._texts) > _REMEMBERED:
                self._texts.clear()
            for found in await find_by_ids(self._achievements, "_id", missing):
                known[found["_id"]] = self._texts[found["_id"]] = _text(found)
        return known


def _text(document: Document) -> AchievementText:
    levels = {SoloLevel(level["level"]): LevelText(level["name"], level["description"]) for level in document["levels"]}
    return AchievementText(document["name"], document["description"], levels)
