"""API keys in a service's own database: the collection `api_keys`."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pymongo import ASCENDING, UpdateOne

from libs.common.damage import Damage, without_damaged
from libs.common.errors import NotFoundError
from libs.common.mongo import Database, Document, Index, aggregate, not_found
from libs.common.stored import all_readable, readable, typed
from libs.contracts.events import ApiKeyGranted, ApiKeyWithdrawn

INDEXES: Sequence[Index] = (
    Index("api_keys", ["changed_at"]),
    Index("api_keys", ["issuer_id", "granted_at"]),
)

# Writes become visible a little out of the order of the server's clock, and another server's may differ.
_OVERLAP = timedelta(seconds=10)
_AT_ONCE = 500
_NEVER = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key as it is known here: the grant, and when it ends.

    Attributes:
        ends_at: the earlier of when it expires and when it was withdrawn for.
        end_reason: why it was withdrawn, a code; None where it merely expires.
        ended_at_once: it was withdrawn for the moment in which that was asked for, whatever the clock here says.
        last_used: the beginning of the last hour in which it was used; the issuer service knows it of all services.
    """

    sha256: str
    issuer_id: str
    name: str
    scopes: frozenset[str]
    granted_at: datetime
    granted_by: str
    granted_with: str | None
    expires_at: datetime
    ends_at: datetime
    end_reason: str | None = None
    ended_at_once: bool = False
    last_used: datetime | None = None


class KeyChanges(NamedTuple):
    """What is stored of the keys that changed since a moment.

    Attributes:
        keys: those that were granted.
        unreadable: the digests of those whose documents were damaged: they let nobody in.
        until: the moment to ask from the next time.
    """

    keys: list[StoredKey]
    unreadable: list[str]
    until: datetime | None


class KeyRepository:
    """Grants and withdrawals, in whatever order they arrive and however often: the same state comes of them.

    A grant never changes, and of withdrawals the earliest end holds; so nothing that is repeated, or held back and
    sent later, revives or extends a key.
    """

    def __init__(self, database: Database) -> None:
        self._keys = database["api_keys"]

    async def add(self, grants: Sequence[ApiKeyGranted], withdrawals: Sequence[ApiKeyWithdrawn]) -> None:
        """Store these, once each."""
        updates = [*map(granting, grants), *map(_withdrawing, withdrawals)]
        if updates:
            await self._keys.bulk_write(updates, ordered=True)

    async def changed_since(self, moment: datetime | None) -> KeyChanges:
        """Return the granted keys that changed since then (all: None); moments are those of the database server."""
        query: Document = {"grant": {"$exists": True}}
        if moment is not None:
            query["changed_at"] = {"$gte": moment - _OVERLAP}
        found, unreadable = list[StoredKey](), list[str]()
        async for each in self._keys.find(query).batch_size(_AT_ONCE):
            key = readable(stored_key, each, self._keys)
            if key is None:
                unreadable.append(each["_id"])
                continue
            found.append(key)
            moment = each["changed_at"] if moment is None else max(moment, each["changed_at"])
        return KeyChanges(found, unreadable, moment)

    async def of_issuer(self, issuer_id: str) -> list[StoredKey]:
        """Return the keys of this issuer, the oldest first, those that have ended too."""
        query = {"issuer_id": issuer_id, "grant": {"$exists": True}}
        found = self._keys.find(query, sort=[("granted_at", ASCENDING)])
        return all_readable(stored_key, await found.to_list(None), self._keys)

    async def counts(self, issuer_ids: Iterable[str]) -> dict[str, int]:
        """Return how many keys each of these issuers ever had; those that had none are left out."""
        match = {"issuer_id": {"$in": list(issuer_ids)}, "grant": {"$exists": True}}
        counted = aggregate(self._keys, [{"$match": match}, {"$group": {"_id": "$issuer_id", "count": {"$sum": 1}}}])
        return {each["_id"]: each["count"] async for each in counted}

    async def not_found(self, issuer_id: str, id_: str, what: str) -> NotFoundError:
        """Return the error of a key, by its id, that this issuer does not have; a refusal where another has it."""
        # Its id is the beginning of its digest; 'g' follows all hexadecimal digits.
        return await not_found(self._keys, issuer_id, {"$gte": id_, "$lt": f"{id_}g"}, what)

    async def events_of(self, sha256: str) -> list[ApiKeyGranted | ApiKeyWithdrawn]:
        """Return the signed grant of a key and the withdrawal that holds, as they were published."""
        found = await self._keys.find_one({"_id": sha256})
        return (found and readable(_events_of, found, self._keys)) or []

    async def everything(self, damage: Damage | None = None) -> AsyncIterator[ApiKeyGranted | ApiKeyWithdrawn]:
        """Yield every signed grant, and of each key the withdrawal that holds, as they were published.

        `damage` is as for `without_damaged`.
        """
        # An operator's query, over all tenants.
        async for found in self._keys.find({"grant": {"$exists": True}}).batch_size(_AT_ONCE):
            for events in without_damaged(damage, f"{self._keys.database.name}.api_keys", [found], _events_of):
                for event in events:
                    yield event

    async def used(self, hours: Sequence[tuple[str, datetime]]) -> None:
        """Note, by digest, hours in which keys were used; the latest stays."""
        updates = [UpdateOne({"_id": sha256}, {"$max": {"last_used": hour}}) for sha256, hour in hours]
        if updates:
            await self._keys.bulk_write(updates, ordered=False)


