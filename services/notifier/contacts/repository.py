"""Names and addresses of learners: the one collection that holds them, and nothing else of the learner."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pymongo import DeleteOne, UpdateOne

from libs.common.damage import Damage, without_damaged
from libs.common.mongo import Database, Document, Index, find_by_ids, insert_new, upsert_newest
from libs.common.stored import MOMENT, all_readable
from libs.contracts.events import LearnerContact

INDEXES: Sequence[Index] = (Index("contacts", ["life_from"]),)
_TOGETHER = 500
_FIELDS = ("name", "email")


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach and to greet a learner who has an address."""

    email: str
    name: str | None


class Contacts:
    """Queries are by learner id, which is derived from the issuer's id: it carries the tenant within."""

    def __init__(self, database: Database) -> None:
        self._contacts = database["contacts"]

    async def store(self, events: Sequence[LearnerContact]) -> set[UUID]:
        """Store the newest name and the newest address of each learner; return whose were there already.

        An event that gives one of them alone says nothing of the other: a tombstone erases, nothing else does. So each
        has a moment of its own. Most learners are new, and stored by the insert alone.
        """
        there = await insert_new(self._contacts, [_document(event, _FIELDS) for event in events])
        for name in _FIELDS:
            given = [event for event in events if event.learner_id in there and getattr(event, name) is not None]
            documents = [_document(event, (name,)) for event in given]
            await upsert_newest(self._contacts, documents, order=f"{name}_changed_at")
        return there

    async def forget(self, learner_ids: Sequence[UUID]) -> None:
        """Delete name and address of these learners."""
        await self._contacts.delete_many({"_id": {"$in": list(learner_ids)}})

    async def erase(self, erased: Mapping[UUID, datetime]) -> None:
        """Delete what was given of these learners, each up to its moment."""
        updates: list[UpdateOne | DeleteOne] = []
        for learner_id, at in erased.items():
            nothing_since = {f"{name}_changed_at": {"$not": {"$gt": at}} for name in _FIELDS}
            updates.append(DeleteOne({"_id": learner_id, **nothing_since}))
            for name in _FIELDS:
                moment = f"{name}_changed_at"
                updates.append(UpdateOne({"_id": learner_id, moment: {"$lte": at}}, {"$unset": {name: "", moment: ""}}))
        if updates:
            await self._contacts.bulk_write(updates)

    async def oldest(self) -> datetime | None:
        """Return when the contact was given or needed last for which that is longest ago; None where there is none."""
        # All tenants, here and below: the loop serves each in its turn.
        oldest = (
            await self._contacts.find({"life_from": MOMENT}, {"life_from": 1})
            .sort("life_from", 1)
            .limit(1)
            .to_list(None)
        )
        return oldest[0]["life_from"] if oldest else None

    async def count_unused(self, before: datetime) -> int:
        """Return how many contacts were neither given nor needed since then."""
        return await self._contacts.count_documents({"life_from": {"$lt": before}})

    async def unused(self, before: datetime, limit: int) -> dict[UUID, str]:
        """Return learners whose contact was neither given nor needed since then, and their issuers, oldest first."""
        found = self._contacts.find({"life_from": {"$lt": before}}, {"issuer_id": 1}).sort("life_from", 1).limit(limit)
        return dict(all_readable(owned, await found.to_list(None), self._contacts))

    async def keep_from(self, needed: Mapping[UUID, datetime]) -> None:
        """Let the life of these learners' contacts begin when they were needed last."""
        if needed:
            updates = [UpdateOne({"_id": each}, {"$max": {"life_from": at}}) for each, at in needed.items()]
            await self._contacts.bulk_write(updates, ordered=False)

    async def end(self, before: Mapping[UUID, datetime]) -> None:
        """Delete the contacts of these learners, each unless it was given or needed since its moment."""
        if before:
            ends = [DeleteOne({"_id": each, "life_from": {"$lt": moment}}) for each, moment in before.items()]
            await self._contacts.bulk_write(ends, ordered=False)

    async def stored(self, learner_ids: Iterable[UUID]) -> list[LearnerContact]:
        """Return the contacts of those of these learners who have one, as the events that gave them last."""
        found = await find_by_ids(self._contacts, "_id", learner_ids)
        return all_readable(_event, [each for each in found if not each.keys().isdisjoint(_FIELDS)], self._contacts)

    async def everything(self, damage: Damage | None = None) -> AsyncIterator[Sequence[LearnerContact]]:
        """Yield every contact with an address as it stands now, some at a time; `damage` as for `without_damaged`."""
        # An operator's query, over all tenants.
        cursor = self._contacts.find({"email": {"$exists": True}}).batch_size(_TOGETHER)
        while found := await cursor.to_list(_TOGETHER):
            yield without_damaged(damage, "notifier.contacts", found, _with_address)

    async def reachable(self, learner_ids: Iterable[UUID]) -> dict[UUID, Contact]:
        """Return the contacts of those of these learners who have an address."""
        found = await find_by_ids(self._contacts, "_id", learner_ids)
        return dict(all_readable(reachable_contact, [each for each in found if each.get("email")], self._contacts))


def _event(document: Document) -> LearnerContact:
    return LearnerContact(
        learner_id=document["_id"],
        issuer_id=document["issuer_id"],
        name=document.get("name"),
        email=document.get("email"),
        changed_at=max(document[f"{name}_changed_at"] for name in _FIELDS if name in document),
    )


def _document(event: LearnerContact, names: Iterable[str]) -> Document:
    """Return the contact with those of these fields that the event gives, each with its moment."""
    document: Document = {"_id": event.learner_id, "schema": 1, "issuer_id": event.issuer_id}
    for name in names:
        if getattr(event, name) is not None:
            document |= {name: getattr(event, name), f"{name}_changed_at": event.changed_at}
    if "email" in names:  # a new document, or a new address
        document["life_from"] = event.changed_at
    return document


def owned(stored: Document) -> tuple[UUID, str]:
    """Return whose contact it is, of which school."""
    if not isinstance(stored["issuer_id"], str):
        raise TypeError("a contact without its school")
    return stored["_id"], stored["issuer_id"]


def reachable_contact(stored: Document) -> tuple[UUID, Contact]:
    email, name = stored["email"], stored.get("name")
    if not isinstance(email, str) or not isinstance(name, str | None):
        raise TypeError("a contact whose name or address is no text")
    return stored["_id"], Contact(email, name)


def _with_address(stored: Document) -> LearnerContact:
    return LearnerContact(
        learner_id=stored["_id"],
        issuer_id=stored["issuer_id"],
        name=stored.get("name"),
        email=stored["email"],
        changed_at=stored["email_changed_at"],
    )
