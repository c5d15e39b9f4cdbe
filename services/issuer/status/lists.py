"""Status lists: entries for new credentials, and publishing what the database says is revoked.

A list keeps no bits. They are derived from the credentials whenever it is published, so there is nothing that two
writers could tear.
"""

import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bson import Binary
from pymongo import DESCENDING, ReturnDocument
from pymongo.read_concern import ReadConcern

from libs.common.failpoints import failpoint
from libs.common.mongo import Database, Document, Index, insert_new
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import StatusListPublished
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusIndexes, StatusList
from services.issuer.status import metrics
from services.issuer.status.entry import StatusEntry

INDEXES: Sequence[Index] = (Index("status_lists", ["issuer_id", "number"], unique=True),)

# Entries are allocated in blocks, kept by this process, and lost with it: at most this many per issuer.
_BLOCK = 64
_REPAIR_SECONDS = 5.0
# A publisher that began this long ago and has not ended was killed; its own timeouts are shorter.
_PUBLISHER_GONE = timedelta(seconds=60)

Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]


class ListSigner(Protocol):
    """Signs the credential of a list."""

    async def status_list(self, issuer_id: str, list_id: str, bits: StatusList, at: datetime) -> str:
        """Return the signed credential of this list with these bits, as JSON text."""
        ...


class RevokedIndexes(Protocol):
    """Knows which credentials are revoked."""

    async def revoked_indexes(self, list_id: str) -> list[int]:
        """Return the entries of a status list that are set."""
        ...


class StatusLists:
    """The lists of all issuers, in the collection `status_lists`; ISSUER-1, ISSUER-2 and so on."""

    def __init__(
        self,
        database: Database,
        *,
        revoked: RevokedIndexes,
        signer: ListSigner,
        publish: Publish,
        clock: Callable[[], datetime],
        size: int = MINIMUM_SIZE,
    ) -> None:
        self._collection = database.get_collection("status_lists", read_concern=ReadConcern("majority"))
        self._revoked = revoked
        self._signer = signer
        self._publish = publish
        self._clock = clock
        self._size = size
        self._free: dict[str, deque[StatusEntry]] = {}

    async def allocate(self, issuer_id: str, count: int) -> list[StatusEntry]:
        """Return entries for `count` new credentials, in lists that are announced already; none is given twice."""
        free = self._free.setdefault(issuer_id, deque())
        while len(free) < count:
            free.extend(await self._allocate_block(issuer_id, max(count - len(free), _BLOCK)))
        return [free.popleft() for _ in range(count)]

    async def _allocate_block(self, issuer_id: str, count: int) -> list[StatusEntry]:
        newest = await self._collection.find_one({"issuer_id": issuer_id}, sort=[("number", DESCENDING)])
        number = newest["number"] if newest else 0
        while True:
            before: Document | None = await self._collection.find_one_and_update(
                {"_id": f"{issuer_id}-{number}", "next": {"$lt": self._size}},
                {"$inc": {"next": count}},
                return_document=ReturnDocument.BEFORE,
            )
            if before is not None:
                break
            number += 1
            await self._create(issuer_id, number)
        if before["published_version"] < before["version"]:
            await self.publish(before["_id"])
        indexes = StatusIndexes(bytes(before["permutation_key"]), self._size)
        last = min(before["next"] + count, self._size)
        return [StatusEntry(before["_id"], indexes.index(counter)) for counter in range(before["next"], last)]

    async def _create(self, issuer_id: str, number: int) -> None:
        document = {
            "_id": f"{issuer_id}-{number}",
            "schema": 1,
            "issuer_id": issuer_id,
            "number": number,
            "next": 0,
            "version": 0,
            "published_version": -1,
            "publishing": [],
            # A secret: whoever has it can see from an index which credentials were issued after it.
            "permutation_key": Binary(secrets.token_bytes(32)),
            "created_at": self._clock(),
        }
        await insert_new(self._collection, [document])
        failpoint("issuer.status_list.created")

    async def changed(self, list_ids: Sequence[str]) -> None:
        """Credentials of these lists were revoked: count the change, then publish each list."""
        await self._collection.update_many({"_id": {"$in": list(list_ids)}}, {"$inc": {"version": 1}})
        failpoint("issuer.revoking.2.counted")
        for list_id in list_ids:
            await self.publish(list_id)

    async def publish(self, list_id: str) -> None:
        """Publish the list until the newest version is the last that was published, and confirmed.

        1. Note that this publisher is at work, and read the version.
        2. Read the bits: they hold at least every change that the version counts. Sign, publish, wait.
        3. If the version is still the same, take the note away; else go back to 2.

        Two publishers may overtake each other, and a compacted topic keeps the last record, not the newest version:
        whoever published an older version sees so in step 3 and publishes again. A crash before step 3 leaves the note,
        and `repair` publishes again.
        """
        token = secrets.token_hex(8)
        note = {"$push": {"publishing": {"token": token, "since": self._clock()}}}
        current: Document | None = await self._collection.find_one_and_update(
            {"_id": list_id}, note, return_document=ReturnDocument.AFTER
        )
        failpoint("issuer.status_list.1")
        while current is not None:
            await self._publish([Outgoing(await self._event(current), new_trace())])
            failpoint("issuer.status_list.2")
            metrics.STATUS_LISTS_PUBLISHED.inc()
            done = await self._collection.update_one(
                {"_id": list_id, "version": current["version"]},
                {
                    "$pull": {"publishing": {"token": token}},
                    "$max": {"published_version": current["version"]},
                },
            )
            if done.matched_count:
                return
            current = await self._collection.find_one({"_id": list_id})

    async def repair(self) -> float:
        """Publish what a crash left unpublished; return the seconds until it is worth looking again."""
        gone = self._clock() - _PUBLISHER_GONE
        behind = {"$expr": {"$lt": ["$published_version", "$version"]}, "publishing": []}
        left = {"publishing.since": {"$lt": gone}}
        for found in await self._collection.find({"$or": [behind, left]}, {"_id": 1}).to_list(None):
            await self.publish(found["_id"])
            await self._collection.update_one(
                {"_id": found["_id"]}, {"$pull": {"publishing": {"since": {"$lt": gone}}}}
            )
        return _REPAIR_SECONDS

    async def _event(self, current: Document) -> StatusListPublished:
        bits = StatusList()
        for index in await self._revoked.revoked_indexes(current["_id"]):
            bits.set(index)
        now = self._clock()
        credential = await self._signer.status_list(current["issuer_id"], current["_id"], bits, now)
        return StatusListPublished(
            list_id=current["_id"],
            issuer_id=current["issuer_id"],
            version=current["version"],
            credential=credential,
            published_at=now,
        )
