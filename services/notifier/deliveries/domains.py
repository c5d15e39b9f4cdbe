"""How fast each destination domain is mailed: one leaky bucket per domain in MongoDB, shared by all replicas.

The bucket is the generic cell rate algorithm (ITU-T I.371, annex A): a document holds the time at which the next mail
is in order if all mails so far had been spread evenly (`next_at`). Taking n slots is one atomic update that moves it by
n intervals; the slots are the instants it passed over. A domain is stored by a digest: it is a part of an address.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from pymongo import UpdateOne

from libs.common.mongo import Database, Document, find_by_ids

# Grants of this many batches stay readable; a batch reads its own a moment after it was written.
_GRANTS_KEPT = 32
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 600.0
_IDLE_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Mails a second and domain, and how many may go at once after a pause."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Slots:
    """Where a domain stands; times in seconds since 1970.

    Attributes:
        granted: when each mail asked for may go, earliest first.
        paused_until: nothing goes before; the domain throttled us.
        throttled: it has taken no mail since it last throttled us.
    """

    granted: tuple[float, ...]
    paused_until: float
    throttled: bool


class Domains:
    """The buckets of all domains. They belong to no tenant: a domain sees one sender, whichever school writes."""

    def __init__(self, database: Database, rate: Rate) -> None:
        self._domains = database["domains"]
        self._rate = rate

    async def take(self, wanted: Mapping[str, int], *, token: UUID, now: float) -> dict[str, Slots]:
        """Take slots for mails to each of these domains (0 only looks), with two calls however many domains.

        `token` tells this call's grants from others'. A domain is missing from the answer where its grant could not
        be read again; its slots are lost and the caller tries later.
        """
        updates = [
            UpdateOne({"_id": _digest(domain)}, self._advance(count, token, now), upsert=True)
            for domain, count in wanted.items()
            if count
        ]
        if updates:
            await self._domains.bulk_write(updates, ordered=False)
        documents = await find_by_ids(self._domains, "_id", [_digest(domain) for domain in wanted])
        by_digest = {document["_id"]: document for document in documents}
        return {
            domain: slots
            for domain, count in wanted.items()
            if (slots := self._slots(by_digest.get(_digest(domain), {}), count, token)) is not None
        }

    def _advance(self, count: int, token: UUID, now: float) -> list[Document]:
        interval = 1 / self._rate.per_second
        earliest = now - (self._rate.burst - 1) * interval
        start = {"$max": [{"$ifNull": ["$next_at", 0.0]}, earliest, {"$ifNull": ["$paused_until", 0.0]}]}
        grant = {"token": token, "start": "$start"}
        return [
            {"$set": {"schema": 1, "start": start}},
            {
                "$set": {
                    "next_at": {"$add": ["$start", count * interval]},
                    "grants": {"$slice": [{"$concatArrays": [{"$ifNull": ["$grants", []]}, [grant]]}, -_GRANTS_KEPT]},
                }
            },
            {"$unset": "start"},
        ]

    def _slots(self, document: Document, count: int, token: UUID) -> Slots | None:
        starts = [grant["start"] for grant in document.get("grants", []) if grant["token"] == token]
        if count and not starts:
            return None
        interval = 1 / self._rate.per_second
        granted = tuple(starts[0] + number * interval for number in range(count))
        return Slots(granted, document.get("paused_until", 0.0), bool(document.get("throttles")))

    async def record_throttle(self, domain: str, now: float) -> None:
        """The domain asked for less: pause it, twice as long with each throttle that follows a pause.

        Mails that were under way when the pause began may be throttled too; they do not lengthen it.
        """
        doubled = {"$multiply": [_FIRST_PAUSE_SECONDS, {"$pow": [2, {"$min": [{"$ifNull": ["$throttles", 0]}, 20]}]}]}
        await self._domains.update_one(
            {"_id": _digest(domain), "$or": [{"paused_until": {"$lte": now}}, {"paused_until": None}]},
            [
                {
                    "$set": {
                        "paused_until": {"$add": [now, {"$min": [doubled, _LONGEST_PAUSE_SECONDS]}]},
                        "throttles": {"$add": [{"$ifNull": ["$throttles", 0]}, 1]},
                    }
                }
            ],
        )

    async def record_success(self, domain: str) -> None:
        """The domain took a mail: its next throttle counts as the first."""
        await self._domains.update_one({"_id": _digest(domain), "throttles": {"$gt": 0}}, {"$set": {"throttles": 0}})

    async def delete_idle(self, now: float) -> None:
        """Delete the buckets of domains that were not mailed for a day; an absent bucket is an empty one."""
        await self._domains.delete_many({"next_at": {"$lt": now - _IDLE_SECONDS}, "throttles": {"$in": [None, 0]}})


def _digest(domain: str) -> str:
    return hashlib.sha256(domain.encode()).hexdigest()[:32]
