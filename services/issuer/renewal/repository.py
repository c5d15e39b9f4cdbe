"""Signed documents in MongoDB as far as publishing goes: their versions, who publishes them, when they are due."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from pymongo import ReturnDocument

from libs.common.errors import UnreadableError
from libs.common.mongo import Collection, Document
from libs.common.stored import DamagedFieldError, require_readable

UNPUBLISHED: dict[str, Any] = {"version": 0, "published_version": -1, "publishing": []}
"""What a new document begins with."""

# A version that was lost is not counted from the beginning: readers would refuse what is lower than they have.
COUNTED: Final[Document] = {"version": {"$type": "number"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioned:
    """One document.

    Attributes:
        version: grows with each change.
    """

    id: str
    version: int


VersionedT = TypeVar("VersionedT", bound=Versioned)


class VersionedRepository(ABC, Generic[VersionedT]):
    """A collection of documents that are published in versions; it is read with read concern majority."""

    # What a publisher takes away once its version is published.
    _AT_FINISH: Sequence[str] = ()

    def __init__(self, collection: Collection) -> None:
        self._documents = collection

    @abstractmethod
    def _read(self, document: Document) -> VersionedT:
        """Return what a stored document says, of those kinds that are needed to publish it.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """

    async def count_change(self, ids: Sequence[str]) -> None:
        """Raise the version of each of these."""
        await self._documents.update_many({"_id": {"$in": list(ids)}, **COUNTED}, {"$inc": {"version": 1}})

    async def count(self) -> int:
        """Return how many there are, of all tenants."""
        return await self._documents.count_documents({})

    async def change_all(self) -> int:
        """Raise the version of every one, of all tenants, so that each is published again; return how many."""
        return (await self._documents.update_many(COUNTED, {"$inc": {"version": 1}})).modified_count

    async def begin(
        self, document_id: str, token: str, now: datetime, gone: datetime | None = None
    ) -> VersionedT | None:
        """Note that a publisher is at work, and return the document.

        Args:
            document_id: of the document.
            token: of the note.
            now: when this publisher is at work.
            gone: return None where one was at work after this moment; None where that does not matter.

        Raises:
            UnreadableError: it is damaged.
        """
        others = {} if gone is None else {"publishing": {"$not": {"$elemMatch": {"since": {"$gte": gone}}}}}
        at_work = {"$cond": [{"$isArray": "$publishing"}, "$publishing", []]}
        noted = {"publishing": {"$concatArrays": [at_work, [{"token": token, "since": now}]]}}
        found = await self._documents.find_one_and_update(
            {"_id": document_id, **others},
            [{"$set": noted | self._at_begin()}],
            return_document=ReturnDocument.AFTER,
        )
        try:
            return None if found is None else require_readable(self._read, found, f"list {document_id}")
        except UnreadableError:
            await self._documents.update_one({"_id": document_id}, {"$pull": {"publishing": {"token": token}}})
            raise

    def _at_begin(self) -> Document:
        """Return what else is set, by expressions, when a publisher begins."""
        return {}

    async def go_on(self, document_id: str, token: str, now: datetime) -> None:
        """Note that this publisher is at work still."""
        ours = {"_id": document_id, "publishing.token": token}
        await self._documents.update_one(ours, {"$set": {"publishing.$.since": now}})

    async def finish(self, published: VersionedT, token: str, *, signed_at: datetime, renew_at: datetime) -> None:
        """Note that this version is the last that was published, and take the publisher's note away.

        Args:
            published: the document as it was when it was signed.
            token: of the note.
            signed_at: when it was signed.
            renew_at: when it is to be signed again, whether it changes or not.
        """
        last: Document = {"published_version": published.version, "signed_at": signed_at, "renew_at": renew_at}
        await self._documents.update_one(
            {"_id": published.id},
            {"$pull": {"publishing": {"token": token}}, "$set": last, "$unset": dict.fromkeys(self._AT_FINISH, "")},
        )

    async def give_up(self, document_id: str, token: str) -> None:
        """Take the publisher's note away and leave the document to be published: whether it was is in doubt."""
        await self._documents.update_one(
            {"_id": document_id}, {"$pull": {"publishing": {"token": token}}, "$set": {"published_version": -1}}
        )

    async def unfinished(self, gone: datetime) -> list[str]:
        """Return those whose newest version is not the last published and that nobody was at after `gone`."""
        behind = {"$expr": {"$ne": ["$published_version", "$version"]}, "publishing.0": {"$exists": False}}
        left = {"publishing.since": {"$lt": gone}}
        # They belong to no tenant.
        found = await self._documents.find({"$or": [behind, left]}, {"_id": 1}).to_list(None)
        return [each["_id"] for each in found]

    async def forget_publishers(self, document_id: str, gone: datetime) -> None:
        """Take away the notes of publishers that were last at work before `gone`: they were killed."""
        await self._documents.update_one({"_id": document_id}, {"$pull": {"publishing": {"since": {"$lt": gone}}}})

    async def claim_due(self, now: datetime, patience: timedelta) -> str | None:
        """Raise the version of a document that is due to be signed again, and return it; None where none is due.

        One of several processes gets it. The others see it again after `patience`, unless it is published before.
        """
        found = await self._documents.find_one_and_update(
            {"renew_at": {"$lte": now}, **COUNTED},
            {"$inc": {"version": 1}, "$set": {"renew_at": now + patience}},
            projection={"_id": 1},
            sort=[("renew_at", 1)],
        )
        return None if found is None else str(found["_id"])

    async def oldest(self) -> datetime | None:
        """Return when that was signed that has been longest without a new signature; None where nothing was."""
        found = (
            await self._documents.find({"signed_at": {"$type": "date"}}, {"signed_at": 1})
            .sort("signed_at", 1)
            .limit(1)
            .to_list(None)
        )
        return found[0]["signed_at"] if found else None


def number_in(document: Document, name: str) -> int:
    """Return a whole number, not below 0, that a document has under this name.

    Raises:
        DamagedFieldError: it is damaged.
    """
    number = document.get(name)
    if not isinstance(number, int) or number < 0:
        raise DamagedFieldError(name)
    return number
