"""Status lists in MongoDB: how far each is allocated, what of it is published, and which entries were ever set."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Self

import orjson
from bson import Binary
from pymongo import ReturnDocument, UpdateOne
from pymongo.read_concern import ReadConcern

from libs.common.errors import UnreadableError
from libs.common.mongo import Database, Document, Index, find_by_ids, insert_new
from libs.common.stored import UNREADABLE, DamagedFieldError, readable
from libs.common.telemetry import get_logger
from libs.contracts.events import Event, StatusListPublished
from libs.openbadges.status.bitstring import StatusList
from services.issuer.renewal.repository import COUNTED, UNPUBLISHED, Versioned, VersionedRepository, number_in

PURPOSE = "revocation"
_KEY_BYTES: Final = 16

INDEXES: Sequence[Index] = (
    Index("status_lists", ["renew_at"]),
    Index("status_lists", ["signed_at"]),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredList(Versioned):
    """One list of the authority, for the credentials of all issuers.

    Attributes:
        purpose: what a set bit means.
        epoch: in which its versions are counted.
        revoked_since: when the first revocation was asked for that was not published when this publisher began; None
            where all were.
    """

    purpose: str
    epoch: int
    revoked_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class TakenEntries:
    """Entries of one list that one process may give away.

    Attributes:
        next: how many were taken before.
        announced: whether a version of the list was ever published and confirmed.
        permutation_key: makes an index of each.
        bits: what is set already, of which nothing is to be given away.
    """

    list_id: str
    next: int
    announced: bool
    permutation_key: bytes
    bits: StatusList


class ShownList(NamedTuple):
    """A list as its readers have it."""

    list_id: str
    epoch: int
    version: int
    bits: StatusList

    @classmethod
    def of(cls, list_id: str, epoch: int, version: int, credential: str) -> Self:
        """Take what was published of it.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        encoded = orjson.loads(credential)["credentialSubject"]["encodedList"]
        return cls(list_id, int(epoch), int(version), StatusList.decode(encoded))

    @property
    def order(self) -> tuple[int, int]:
        """Return what versions are ordered by."""
        return self.epoch, self.version


class StatusListRepository(VersionedRepository[StoredList]):
    """The collection `status_lists`: EPOCH-1, EPOCH-2 and so on. Reads are of majority-committed data."""

    _AT_FINISH = ("publishing_since",)

    def __init__(self, database: Database) -> None:
        super().__init__(database.get_collection("status_lists", read_concern=ReadConcern("majority")))

    async def count_revocations(self, ids: Sequence[str], since: datetime) -> None:
        """Count a change of each of these by revocations, of which the first was asked for at `since`."""
        change = {"$inc": {"version": 1}, "$min": {"revoked_since": since}}
        await self._documents.update_many({"_id": {"$in": list(ids)}, **COUNTED}, change)

    def _at_begin(self) -> Document:
        """Set apart what this publication tells of, until it is confirmed: more may be revoked meanwhile."""
        return {"publishing_since": {"$min": ["$publishing_since", "$revoked_since"]}, "revoked_since": "$$REMOVE"}

    async def keep_set(self, list_id: str, entries: Iterable[int]) -> StatusList:
        """Set these entries of a list for good; return it with all that were ever set.

        To be done before they are published: what was published holds, whatever becomes of the credentials.

        Raises:
            UnreadableError: the list is gone, or its bits are lost or damaged.
        """
        wanted = list(entries)
        while True:
            found = await self._documents.find_one({"_id": list_id}, {"bits": 1})
            bits = None if found is None else readable(_bits, found)
            if found is None or bits is None:
                raise UnreadableError(f"status list {list_id}", None)
            for entry in wanted:
                bits.set(entry)
            kept = bits.encode()
            unchanged = {"_id": list_id, "bits": found.get("bits")}
            # Another process may have set others since they were read: then once more, with those.
            if (
                kept == found.get("bits")
                or (await self._documents.update_one(unchanged, {"$set": {"bits": kept}})).matched_count
            ):
                return bits

    async def newest(self, epoch: int) -> int:
        """Return the highest number of the lists that were begun in this epoch; 0 where none was."""
        # By their ids, which nothing damages.
        found = await self._documents.find({"_id": {"$regex": f"^{epoch}-"}}, {"_id": 1}).to_list(None)
        return max((int(each["_id"].partition("-")[2]) for each in found), default=0)

    async def create(self, epoch: int, number: int, permutation_key: bytes, now: datetime) -> str:
        """Store a new list, and return its id; one that is there stays as it is."""
        document = {
            "_id": list_id(epoch, number),
            "schema": 1,
            "purpose": PURPOSE,
            "begun_in": epoch,
            "number": number,
            "next": 0,
            "epoch": epoch,
            **UNPUBLISHED,
            "bits": StatusList().encode(),
            # A secret: whoever has it can see from an index which credentials were issued after it.
            "permutation_key": Binary(permutation_key),
            "created_at": now,
        }
        await insert_new(self._documents, [document])
        return str(document["_id"])

    async def take(self, taken_of: str, count: int, size: int) -> TakenEntries | None:
        """Take `count` entries of a list.

        Returns:
            None where it is full, damaged, does not exist, or was begun in an earlier epoch than the one that it is in.
        """
        begun_in = int(taken_of.partition("-")[0])
        found = await self._documents.find_one_and_update(
            {"_id": taken_of, "epoch": begun_in, "next": {"$lt": size}},
            {"$inc": {"next": count}},
            return_document=ReturnDocument.BEFORE,
        )
        return None if found is None else readable(self._taken, found)

    async def enter(self, epoch: int) -> None:
        """Count the versions of every list in this epoch from now on, which is a change of those that it is new to."""
        # All lists: they belong to no tenant.
        earlier = {"epoch": {"$lt": epoch}, **COUNTED}
        await self._documents.update_many(earlier, {"$set": {"epoch": epoch}, "$inc": {"version": 1}})

    async def lacking(self, events: Iterable[Event]) -> list[StatusListPublished]:
        """Return those of these versions, as they were published, that are higher than what this store knows.

        So are those that have an entry set that is not set here.
        """
        newest: dict[str, StatusListPublished] = {}
        for each in events:
            if isinstance(each, StatusListPublished):
                held = newest.setdefault(each.list_id, each)
                newest[each.list_id] = max(held, each, key=_order)
        found = await find_by_ids(self._documents, "_id", newest, projection={"epoch": 1, "version": 1, "bits": 1})
        known = {each["_id"]: each for each in found}
        return [each for list_id, each in newest.items() if list_id not in known or _is_behind(known[list_id], each)]

    async def adopt(self, events: Iterable[StatusListPublished], size: int) -> None:
        """Take up lists as they were published, where this store knows no version as high: it was set back.

        A list that is not here is made, full, since nobody knows which of its entries were given away. What was set
        stays set.
        """
        published = list(events)
        held = [_adopted(each, size) for each in published]
        await insert_new(self._documents, held)
        for each in published:
            with suppress(UnreadableError):  # which the log has: it stays unpublished until it is repaired
                await self.keep_set(each.list_id, _published(each).entries())
        updates = [
            UpdateOne(
                {"_id": each.list_id, "$or": [{"epoch": {"$lt": each.epoch}}, _lower_version(each)]},
                {"$set": {"epoch": each.epoch, "version": each.version, "published_version": each.version}},
            )
            for each in published
        ]
        if updates:
            await self._documents.bulk_write(updates)

    async def rebuild(self, shown: ShownList, size: int, now: datetime) -> None:
        """Make a list anew whose document is damaged or older than what is shown, and have it published.

        Nobody knows which of its entries were given away, so no more are; nor which versions of it, so it goes on in a
        later epoch, of its own. What was set stays set. Again: once more.
        """
        try:
            await self.keep_set(shown.list_id, shown.bits.entries())
        except UnreadableError:
            await self._documents.update_one({"_id": shown.list_id}, {"$set": {"bits": shown.bits.encode()}})
        epoch = max(int(now.timestamp()), shown.epoch + 1)
        rebuilt = {**_full(shown.list_id, size), **UNPUBLISHED, "epoch": epoch}
        await self._documents.update_one({"_id": shown.list_id}, {"$set": rebuilt})

    def _read(self, document: Document) -> StoredList:
        since = document.get("publishing_since")
        epoch, version = _stored_order(document)
        return StoredList(
            id=document["_id"],
            purpose=_purpose(document),
            epoch=epoch,
            version=version,
            revoked_since=since if isinstance(since, datetime) else None,
        )

    def _taken(self, document: Document) -> TakenEntries:
        # Nothing is given away in a list that cannot be published.
        order_of(document)
        key = document.get("permutation_key")
        if not isinstance(key, bytes) or len(key) < _KEY_BYTES:
            raise DamagedFieldError("permutation_key")
        return TakenEntries(document["_id"], number_in(document, "next"), "signed_at" in document, key, _bits(document))


