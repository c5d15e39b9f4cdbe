"""Names and addresses of learners: the one collection that holds them, and nothing else of the learner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.common.mongo import Database, Document, find_by_ids, insert_new, upsert_newest
from libs.contracts.events import LearnerContact

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

    async def store(self, events: Sequence[LearnerContact]) -> None:
        """Store the newest name and the newest address of each learner.

        An event that gives one of them alone says nothing of the other: a tombstone erases, nothing else does. So each
        has a moment of its own. Most learners are new, and stored by the insert alone.
        """
        there = await insert_new(self._contacts, [_document(event, _FIELDS) for event in events])
        for name in _FIELDS:
            given = [event for event in events if event.learner_id in there and getattr(event, name) is not None]
            documents = [_document(event, (name,)) for event in given]
            await upsert_newest(self._contacts, documents, order=f"{name}_changed_at")

    async def erase(self, learner_ids: Sequence[UUID]) -> None:
        """Delete name and address of these learners."""
        await self._contacts.delete_many({"_id": {"$in": list(learner_ids)}})

    async def reachable(self, learner_ids: Iterable[UUID]) -> dict[UUID, Contact]:
        """Return the contacts of those of these learners who have an address."""
        found = await find_by_ids(self._contacts, "_id", learner_ids)
        return {each["_id"]: Contact(each["email"], each.get("name")) for each in found if each.get("email")}


def _document(event: LearnerContact, names: Iterable[str]) -> Document:
    """Return the contact with those of these fields that the event gives, each with its moment."""
    document: Document = {"_id": event.learner_id, "schema": 1, "issuer_id": event.issuer_id}
    for name in names:
        if getattr(event, name) is not None:
            document |= {name: getattr(event, name), f"{name}_changed_at": event.changed_at}
    return document
