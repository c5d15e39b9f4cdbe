"""Names and addresses of learners: the one collection that holds them, and nothing else of the learner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from pymongo import UpdateOne

from libs.common.mongo import Database, Document, find_by_ids, insert_new
from libs.contracts.events import LearnerContact


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach and to greet a learner who has an address."""

    email: str
    name: str | None


class Contacts:
    """Queries are by learner id, which is derived from the issuer's id: it carries the tenant within."""

    def __init__(self, database: Database) -> None:
        self._contacts = database["contacts"]

    async def keep(self, events: Sequence[LearnerContact]) -> None:
        """Store each learner's contact unless a newer one is stored; `events` holds each learner at most once."""
        documents = [_document(event) for event in events]
        # An upsert that asks 'older than mine?' would fail on a duplicate key both when the stored one is newer and
        # when another process has just inserted an older one. Insert, then update where older: no such doubt.
        there = await insert_new(self._contacts, documents)
        updates = [
            UpdateOne(
                {"_id": document["_id"], "changed_at": {"$lt": document["changed_at"]}},
                # What this event does not say is not unsaid: a tombstone erases, nothing else does.
                {"$set": {name: value for name, value in document.items() if name != "_id" and value is not None}},
            )
            for document in documents
            if document["_id"] in there
        ]
        if updates:
            await self._contacts.bulk_write(updates, ordered=False)

    async def erase(self, learner_ids: Sequence[UUID]) -> None:
        """Forget name and address of these learners."""
        await self._contacts.delete_many({"_id": {"$in": list(learner_ids)}})

    async def reachable(self, learner_ids: Iterable[UUID]) -> dict[UUID, Contact]:
        """The contacts of those of these learners who have an address."""
        found = await find_by_ids(self._contacts, "_id", learner_ids)
        return {each["_id"]: Contact(each["email"], each.get("name")) for each in found if each.get("email")}


def _document(event: LearnerContact) -> Document:
    return {
        "_id": event.learner_id,
        "schema": 1,
        "issuer_id": event.issuer_id,
        "name": event.name,
        "email": event.email,
        "changed_at": event.changed_at,
    }
