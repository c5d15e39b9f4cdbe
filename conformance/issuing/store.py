"""What the interoperability instances remember: their keys, which credential has which status entry, which are set."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bson import Binary
from pymongo import ReturnDocument

from libs.common.mongo import Database, insert_new
from services.issuer.keys.signing_keys import KeyEncryption

_SECRET_BYTES = 32
_BOUND_TO = "keys of the interoperability instances"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where every key of the instances comes from; it shows in no representation."""

    ed25519: bytes = field(repr=False)
    p256: bytes = field(repr=False)
    indexes: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> "Secrets":
        """New ones, of the operating system's randomness."""
        return cls(*(secrets.token_bytes(_SECRET_BYTES) for _ in range(3)))

    @classmethod
    def from_bytes(cls, joined: bytes) -> "Secrets":
        """Those that `to_bytes` wrote."""
        return cls(*(joined[start : start + _SECRET_BYTES] for start in (0, _SECRET_BYTES, 2 * _SECRET_BYTES)))

    def to_bytes(self) -> bytes:
        """All in one, to be sealed."""
        return self.ed25519 + self.p256 + self.indexes


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in a status list."""

    purpose: str
    list_id: str
    index: int


class InteropStore(Protocol):
    """The same facts in a database and in memory; one suite of tests runs against both."""

    async def secrets(self) -> Secrets:
        """The secrets; made at the first call, and the same ever after."""
        ...

    async def take_number(self, purpose: str) -> int:
        """A number that nobody else gets for this purpose: 0, 1, 2 and so on."""
        ...

    async def remember(self, credential_id: str, entries: Sequence[Entry]) -> None:
        """Note the places of a credential; those noted last hold."""
        ...

    async def entries(self, credential_id: str) -> Sequence[Entry]:
        """The places of a credential; none where it is not known."""
        ...

    async def set(self, list_id: str, index: int, *, value: bool) -> None:
        """Write one entry of a list; the list's version grows."""
        ...

    async def list_state(self, list_id: str) -> tuple[int, frozenset[int]]:
        """Version and set entries of a list; 0 and none where nothing was ever set."""
        ...


class MemoryInterop:
    """For a process that forgets all when it ends, but for its keys where it was given them."""

    def __init__(self, kept: Secrets | None = None) -> None:
        self._secrets = kept or Secrets.generate()
        self._numbers: dict[str, int] = {}
        self._entries: dict[str, tuple[Entry, ...]] = {}
        self._lists: dict[str, tuple[int, frozenset[int]]] = {}

    async def secrets(self) -> Secrets:
        """See `InteropStore`."""
        return self._secrets

    async def take_number(self, purpose: str) -> int:
        """See `InteropStore`."""
        number = self._numbers.get(purpose, 0)
        self._numbers[purpose] = number + 1
        return number

    async def remember(self, credential_id: str, entries: Sequence[Entry]) -> None:
        """See `InteropStore`."""
        self._entries[credential_id] = tuple(entries)

    async def entries(self, credential_id: str) -> Sequence[Entry]:
        """See `InteropStore`."""
        return self._entries.get(credential_id, ())

    async def set(self, list_id: str, index: int, *, value: bool) -> None:
        """See `InteropStore`."""
        version, indexes = self._lists.get(list_id, (0, frozenset()))
        self._lists[list_id] = (version + 1, indexes | {index} if value else indexes - {index})

    async def list_state(self, list_id: str) -> tuple[int, frozenset[int]]:
        """See `InteropStore`."""
        return self._lists.get(list_id, (0, frozenset()))


class MongoInterop:
    """In the issuer's database, in the collection `interop`; every query is by an id derived from what is asked."""

    def __init__(self, database: Database, encryption: KeyEncryption) -> None:
        self._collection = database["interop"]
        self._encryption = encryption

    async def secrets(self) -> Secrets:
        """See `InteropStore`; sealed like every signing key."""
        sealed = Binary(self._encryption.seal(Secrets.generate().to_bytes(), _BOUND_TO))
        await insert_new(self._collection, [{"_id": "secrets", "schema": 1, "sealed": sealed}])
        stored = await self._collection.find_one({"_id": "secrets"})
        if stored is None:
            raise OSError("the secrets of the interoperability instances were deleted meanwhile")
        return Secrets.from_bytes(self._encryption.open(bytes(stored["sealed"]), _BOUND_TO))

    async def take_number(self, purpose: str) -> int:
        """See `InteropStore`."""
        stored = await self._collection.find_one_and_update(
            {"_id": f"numbers:{purpose}"},
            {"$inc": {"taken": 1}, "$setOnInsert": {"schema": 1}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return int(stored["taken"]) - 1

    async def remember(self, credential_id: str, entries: Sequence[Entry]) -> None:
        """See `InteropStore`."""
        written = [{"purpose": one.purpose, "list_id": one.list_id, "index": one.index} for one in entries]
        await self._collection.update_one(
            {"_id": f"credential:{credential_id}"}, {"$set": {"schema": 1, "entries": written}}, upsert=True
        )

    async def entries(self, credential_id: str) -> Sequence[Entry]:
        """See `InteropStore`."""
        stored = await self._collection.find_one({"_id": f"credential:{credential_id}"})
        return () if stored is None else [Entry(**one) for one in stored["entries"]]

    async def set(self, list_id: str, index: int, *, value: bool) -> None:
        """See `InteropStore`."""
        await self._collection.update_one(
            {"_id": f"list:{list_id}"},
            {
                "$inc": {"version": 1},
                "$addToSet" if value else "$pull": {"indexes": index},
                "$setOnInsert": {"schema": 1},
            },
            upsert=True,
        )

    async def list_state(self, list_id: str) -> tuple[int, frozenset[int]]:
        """See `InteropStore`."""
        stored = await self._collection.find_one({"_id": f"list:{list_id}"})
        return (0, frozenset()) if stored is None else (stored["version"], frozenset(stored.get("indexes", ())))
