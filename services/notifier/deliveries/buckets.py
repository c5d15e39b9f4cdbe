"""Leaky buckets in MongoDB, shared by all replicas: how many mails of one kind may go, and when the next one may.

A bucket is the generic cell rate algorithm (ITU-T I.371, annex A): a document holds the time at which the next mail is
in order if all mails so far had been spread evenly (`next_at`). Taking n slots is one atomic update that moves it by n
intervals; the slots are the instants it passed over. What a bucket is for is stored by a digest: it may be a part of an
address. What of one was damaged counts as if it had not been there, and is written anew: it keeps no mail from going.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from pymongo import UpdateOne

from libs.common.mongo import Collection, Document, find_by_ids

# Grants of this many batches stay readable; a batch reads its own a moment after it was written.
_GRANTS_KEPT = 32
_IDLE_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Mails a second, and how many may go at once after a pause."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Slots:
    """Where a bucket stands; times in seconds since 1970.

    Attributes:
        granted: when each mail asked for may go, earliest first.
        paused_until: nothing goes before; of a domain that throttled us.
        throttled: it has taken no mail since it last throttled us.
    """

    granted: tuple[float, ...]
    paused_until: float
    throttled: bool


class LeakyBuckets:
    """Buckets of one rate in one collection."""

    def __init__(self, buckets: Collection, rate: Rate) -> None:
        self._buckets = buckets
        self._rate = rate

    async def take(self, wanted: Mapping[str, int], *, token: UUID, now: float) -> dict[str, Slots]:
        """Take slots of each of these buckets (0 only looks), with two calls however many buckets.

        `token` tells this call's grants from others'. A bucket is missing from the answer where its grant could not
        be read again; its slots are lost and the caller tries later.
        """
        updates = [
            UpdateOne({"_id": digest(bucket)}, self._advance(count, token, now), upsert=True)
            for bucket, count in wanted.items()
            if count
        ]
        if updates:
            await self._buckets.bulk_write(updates, ordered=False)
        documents = await find_by_ids(self._buckets, "_id", [digest(bucket) for bucket in wanted])
        by_digest = {document["_id"]: document for document in documents}
        return {
            bucket: slots
            for bucket, count in wanted.items()
            if (slots := self._slots(by_digest.get(digest(bucket), {}), count, token)) is not None
        }

    def _advance(self, count: int, token: UUID, now: float) -> list[Document]:
        interval = 1 / self._rate.per_second
        earliest = now - (self._rate.burst - 1) * interval
        start = {"$max": [number("next_at"), earliest, number("paused_until")]}
        before = {"$cond": [{"$isArray": "$grants"}, "$grants", []]}
        grants = {"$concatArrays": [before, [{"token": token, "start": "$start"}]]}
        return [
            {"$set": {"schema": 1, "start": start}},
            {
                "$set": {
                    "next_at": {"$add": ["$start", count * interval]},
                    "grants": {"$slice": [grants, -_GRANTS_KEPT]},
                }
            },
            {"$unset": "start"},
        ]

    def _slots(self, document: Document, count: int, token: UUID) -> Slots | None:
        grants = document.get("grants")
        kept = grants if isinstance(grants, list) else []
        starts = [grant["start"] for grant in kept if isinstance(grant, dict) and grant.get("token") == token]
        if count and not starts:
            return None
        interval = 1 / self._rate.per_second
        granted = tuple(starts[0] + number * interval for number in range(count))
        paused = document.get("paused_until")
        return Slots(granted, paused if isinstance(paused, float) else 0.0, bool(document.get("throttles")))

    async def delete_idle(self, now: float) -> None:
        """Delete the buckets that were not used for a day; an absent bucket is an empty one."""
        await self._buckets.delete_many({"next_at": {"$lt": now - _IDLE_SECONDS}, "throttles": {"$in": [None, 0]}})


def number(name: str) -> Document:
    """Return what an update takes a field for: 0 where there is no number."""
    return {"$cond": [{"$isNumber": f"${name}"}, f"${name}", 0]}


def digest(name: str) -> str:
    """Return the id under which a bucket is stored."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
