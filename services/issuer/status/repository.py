"""Status lists in MongoDB: how far each is allocated, and what of it is published. A list keeps no bits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bson import Binary
from pymongo import DESCENDING, ReturnDocument
from pymongo.read_concern import ReadConcern

from libs.common.mongo import Database, Document, Index, insert_new

INDEXES: Sequence[Index] = (
    Index("status_lists", ["issuer_id", "number"], unique=True),
    Index("status_lists", ["renew_at"]),
    Index("status_lists", ["signed_at"]),
)


@dataclass(frozen=True, slots=True)
class StoredList:
    """One list.

    Attributes:
        number: of the lists of its issuer.
        next: how many entries are allocated; at least the size where it is full.
        version: grows with each change.
        published_version: the highest that was published and confirmed; -1 where none was.
    """

    list_id: str
    issuer_id: str
    number: int
    next: int
    version: int
    published_version: int
    permutation_key: bytes


class StatusListRepository:
    """The collection `status_lists`: ISSUER-1, ISSUER-2 and so on. Reads are of majority-committed data."""

    def __init__(self, database: Database) -> None:
        self._lists = database.get_collection("status_lists", read_concern=ReadConcern("majority"))

    async def newest(self, issuer_id: str) -> StoredList | None:
        """Return the list with the highest number of an issuer."""
        found = await self._lists.find_one({"issuer_id": issuer_id}, sort=[("number", DESCENDING)])
        return None if found is None else _stored(found)

    async def create(self, issuer_id: str, number: int, permutation_key: bytes, now: datetime) -> None:
        """Store a new list; one that is there stays as it is."""
        document = {
            "_id": _id(issuer_id, number),
            "schema": 1,
            "issuer_id": issuer_id,
            "number": number,
            "next": 0,
            "version": 0,
            "published_version": -1,
            "publishing": [],
            # A secret: whoever has it can see from an index which credentials were issued after it.
            "permutation_key": Binary(permutation_key),
            "created_at": now,
        }
        await insert_new(self._lists, [document])

    async def take(self, issuer_id: str, number: int, count: int, size: int) -> StoredList | None:
        """Take `count` entries of a list, and return it as it was before; None where it is full or does not exist."""
        found = await self._lists.find_one_and_update(
            {"_id": _id(issuer_id, number), "next": {"$lt": size}},
            {"$inc": {"next": count}},
            return_document=ReturnDocument.BEFORE,
        )
        return None if found is None else _stored(found)

    async def count_change(self, list_ids: Sequence[str]) -> None:
        """Raise the version of each of these."""
        await self._lists.update_many({"_id": {"$in": list(list_ids)}}, {"$inc": {"version": 1}})

    async def begin(self, list_id: str, token: str, now: datetime) -> StoredList | None:
        """Note that a publisher is at work, and return the list."""
        found = await self._lists.find_one_and_update(
            {"_id": list_id},
            {"$push": {"publishing": {"token": token, "since": now}}},
            return_document=ReturnDocument.AFTER,
        )
        return None if found is None else _stored(found)

    async def find(self, list_id: str) -> StoredList | None:
        """Return one list."""
        found = await self._lists.find_one({"_id": list_id})
        return None if found is None else _stored(found)

    async def finish(self, published: StoredList, token: str, *, signed_at: datetime, renew_at: datetime) -> bool:
        """Take the publisher's note away, if this version is still the newest; return whether it is.

        Args:
            published: the list as it was when it was signed.
            token: of the note.
            signed_at: when it was signed.
            renew_at: when it is to be signed again, whether it changes or not.
        """
        done = await self._lists.update_one(
            {"_id": published.list_id, "version": published.version},
            {
                "$pull": {"publishing": {"token": token}},
                "$max": {"published_version": published.version},
                "$set": {"signed_at": signed_at, "renew_at": renew_at},
            },
        )
        return done.matched_count > 0

    async def unfinished(self, gone: datetime) -> list[str]:
        """Return the lists whose newest version is not published and that nobody who began after `gone` is at."""
        behind = {"$expr": {"$lt": ["$published_version", "$version"]}, "publishing": []}
        left = {"publishing.since": {"$lt": gone}}
        # All tenants: the loop serves each in its turn.
        found = await self._lists.find({"$or": [behind, left]}, {"_id": 1}).to_list(None)
        return [each["_id"] for each in found]

    async def forget_publishers(self, list_id: str, gone: datetime) -> None:
        """Take away the notes of publishers that began before `gone`: they were killed."""
        await self._lists.update_one({"_id": list_id}, {"$pull": {"publishing": {"since": {"$lt": gone}}}})

    async def claim_due(self, now: datetime, patience: timedelta) -> str | None:
        """Raise the version of a list that is due to be signed again, and return it; None where none is due.

        One of several processes gets it. The others see it again after `patience`, unless it is published before.
        """
        found = await self._lists.find_one_and_update(
            {"renew_at": {"$lte": now}},
            {"$inc": {"version": 1}, "$set": {"renew_at": now + patience}},
            projection={"_id": 1},
            sort=[("renew_at", 1)],
        )
        return None if found is None else str(found["_id"])

    async def oldest(self) -> datetime | None:
        """Return when the list was signed that has been longest without a new signature; None where there is none."""
        found = (
            await self._lists.find({"signed_at": {"$exists": True}}, {"signed_at": 1})
            .sort("signed_at", 1)
            .limit(1)
            .to_list(None)
        )
        return found[0]["signed_at"] if found else None


def _id(issuer_id: str, number: int) -> str:
    return f"{issuer_id}-{number}"


def _stored(document: Document) -> StoredList:
    return StoredList(
        list_id=document["_id"],
        issuer_id=document["issuer_id"],
        number=document["number"],
        next=document["next"],
        version=document["version"],
        published_version=document["published_version"],
        permutation_key=bytes(document["permutation_key"]),
    )
