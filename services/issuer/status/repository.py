"""Status lists in MongoDB: how far each is allocated, and what of it is published. A list keeps no bits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import Binary
from pymongo import DESCENDING, ReturnDocument
from pymongo.read_concern import ReadConcern

from libs.common.mongo import Database, Document, Index, insert_new
from services.issuer.renewal.repository import UNPUBLISHED, Versioned, VersionedRepository

INDEXES: Sequence[Index] = (
    Index("status_lists", ["issuer_id", "number"], unique=True),
    Index("status_lists", ["renew_at"]),
    Index("status_lists", ["signed_at"]),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredList(Versioned):
    """One list.

    Attributes:
        number: of the lists of its issuer.
        next: how many entries are allocated; at least the size where it is full.
    """

    issuer_id: str
    number: int
    next: int
    permutation_key: bytes


class StatusListRepository(VersionedRepository[StoredList]):
    """The collection `status_lists`: ISSUER-1, ISSUER-2 and so on. Reads are of majority-committed data."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.get_collection("status_lists", read_concern=ReadConcern("majority")))

    async def newest(self, issuer_id: str) -> StoredList | None:
        """Return the list with the highest number of an issuer."""
        found = await self._documents.find_one({"issuer_id": issuer_id}, sort=[("number", DESCENDING)])
        return None if found is None else self._read(found)

    async def create(self, issuer_id: str, number: int, permutation_key: bytes, now: datetime) -> None:
        """Store a new list; one that is there stays as it is."""
        document = {
            "_id": _id(issuer_id, number),
            "schema": 1,
            "issuer_id": issuer_id,
            "number": number,
            "next": 0,
            **UNPUBLISHED,
            # A secret: whoever has it can see from an index which credentials were issued after it.
            "permutation_key": Binary(permutation_key),
            "created_at": now,
        }
        await insert_new(self._documents, [document])

    async def take(self, issuer_id: str, number: int, count: int, size: int) -> StoredList | None:
        """Take `count` entries of a list, and return it as it was before; None where it is full or does not exist."""
        found = await self._documents.find_one_and_update(
            {"_id": _id(issuer_id, number), "next": {"$lt": size}},
            {"$inc": {"next": count}},
            return_document=ReturnDocument.BEFORE,
        )
        return None if found is None else self._read(found)

    def _read(self, document: Document) -> StoredList:
        return StoredList(
            id=document["_id"],
            issuer_id=document["issuer_id"],
            number=document["number"],
            next=document["next"],
            version=document["version"],
            published_version=document["published_version"],
            permutation_key=bytes(document["permutation_key"]),
        )


def _id(issuer_id: str, number: int) -> str:
    return f"{issuer_id}-{number}"
