"""The collection `submissions`: rows as they were published, for the day that Kafka's disk is lost.

Names and addresses that came with them stand beside them, sealed, until the notifier has read them.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

import cramjam
from bson import Binary

from libs.common.damage import Damage, without_damaged
from libs.common.mongo import Collection, Database, Document, Index, find_by_ids
from libs.common.stored import MOMENT
from libs.contracts.events import EvidenceSubmitted, LearnerContact
from services.evidence.batches.contact_sealing import ContactSealing, SealedContacts

INDEXES = (
    Index("submissions", ("sent_at",)),
    Index("submissions", ("contacts_topic", "sent_at"), partial={"contacts_topic": {"$exists": True}}),
)

# Rows of a file are alike; the quickest level makes a tenth of them.
_LEVEL: Final = 1
_TOGETHER: Final = 20
_WITH_CONTACTS: Final = {"contacts_topic": {"$exists": True}}


def packed(bodies: Sequence[bytes]) -> bytes:
    """Return submissions, each as its JSON, as one small value: a line each, compressed (zstd). Pure."""
    return bytes(cramjam.zstd.compress(b"\n".join(bodies), _LEVEL))


def _sent(stored: Document) -> list[EvidenceSubmitted]:
    try:
        return _unpacked(stored["packed"])
    except cramjam.DecompressionError as error:
        raise ValueError("the packed rows cannot be unpacked") from error


def _unpacked(value: bytes) -> list[EvidenceSubmitted]:
    lines = bytes(cramjam.zstd.decompress(value)).split(b"\n")
    return [EvidenceSubmitted.model_validate_json(line) for line in lines]


class SentSubmissions:
    """What was published of each chunk of a batch, under the id of its first row."""

    def __init__(self, database: Database, rows: Collection) -> None:
        self._submissions = database["submissions"]
        self._rows = rows

    async def keep(
        self, submissions: Sequence[EvidenceSubmitted], value: bytes, contacts: SealedContacts | None = None
    ) -> None:
        """Keep what is published just now, at least one; done again after a crash it replaces what was kept."""
        first = submissions[0]
        document: Document = {
            "schema": 1,
            "issuer_id": first.issuer_id,
            "batch_id": first.batch_id,
            "sent_at": first.received_at,
            "packed": Binary(value),
        }
        if contacts is not None:
            document |= {"contacts_topic": contacts.topic, "contacts": Binary(contacts.sealed)}
        # By deterministic id, which the tenant's batch is part of.
        await self._submissions.replace_one({"_id": first.submission_id}, document, upsert=True)

    async def pending(self, damage: Damage | None = None) -> AsyncIterator[list[EvidenceSubmitted]]:
        """Yield what was published and nobody decided, some at a time; `damage` as in `without_damaged`."""
        # An operator's query, over all tenants.
        cursor = self._submissions.find({}, {"issuer_id": 1, "packed": 1}).sort("_id", 1).batch_size(_TOGETHER)
        async for each in cursor:
            found = without_damaged(damage, "evidence.submissions", [each], _sent)
            sent = {one.submission_id: one for some in found for one in some}
            for known in await find_by_ids(self._rows, "_id", sent, projection={"_id": 1}):
                del sent[known["_id"]]
            if sent:
                yield list(sent.values())

    async def contacts(self, sealing: ContactSealing, damage: Damage) -> AsyncIterator[list[LearnerContact]]:
        """Yield the contacts that are still kept, a chunk's at a time; `damage` as in `without_damaged`."""

        def opened(stored: Document) -> list[LearnerContact]:
            return sealing.open(stored["_id"], stored["issuer_id"], stored["contacts"])

        # An operator's query, over all tenants.
        fields = {"issuer_id": 1, "contacts": 1}
        async for each in self._submissions.find(_WITH_CONTACTS, fields).sort("sent_at", 1).batch_size(_TOGETHER):
            for found in without_damaged(damage, "evidence.submissions", [each], opened):
                yield found

    async def has_contacts(self) -> bool:
        """Return whether any contacts are still kept."""
        # All tenants, here and below: the loop serves each in its turn.
        return await self._submissions.find_one(_WITH_CONTACTS, {"_id": 1}) is not None

    async def remove_contacts(self, topic: str, before: datetime) -> None:
        """Remove the contacts of rows from before then that were published on the topic with this id."""
        read = {"contacts_topic": topic, "sent_at": {"$lt": before}}
        await self._submissions.update_many(read, {"$unset": {"contacts_topic": "", "contacts": ""}})

    async def oldest(self) -> datetime | None:
        """Return when the oldest that is still kept was published; None where there is none."""
        found = (
            await self._submissions.find({"sent_at": MOMENT}, {"sent_at": 1}).sort("sent_at", 1).limit(1).to_list(None)
        )
        return found[0]["sent_at"] if found else None

    async def ended(self, before: datetime) -> int:
        """Return how many that were published before then are still kept."""
        return await self._submissions.count_documents({"sent_at": {"$lt": before}})

    async def remove(self, before: datetime, limit: int) -> int:
        """Remove what was published before then, at most so many; return how many."""
        query = {"sent_at": {"$lt": before}}
        found = await self._submissions.find(query, {"_id": 1}).sort("sent_at", 1).limit(limit).to_list(None)
        if found:
            await self._submissions.delete_many({"_id": {"$in": [each["_id"] for each in found]}})
        return len(found)
