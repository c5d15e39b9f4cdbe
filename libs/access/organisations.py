"""Organisations in a service's own database, from the catalogue topic: the collection `organisations`, and its tree."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from re import escape

from libs.common.damage import Damage, readable_page, without_damaged
from libs.common.mongo import Database, Document, Index, find_by_ids, upsert_newest
from libs.common.stored import all_readable, require_readable
from libs.contracts.events import OrganisationPublished
from libs.contracts.organisations import OrganisationKind

INDEXES: Sequence[Index] = (
    Index("organisations", ["parent"]),
    Index("organisations", ["identifiers"]),
)

DEEPEST = 10
"""So many organisations may stand above one another."""

_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Sought:
    """Which organisations are asked for: those that meet all of it.

    Attributes:
        text: stands in the name, whatever its case.
        identifier: SCHEME:VALUE.
        is_open: whether it takes evidence on the day `today`; None for any.
    """

    kind: OrganisationKind | None = None
    text: str | None = None
    identifier: str | None = None
    is_open: bool | None = None
    today: date | None = None


class OrganisationStore:
    """The newest version of each organisation.

    The tree is read as it is at that moment: nothing is remembered. Two who move organisations at one moment could make
    a circle; every walk ends all the same.
    """

    def __init__(self, database: Database) -> None:
        self._collection = database["organisations"]

    async def store(self, events: Sequence[OrganisationPublished]) -> None:
        """Keep the newest version of each organisation."""
        await upsert_newest(self._collection, [_document(event) for event in events], order="version")

    async def has_arrived(self, event: OrganisationPublished) -> bool:
        """Return whether this version, or a newer one, is in the database."""
        query = {"_id": event.organisation_id, "version": {"$gte": event.version}}
        return await self._collection.find_one(query, {"_id": 1}) is not None

    async def newest(self, organisation_id: str) -> OrganisationPublished | None:
        """Return the newest version of an organisation that has arrived, if any.

        Raises:
            UnreadableError: it was damaged.
        """
        found = await self._collection.find_one({"_id": organisation_id}, {"event": 1, "version": 1})
        return None if found is None else require_readable(_event, found, f"organisation {organisation_id}")

    async def by_ids(self, organisation_ids: Iterable[str]) -> dict[str, OrganisationPublished]:
        """Return those of these that have arrived."""
        found = await find_by_ids(self._collection, "_id", organisation_ids, projection={"event": 1})
        return {each.organisation_id: each for each in all_readable(_event, found)}

    async def everything(self, damage: Damage | None = None) -> AsyncIterator[Sequence[OrganisationPublished]]:
        """Yield each organisation's newest version, some at a time, by id; `damage` as in `without_damaged`."""
        # All tenants: for publishing them again.
        cursor = self._collection.find({}, {"event": 1}).sort("_id", 1).batch_size(_TOGETHER)
        while found := await cursor.to_list(_TOGETHER):
            yield without_damaged(damage, f"{self._collection.database.name}.organisations", found, _event)

    async def page(
        self, sought: Sought, among: Collection[str] | None, after: str, limit: int
    ) -> list[OrganisationPublished]:
        """Return those that are sought, of these ids alone unless it is None, sorted, from the one after `after`."""
        ids: Document = {"$gt": after}
        if among is not None:
            ids["$in"] = sorted(among)
        query: Document = {"_id": ids}
        if sought.kind is not None:
            query["kind"] = sought.kind.value
        if sought.text is not None:
            query["name"] = {"$regex": escape(sought.text), "$options": "i"}
        if sought.identifier is not None:
            query["identifiers"] = sought.identifier
        if sought.is_open is not None and sought.today is not None:
            ended = {"$lt": sought.today.isoformat()}
            query["last_day"] = {"$not": ended} if sought.is_open else ended
        event = {"event": 1}
        return await readable_page(self._collection, query, _event, order=[("_id", 1)], limit=limit, projection=event)

    async def holders(self, identifiers: Iterable[str]) -> dict[str, str]:
        """Return whose these identifiers are (SCHEME:VALUE), of those that are somebody's."""
        wanted = set(identifiers)
        found = await find_by_ids(self._collection, "identifiers", wanted, projection={"identifiers": 1})
        return {text: each["_id"] for each in found for text in wanted.intersection(each["identifiers"])}

    async def above(self, organisation_id: str) -> list[str]:
        """Return the ids of the organisations above this one, the nearest first; none where it is not known."""
        found: list[str] = []
        current = organisation_id
        while len(found) < DEEPEST:
            stored = await self._collection.find_one({"_id": current}, {"parent": 1})
            parent = None if stored is None else stored["parent"]
            if parent is None or parent == organisation_id or parent in found:
                break
            found.append(parent)
            current = parent
        return found

    async def below(self, organisation_id: str) -> frozenset[str]:
        """Return the ids of the organisations below this one, and its own."""
        found = {organisation_id}
        level = found
        for _ in range(DEEPEST):
            children = await find_by_ids(self._collection, "parent", level, projection={"_id": 1})
            level = {each["_id"] for each in children} - found
            if not level:
                break
            found |= level
        return frozenset(found)

    async def last_day(self, organisation_id: str) -> date | None:
        """Return the last day on which it takes evidence; None where there is no end, or no such organisation."""
        found = await self._collection.find_one({"_id": organisation_id}, {"last_day": 1})
        last_day = None if found is None else found["last_day"]
        return None if last_day is None else date.fromisoformat(last_day)


def _document(event: OrganisationPublished) -> Document:
    return {
        "_id": event.organisation_id,
        "schema": 1,
        "version": event.version,
        "kind": event.kind.value,
        "name": event.name,
        "parent": event.parent,
        "identifiers": [each.text for each in event.identifiers],
        # As text, whose order is that of days.
        "last_day": None if event.closing is None else event.closing.last_day.isoformat(),
        "event": event.model_dump_json(),
    }


def _event(found: Document) -> OrganisationPublished:
    return OrganisationPublished.model_validate_json(found["event"])
