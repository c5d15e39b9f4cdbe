"""Signing keys in MongoDB, their secrets encrypted: all queries on them stand here."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from bson import Binary
from pymongo import ASCENDING, UpdateOne
from pymongo.errors import OperationFailure

from libs.common import mongo
from libs.common.errors import NotFoundError
from libs.common.fence import Fence
from libs.common.mongo import Client, Database, Document, Index, insert_together, is_conflict, update_together
from services.issuer.keys.encryption import Sealed
from services.issuer.keys.states import Copy, KeyState, SigningKey

INDEXES: Sequence[Index] = (
    # One active and one next key per issuer, whatever any code believes.
    Index(
        "signing_keys",
        ["issuer_id", "state"],
        unique=True,
        partial={"state": {"$in": [KeyState.ACTIVE.value, KeyState.NEXT.value]}},
    ),
    Index("signing_keys", ["issuer_id", "created_at"]),
    Index("signing_keys", ["published"], partial={"published": False}),
    Index("signing_keys", ["copy"]),
)

_CONFLICT_SECONDS = 0.05
# Whoever reads states needs no secrets.
_WITHOUT_SECRET = {"sealed": 0}
# What was damaged so that it does not say whose it is.
_NOBODYS = {"issuer_id": {"$not": {"$type": "string"}}}
# A key that an earlier version stored has no copy.
_UNCOPIED = {"copy": {"$in": [None, Copy.NONE.value, Copy.BEHIND.value]}}


UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What reading a key raises whose document was damaged."""


class StoredKey(NamedTuple):
    """A key with its secret, sealed."""

    key: SigningKey
    sealed: Sealed