def granting(event: ApiKeyGranted) -> UpdateOne:
    """Return the update of the collection that stores a grant."""
    fields = {
        "schema": 2,
        "grant": event.model_dump_json(),
        "issuer_id": event.issuer_id,
        "name": event.name,
        "scopes": list(event.scopes),
        "granted_at": event.granted_at,
        "granted_by": event.granted_by,
        "granted_with": event.granted_with,
        "expires_at": event.expires_at,
    }
    # The first grant stays. The server's own clock: whoever looks for changes asks by it.
    stage: dict[str, Any] = {name: {"$ifNull": [f"${name}", {"$literal": value}]} for name, value in fields.items()}
    # The same grant signed anew is the one to be published again, should somebody displace it.
    content = [name for name in fields if name not in {"schema", "grant"}]
    same = [{"$eq": [f"${name}", {"$literal": fields[name]}]} for name in content]
    stage["grant"] = {"$cond": [{"$and": same}, {"$literal": fields["grant"]}, stage["grant"]]}
    return UpdateOne({"_id": event.key_sha256}, [{"$set": {**stage, "changed_at": "$$NOW"}}], upsert=True)


def _withdrawing(event: ApiKeyWithdrawn) -> UpdateOne:
    fields = {
        "withdrawal": event.model_dump_json(),
        "end_reason": event.reason,
        "ends_at": event.ends_at,
        "ended_at_once": event.ends_at <= event.requested_at,
    }
    # Of two that end a key at the same moment the later record holds, which is also the one that compaction keeps.
    held = {"$lt": [{"$ifNull": ["$ends_at", {"$literal": _NEVER}]}, {"$literal": event.ends_at}]}
    stage: dict[str, Any] = {name: {"$cond": [held, f"${name}", {"$literal": value}]} for name, value in fields.items()}
    return UpdateOne({"_id": event.key_sha256}, [{"$set": {**stage, "changed_at": "$$NOW"}}], upsert=True)


def _events_of(document: Document) -> list[ApiKeyGranted | ApiKeyWithdrawn]:
    events: list[ApiKeyGranted | ApiKeyWithdrawn] = []
    if "grant" in document:
        events.append(ApiKeyGranted.model_validate_json(document["grant"]))
    if "withdrawal" in document:
        events.append(ApiKeyWithdrawn.model_validate_json(document["withdrawal"]))
    return events


class _Stored(NamedTuple):
    """The document of a key that was granted; its end stands beside the withdrawal."""

    sha256: str
    issuer_id: str
    name: str
    scopes: list[str]
    granted_at: datetime
    granted_by: str
    granted_with: str | None
    expires_at: datetime
    changed_at: datetime
    ends_at: datetime | None
    end_reason: str | None
    ended_at_once: bool = False
    last_used: datetime | None = None


_read = typed(_Stored, sha256="_id")


def stored_key(document: Document) -> StoredKey:
    """Return what is stored of a key that was granted.

    Raises:
        ValueError: the document was damaged.
    """
    stored = _read(document)
    if stored.ends_at is None and "withdrawal" in document:
        raise ValueError("a key that was withdrawn does not say when it ends")
    return StoredKey(
        sha256=stored.sha256,
        issuer_id=stored.issuer_id,
        name=stored.name,
        scopes=frozenset(stored.scopes),
        granted_at=stored.granted_at,
        granted_by=stored.granted_by,
        granted_with=stored.granted_with,
        expires_at=stored.expires_at,
        ends_at=stored.expires_at if stored.ends_at is None else min(stored.expires_at, stored.ends_at),
        end_reason=stored.end_reason,
        ended_at_once=stored.ended_at_once,
        last_used=stored.last_used,
    )
