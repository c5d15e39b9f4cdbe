"""The schedule of deliveries in MongoDB: every state change is one atomic update of one document.

    no_address ──contact──▶ pending ──claim──▶ sending ──▶ sent | failed_permanently | gave_up | refused_domain
        ▲                      ▲  │               │                       │
        └──address went away───┘  └──cancelled    └──▶ pending (again later)
                               └──another address, other domains, or asked to send again

`due_at` stands on a delivery while somebody must look at it again: a pending one when it is due, a sending one when its
lease ends (its owner may be dead). So one index serves both, and claiming is the same for both.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from pymongo import UpdateOne

from libs.common.damage import Damage, without_damaged
from libs.common.errors import NotFoundError
from libs.common.mongo import Database, Document, Index, aggregate, find_by_ids, full_name, insert_new, not_found
from libs.common.stored import MOMENT, all_readable
from services.notifier.deliveries.changes import CLAIM_FIELDS, Change, unless_cancelled, unset
from services.notifier.deliveries.delivery import Delivery, StoredDelivery
from services.notifier.deliveries.schedule import ENDED, FAILED, OPEN, UNDECIDED, State
from services.notifier.occasion import Occasion

INDEXES: Sequence[Index] = (
    Index("deliveries", ["due_at"], partial={"due_at": {"$exists": True}}),
    Index("deliveries", ["issuer_id", "state"]),
    Index("deliveries", ["learner_id"]),
    # What is over, by when it ended; new ones cost nothing here.
    Index("deliveries", ["changed_at"], partial={"state": {"$in": ENDED}}),
    Index("deliveries", ["state"], partial={"state": State.MAY_HAVE_BEEN_SENT}),
)

_MOST_COUNTED = 1_000_000
# What a decision tells of a delivery, and nothing else does.
_TOLD_BY_DECISION = ("learner_id", "achievement", "level", "score", "replaces")
# What nobody is sending: it can be cancelled at once.
_AT_REST = (State.NO_ADDRESS, State.PENDING, *FAILED)
_CREATED = {"$eq": [{"$type": "$created_at"}, "date"]}
# What whoever decides of a held delivery is told of it.
_GOOD: Document = {
    "issuer_id": {"$type": "string"},
    "occasion": {"$in": [each.value for each in Occasion]},
    "created_at": MOMENT,
}


class HeldDeliveries(NamedTuple):
    """Deliveries that may have been sent before the database was set back, and of what time they are."""

    issuer_id: str
    occasion: str
    mails: int
    oldest: datetime
    newest: datetime


class Deliveries:
    """Workers' queries go by ids derived from credential or learner; callers' queries carry the tenant."""

    def __init__(self, database: Database) -> None:
        self._deliveries = database["deliveries"]

    async def expect(self, deliveries: Sequence[StoredDelivery]) -> set[UUID]:
        """Insert new deliveries; one that is there stays as it is. Return the ids of those that are."""
        return await insert_new(self._deliveries, [each.document() for each in deliveries])

    async def fill(self, deliveries: Sequence[StoredDelivery]) -> None:
        """Write whose they are, and of what, onto those of these deliveries that were made without."""
        updates = [
            UpdateOne(
                {"_id": each.id, "issuer_id": each.issuer_id, "learner_id": {"$exists": False}},
                {"$set": {name: value for name, value in each.document().items() if name in _TOLD_BY_DECISION}},
            )
            for each in deliveries
        ]
        if updates:
            await self._deliveries.bulk_write(updates, ordered=False)

    async def find(self, ids: Iterable[UUID], damage: Damage | None = None) -> dict[UUID, StoredDelivery]:
        """Return these deliveries as they stand now; a worker's query, by derived ids. `damage`: `without_damaged`."""
        found = await find_by_ids(self._deliveries, "_id", ids)
        good = without_damaged(damage, full_name(self._deliveries), found, StoredDelivery.of)
        return {each.id: each for each in good}

    async def known(self, ids: Iterable[UUID]) -> set[UUID]:
        """Return those of these deliveries that there are, whatever they say; a worker's query, by derived ids."""
        return {each["_id"] for each in await find_by_ids(self._deliveries, "_id", ids, projection={"_id": 1})}

    async def failed_for(self, learner_ids: Sequence[UUID]) -> list[StoredDelivery]:
        """Return the deliveries of these learners that ended without being sent, for want of a good address."""
        query = {"learner_id": {"$in": list(learner_ids)}, "state": {"$in": FAILED}}
        return all_readable(StoredDelivery.of, await self._deliveries.find(query).to_list(None), self._deliveries)

    async def reopen(self, failed: Sequence[StoredDelivery], now: datetime) -> None:
        """Let these be tried from their first attempt, each unless something else became of it."""
        updates = [
            UpdateOne(
                {"_id": each.id, "state": {"$in": FAILED}, "address_mark": each.address_mark}, _from_the_first(now)
            )
            for each in failed
        ]
        if updates:
            await self._deliveries.bulk_write(updates, ordered=False)

    async def reopen_refused(self, issuer_id: str, now: datetime) -> None:
        """Let the mails of this issuer that were refused for their domains be looked at again."""
        refused = {"issuer_id": issuer_id, "state": State.REFUSED_DOMAIN}
        await self._deliveries.update_many(refused, _from_the_first(now))

    async def send_again(self, delivery: StoredDelivery, now: datetime) -> bool:
        """Let it be sent once more, unless that was done since it was read; return whether it was done now."""
        done = await self._deliveries.update_one(
            {
                "_id": delivery.id,
                "issuer_id": delivery.issuer_id,
                "state": delivery.state,
                "sending": delivery.sending,
            },
            {
                "$set": {
                    "state": State.PENDING,
                    "due_at": now,
                    "changed_at": now,
                    "attempts": 0,
                    "sending": delivery.sending + 1,
                    "asked_at": now,
                },
                "$unset": unset(["first_attempt_at", "allowed_at", "admitted", "may_have_gone"]),
            },
        )
        return done.matched_count > 0

    async def last_needed(self, learner_ids: Sequence[UUID], since: datetime) -> dict[UUID, datetime]:
        """Return those of these learners whom there was something to tell since then, or is still, and when last."""
        query = {
            "learner_id": {"$in": list(learner_ids)},
            "$or": [{"created_at": {"$gte": since}}, {"state": {"$in": UNDECIDED}}],
        }
        pipeline: list[Mapping[str, Any]] = [
            {"$match": query},
            {"$group": {"_id": "$learner_id", "last": {"$max": {"$cond": [_CREATED, "$created_at", since]}}}},
        ]
        return {each["_id"]: max(each["last"], since) async for each in aggregate(self._deliveries, pipeline)}

    async def activate(self, learner_ids: Sequence[UUID], now: datetime) -> None:
        """Deliveries of these learners wait for an address no longer: they are due now."""
        await self._deliveries.update_many(
            {"learner_id": {"$in": list(learner_ids)}, "state": State.NO_ADDRESS},
            {"$set": {"state": State.PENDING, "due_at": now, "changed_at": now}},
        )

    async def cancel_for_learners(self, learner_ids: Sequence[UUID], reason: str, now: datetime) -> None:
        """Cancel what is not sent yet of these learners, or held, and forget which address anything went to."""
        theirs = {"learner_id": {"$in": list(learner_ids)}}
        await self._cancel(theirs, reason, now, (*_AT_REST, State.MAY_HAVE_BEEN_SENT))
        await self._deliveries.update_many(theirs, {"$unset": unset(["address_mark"])})

    async def cancel_by_id(self, ids: Sequence[UUID], reason: str, now: datetime) -> None:
        """Cancel those of these deliveries that are not sent yet; what is held goes no more, and stays held.

        Whether its learner was told is for whoever decides of it to say.
        """
        await self._cancel({"_id": {"$in": list(ids)}}, reason, now, _AT_REST)

    async def _cancel(self, query: Mapping[str, Any], reason: str, now: datetime, at_once: Collection[State]) -> None:
        # The reason comes first: a delivery that goes back to pending between the two updates carries it already.
        # What has failed is cancelled too: a corrected address must not bring it back.
        await self._deliveries.update_many(
            {**query, "state": {"$in": [*UNDECIDED, *FAILED]}}, {"$set": {"cancel_reason": reason}}
        )
        await self._deliveries.update_many(
            {**query, "state": {"$in": list(at_once)}},
            {"$set": {"state": State.CANCELLED, "changed_at": now}, "$unset": unset(CLAIM_FIELDS)},
        )

    async def hold_open(self, now: datetime) -> int:
        """Hold whatever is not sent yet, as the database was set back and it may have been; return how many it is.

        What had failed stays so for its school to see, and is held where it is tried anew before somebody has decided.
        """
        # All tenants, here and in what follows: the database belongs to them all.
        held = {"state": State.MAY_HAVE_BEEN_SENT, "changed_at": now}
        done = await self._deliveries.update_many(
            {"state": {"$in": OPEN}}, {"$set": held, "$unset": unset(CLAIM_FIELDS)}
        )
        await self._deliveries.update_many({"state": {"$in": FAILED}}, {"$set": {"may_have_gone": True}})
        return done.modified_count

    async def held(self, issuer_id: str | None) -> list[HeldDeliveries]:
        """Return how many deliveries are held, by issuer and occasion, and of what time; of one issuer where named.

        Those that were damaged are left out.
        """
        pipeline: list[dict[str, Any]] = [
            {"$match": _good(issuer_id)},
            {
                "$group": {
                    "_id": {"issuer_id": "$issuer_id", "occasion": "$occasion"},
                    "mails": {"$sum": 1},
                    "oldest": {"$min": "$created_at"},
                    "newest": {"$max": "$created_at"},
                }
            },
            {"$sort": {"_id.issuer_id": 1, "_id.occasion": 1}},
        ]
        return [
            HeldDeliveries(**each["_id"], mails=each["mails"], oldest=each["oldest"], newest=each["newest"])
            async for each in aggregate(self._deliveries, pipeline)
        ]

    async def damaged_held(self, issuer_id: str | None, limit: int) -> list[UUID]:
        """Return held deliveries that were damaged, at most so many; of one issuer where named."""
        damaged = {**_held(issuer_id), "$nor": [_GOOD]}
        found = await self._deliveries.find(damaged, {"_id": 1}).sort("_id", 1).limit(limit).to_list(None)
        return [each["_id"] for each in found]

    async def count_held(self) -> int:
        """Return how many deliveries are held, those that were damaged too."""
        return await self._deliveries.count_documents(_held(None))

    async def release(self, issuer_id: str | None, now: datetime) -> int:
        """Let what is held go, of one issuer where named; return how many it is.

        What is nobody's yet stays held, and what was damaged.

        It was not sent: what was cancelled while it was held is over, and its learner was not told.
        """
        going = {"state": State.PENDING, "due_at": now, "changed_at": now}
        named = {**_good(issuer_id), "learner_id": {"$exists": True}}
        await self._trust_failures(issuer_id)
        done = await self._deliveries.update_many(named, [{"$set": going}, unless_cancelled()])
        return done.modified_count

    async def discard(self, issuer_id: str | None, now: datetime) -> int:
        """Send nothing of what is held, of one issuer where named: it was sent; return how many it is.

        What was damaged stays held.
        """
        over = {"state": State.CANCELLED, "cancel_reason": State.MAY_HAVE_BEEN_SENT, "changed_at": now}
        await self._trust_failures(issuer_id)
        done = await self._deliveries.update_many(_good(issuer_id), {"$set": over})
        return done.modified_count

    async def _trust_failures(self, issuer_id: str | None) -> None:
        """Let what had failed before the database was set back go where it is tried anew, of one issuer where named."""
        doubted = {"may_have_gone": True} if issuer_id is None else {"issuer_id": issuer_id, "may_have_gone": True}
        await self._deliveries.update_many(doubted, {"$unset": unset(["may_have_gone"])})

    async def claim(
        self, limit: int, *, owner: str, now: datetime, lease_until: datetime, in_flight: Collection[UUID] = ()
    ) -> list[Delivery]:
        """Claim up to `limit` due deliveries, the longest due first; those whose lease ended are due as well.

        Not those that the caller has `in_flight`: after a long absence of the database their lease has ended too, and
        what became of them is about to be written. Other replicas may see the same candidates. Each document is taken
        by an update that asks again whether it is due, so it goes to one of them; `claim` is a fresh id by which the
        winner knows its own.
        """
        due: Document = {"state": {"$in": [State.PENDING, State.SENDING]}, "due_at": {"$lte": now}}
        others = {**due, "_id": {"$nin": list(in_flight)}} if in_flight else due
        candidates = await self._deliveries.find(others).sort("due_at", 1).limit(limit).to_list(None)
        if not candidates:
            return []
        claim = uuid4()
        result = await self._deliveries.update_many(
            {"_id": {"$in": [each["_id"] for each in candidates]}, **due},
            {"$set": {"state": State.SENDING, "claim": claim, "owner": owner, "due_at": lease_until}},
        )
        if result.modified_count < len(candidates):
            ours = await find_by_ids(self._deliveries, "_id", [each["_id"] for each in candidates])
            candidates = [each for each in ours if each.get("claim") == claim]
        return all_readable(lambda each: Delivery.of(each, claim), candidates, self._deliveries)

    async def renew(self, deliveries: Sequence[Delivery], lease_until: datetime) -> None:
        """Extend the leases of deliveries that are still in flight."""
        await self._deliveries.update_many(
            {
                "_id": {"$in": [each.id for each in deliveries]},
                "claim": {"$in": list({each.claim for each in deliveries})},
            },
            {"$set": {"due_at": lease_until}},
        )

    async def write(self, changes: Sequence[Change]) -> None:
        """Write state changes; one whose claim was lost changes nothing."""
        if changes:
            await self._deliveries.bulk_write([change.update for change in changes], ordered=False)

    async def oldest_ended(self) -> datetime | None:
        """Return when the first of the deliveries ended that are over and still kept; None where there is none."""
        # All tenants, here and below: the loop serves each in its turn.
        over = {"state": {"$in": ENDED}, "changed_at": MOMENT}
        found = self._deliveries.find(over, {"changed_at": 1}).sort("changed_at", 1).limit(1)
        oldest = await found.to_list(None)
        return oldest[0]["changed_at"] if oldest else None

    async def ended(self, before: datetime) -> int:
        """Return how many deliveries ended before then."""
        return await self._deliveries.count_documents({"state": {"$in": ENDED}, "changed_at": {"$lt": before}})

    async def remove_ended(self, before: datetime, limit: int) -> int:
        """Delete deliveries that ended before then, at most so many; return how many."""
        ended = {"state": {"$in": ENDED}, "changed_at": {"$lt": before}}
        found = await self._deliveries.find(ended, {"_id": 1}).sort("changed_at", 1).limit(limit).to_list(None)
        if found:
            await self._deliveries.delete_many({"_id": {"$in": [each["_id"] for each in found]}, **ended})
        return len(found)

    async def backlog(self, now: datetime) -> tuple[int, datetime | None]:
        """How many pending deliveries are due (a million at most), and since when the oldest is."""
        due = {"state": State.PENDING, "due_at": {"$lte": now}}
        count = await self._deliveries.count_documents(due, limit=_MOST_COUNTED)
        oldest = await self._deliveries.find(due, {"due_at": 1}).sort("due_at", 1).limit(1).to_list(None)
        return count, oldest[0]["due_at"] if oldest else None

    async def of_issuer(self, issuer_id: str, ids: Sequence[UUID]) -> list[StoredDelivery]:
        """Those of these deliveries that are this issuer's and can be read, the oldest first."""
        found = self._deliveries.find({"_id": {"$in": list(ids)}, "issuer_id": issuer_id}).sort("created_at", 1)
        return all_readable(StoredDelivery.of, await found.to_list(None), self._deliveries)

    async def not_found(self, issuer_id: str, ids: Sequence[UUID], what: str) -> NotFoundError:
        """Return the error of deliveries of which this issuer has none; a refusal where another has one."""
        return await not_found(self._deliveries, issuer_id, {"$in": list(ids)}, what)

    async def counts(self, issuer_id: str) -> dict[State, int]:
        """How many of this issuer's deliveries are in each state."""
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"issuer_id": issuer_id}},
            {"$group": {"_id": "$state", "count": {"$sum": 1}}},
        ]
        counted = {each["_id"]: each["count"] async for each in aggregate(self._deliveries, pipeline)}
        return {state: counted.get(state, 0) for state in State}


def _from_the_first(now: datetime) -> Document:
    """Return the update by which a delivery is due now, and tried from its first attempt."""
    return {
        "$set": {"state": State.PENDING, "due_at": now, "changed_at": now, "attempts": 0},
        "$unset": unset(["first_attempt_at", "allowed_at", "admitted"]),
    }


def _held(issuer_id: str | None) -> Document:
    held: Document = {"state": State.MAY_HAVE_BEEN_SENT}
    return held if issuer_id is None else {**held, "issuer_id": issuer_id}


def _good(issuer_id: str | None) -> Document:
    return {"$and": [_held(issuer_id), _GOOD]}