def list_id(epoch: int, number: int) -> str:
    """Return the id of a list: the epoch that it was begun in, and its number there."""
    return f"{epoch}-{number}"


def _order(event: StatusListPublished) -> tuple[int, int]:
    return event.order


def order_of(stored: Document) -> tuple[int, int]:
    """Return what the versions of a stored list are ordered by.

    Raises:
        KeyError, TypeError, ValueError: it is damaged, so that it cannot be published.
    """
    _purpose(stored), _bits(stored)
    return _stored_order(stored)


def _stored_order(stored: Document) -> tuple[int, int]:
    return number_in(stored, "epoch"), number_in(stored, "version")


def _purpose(stored: Document) -> str:
    if stored.get("purpose") != PURPOSE:
        raise DamagedFieldError("purpose")
    return PURPOSE


def _lower_version(event: StatusListPublished) -> Document:
    return {"epoch": event.epoch, "version": {"$lt": event.version}}


def _bits(document: Document) -> StatusList:
    try:
        return StatusList.decode(document["bits"])
    except UNREADABLE:
        raise DamagedFieldError("bits") from None


def _published(event: StatusListPublished) -> StatusList:
    """Return the bits of a version as it was published; none where they cannot be read."""
    try:
        return ShownList.of(event.list_id, *event.order, event.credential).bits
    except UNREADABLE as error:
        get_logger().error("a published status list cannot be read", list=event.list_id, problem=type(error).__name__)
        return StatusList()


def _is_behind(stored: Document, event: StatusListPublished) -> bool:
    order = readable(_stored_order, stored)
    if order is None or order < event.order:
        return order is not None
    kept = readable(_bits, stored)
    return kept is not None and not set(_published(event).entries()) <= set(kept.entries())


def _adopted(event: StatusListPublished, size: int) -> Document:
    return {
        "_id": event.list_id,
        **_full(event.list_id, size),
        "epoch": event.epoch,
        "version": event.version,
        "published_version": event.version,
        "publishing": [],
        "bits": _published(event).encode(),
        "created_at": event.published_at,
        "signed_at": event.published_at,
    }


def _full(list_id: str, size: int) -> Document:
    """Return what a list says of which no entry is allocated any more."""
    begun_in, _, number = list_id.partition("-")
    return {
        "schema": 1,
        "purpose": PURPOSE,
        "begun_in": int(begun_in),
        "number": int(number),
        "next": size,
        # The one that it had is lost.
        "permutation_key": Binary(b""),
    }