class SigningKeyRepository:
    """The collection `signing_keys`; `_id` is the key's id, its public key in multibase."""

    def __init__(self, client: Client, database: Database, fence: Fence | None = None) -> None:
        """Take the client and database; and what proves, with each key made or changed, that it did not go back."""
        self._client = client
        self._collection = database["signing_keys"]
        self._prove = None if fence is None else fence.prove

    async def insert(self, key: SigningKey, sealed: Sealed) -> bool:
        """Store a new key; False where the issuer has one in this state already and may have one alone.

        Raises:
            WentBackError: the database was set back beneath this process: it may lack the key that the issuer has.
        """
        document = {"_id": key.key_id, **_document(key, sealed)}
        while True:
            try:
                return await insert_together(self._client, [(self._collection, [document])], first=self._prove)
            except OperationFailure as error:
                if not is_conflict(error):
                    raise
            # Another process is making one: which of the two it is, the next try tells.
            await asyncio.sleep(_CONFLICT_SECONDS)

    async def of_issuer(self, issuer_id: str) -> list[SigningKey]:
        """Return all keys that the issuer ever had, the oldest first."""
        found = self._collection.find({"issuer_id": issuer_id}, _WITHOUT_SECRET, sort=[("created_at", ASCENDING)])
        return [_key(each) for each in await found.to_list(None)]

    async def not_found(self, issuer_id: str, key_id: str) -> NotFoundError:
        """Return the error of a key that this issuer never had; a refusal where another has it."""
        return await mongo.not_found(self._collection, issuer_id, key_id)

    async def active(self, issuer_id: str) -> StoredKey | None:
        """Return the issuer's active key with its encrypted secret."""
        found = await self._collection.find_one({"issuer_id": issuer_id, "state": KeyState.ACTIVE})
        return None if found is None else _stored(found)

    async def with_secrets(self, issuer_id: str) -> list[StoredKey]:
        """Return all keys that the issuer ever had, with their encrypted secrets."""
        return [_stored(each) for each in await self._collection.find({"issuer_id": issuer_id}).to_list(None)]

    async def not_sealed_under(self, kek_id: str, after: str, limit: int) -> list[StoredKey]:
        """Return keys whose secrets another key-encryption key sealed, by their ids from behind `after`."""
        # An operator's query, over all tenants.
        query = {"kek_id": {"$ne": kek_id}, "_id": {"$gt": after}}
        found = self._collection.find(query, sort=[("_id", ASCENDING)], limit=limit)
        return [_stored(each) for each in await found.to_list(None)]

    async def issuers(self) -> list[str]:
        """Return all issuers that have keys."""
        # An operator's query, over all tenants.
        return list(await self._collection.distinct("issuer_id"))

    async def uncopied_of(self, issuer_id: str) -> list[StoredKey]:
        """Return this issuer's keys whose copies do not tell what is stored."""
        found = self._collection.find({"issuer_id": issuer_id, **_UNCOPIED})
        return [_stored(each) for each in await found.to_list(None)]

    async def uncopied_issuers(self) -> list[str]:
        """Return the issuers with keys whose copies do not tell what is stored."""
        # A worker's query, over all tenants.
        return list(await self._collection.distinct("issuer_id", _UNCOPIED))

    async def mark_copied(self, found: Iterable[StoredKey]) -> list[StoredKey]:
        """Note that the copies of these tell what was read; return those that changed since, as they stand now."""
        changed = []
        for key, sealed in found:
            same = {
                "_id": key.key_id,
                "issuer_id": key.issuer_id,
                "state": key.state,
                "distrusted_from": key.distrusted_from,
                "sealed": Binary(sealed.ciphertext),
            }
            result = await self._collection.update_one(same, {"$set": {"copy": Copy.CURRENT.value}})
            if not result.matched_count:
                changed.append(key.key_id)
        # A worker's query, by ids.
        return [_stored(each) for each in await self._collection.find({"_id": {"$in": changed}}).to_list(None)]

    async def readable(
        self, issuer_ids: Sequence[str], key_ids: Sequence[str] = ()
    ) -> tuple[dict[str, list[StoredKey]], set[str]]:
        """Return all keys of these issuers, by issuer; and the ids of those whose documents were damaged.

        Of these keys a document that does not say whose it is was damaged too.
        """
        found: dict[str, list[StoredKey]] = {each: [] for each in issuer_ids}
        damaged = set[str]()
        nobodys = {"_id": {"$in": list(key_ids)}, **_NOBODYS}
        query = {"$or": [{"issuer_id": {"$in": list(issuer_ids)}}, nobodys]}
        for each in await self._collection.find(query).to_list(None):
            try:
                found[each["issuer_id"]].append(_stored(each))
            except UNREADABLE:
                damaged.add(each["_id"])
        return found, damaged

    async def adopt(self, changes: Iterable[tuple[StoredKey | None, StoredKey]], damaged: Collection[str]) -> bool:
        """Store what copies told, together and in this order; False where another writer was first.

        Args:
            changes: each key as it was read, or None where there was none, and as it is to be.
            damaged: those among them that are there, and were not read as their documents were damaged.
        """
        updates = []
        for before, (key, sealed) in changes:
            query: Document = {"_id": key.key_id, "issuer_id": key.issuer_id}
            new = before is None and key.key_id not in damaged
            if new:
                query["created_at"] = {"$exists": False}  # one that is there is not matched, and cannot be inserted
            elif before is not None:
                query["state"] = before.key.state
            elif key.key_id in damaged:
                query = {"_id": key.key_id, "$or": [{"issuer_id": key.issuer_id}, _NOBODYS]}
            updates.append(UpdateOne(query, {"$set": _document(key, sealed)}, upsert=new))
        return await update_together(self._client, self._collection, updates, first=self._prove)

    async def count_by_kek(self) -> dict[str, int]:
        """Return how many secrets each key-encryption key sealed, by its id."""
        # An operator's query, over all tenants.
        pipeline = [{"$group": {"_id": "$kek_id", "count": {"$sum": 1}}}]
        return {each["_id"]: each["count"] async for each in mongo.aggregate(self._collection, pipeline)}

    async def seal_anew(self, changes: Iterable[tuple[SigningKey, Sealed, Sealed]]) -> None:
        """Store secrets sealed anew, each in one step, unless what is stored is no longer what was read.

        Their copies are behind from then on.
        """
        updates = [
            UpdateOne(
                {"_id": key.key_id, "issuer_id": key.issuer_id, "sealed": Binary(before.ciphertext), **_copied_as(key)},
                {
                    "$set": {
                        "kek_id": after.kek_id,
                        "sealed": Binary(after.ciphertext),
                        "copy": key.changed().copy.value,
                    }
                },
            )
            for key, before, after in changes
        ]
        await self._collection.bulk_write(updates, ordered=False)

    async def active_ids(self, issuer_ids: Iterable[str]) -> dict[str, str]:
        """Return the id of each of these issuers' active keys, by issuer."""
        query = {"issuer_id": {"$in": list(issuer_ids)}, "state": KeyState.ACTIVE}
        found = await self._collection.find(query, {"issuer_id": 1}).to_list(None)
        return {each["issuer_id"]: each["_id"] for each in found}

    async def update(self, before: Iterable[SigningKey], changed: Sequence[SigningKey]) -> bool:
        """Store these changes together, in their order; False where another writer has changed a key since `before`."""
        states = {each.key_id: each for each in before}
        updates = [
            UpdateOne(
                {
                    "_id": each.key_id,
                    "issuer_id": each.issuer_id,
                    "state": states[each.key_id].state,
                    "distrusted_from": states[each.key_id].distrusted_from,
                },
                {"$set": _changing(each)},
            )
            for each in changed
        ]
        return await update_together(self._client, self._collection, updates, first=self._prove)

    async def mark_published(self, keys: Iterable[SigningKey]) -> None:
        """Note that a DID document that tells of these states has arrived; a key that changed since stays as it is."""
        for each in keys:
            if not each.published:
                same = {"_id": each.key_id, "state": each.state, "distrusted_from": each.distrusted_from}
                await self._collection.update_one(same, {"$set": {"published": True}})

    async def unpublished_issuers(self) -> list[str]:
        """Return the issuers with a key whose state no DID document is known to tell."""
        # A worker's query, over all tenants.
        return list(await self._collection.distinct("issuer_id", {"published": False}))


def _changing(key: SigningKey) -> Document:
    return {
        "state": key.state.value,
        "times": {state.value: at for state, at in key.times.items()},
        "distrusted_from": key.distrusted_from,
        "published": key.published,
        "copy": key.copy.value,
    }


def _document(key: SigningKey, sealed: Sealed) -> Document:
    """Return the document of a key, without its `_id`."""
    return {
        "schema": 1,
        "issuer_id": key.issuer_id,
        **_changing(key),
        "kek_id": sealed.kek_id,
        "sealed": Binary(sealed.ciphertext),
        "created_at": min(key.times.values()),
    }


def _copied_as(key: SigningKey) -> Document:
    return {"copy": {"$in": [None, Copy.NONE.value]} if key.copy is Copy.NONE else key.copy.value}


def _stored(document: Document) -> StoredKey:
    return StoredKey(_key(document), Sealed(document["kek_id"], bytes(document["sealed"])))


def _key(document: dict[str, Any]) -> SigningKey:
    return SigningKey(
        key_id=document["_id"],
        issuer_id=document["issuer_id"],
        state=KeyState(document["state"]),
        times={KeyState(state): at for state, at in document["times"].items()},
        distrusted_from=document["distrusted_from"],
        published=document["published"],
        copy=Copy(document.get("copy", Copy.NONE)),
    )
