"""MongoDB: the client, and the few calls that differ between motor and its successor, in this one module.

Writes are acknowledged by a majority with their journal flushed; inserts of documents whose ids are derived from
events ignore 'already there', so doing work again is harmless (messaging facts: insert unordered rather than upsert).
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError, DocumentTooLarge, OperationFailure, PyMongoError

Document = dict[str, Any]
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]
Collection = AsyncIOMotorCollection[Document]

_DUPLICATE_KEY = 11000
# BadValue, FailedToParse, DocumentValidationFailure, BSONObjectTooLarge: no retry can mend these.
_PERMANENT_CODES = frozenset({2, 9, 121, 10334})


@dataclass(frozen=True)
class Index:
    """An index, declared beside the repository that needs it and created by `bowerbird setup`."""

    collection: str
    keys: Sequence[str]
    unique: bool = False
    partial: Mapping[str, Any] | None = None

    def model(self) -> IndexModel:
        """The index as the driver takes it."""
        options: dict[str, Any] = {"unique": self.unique, "name": "_".join(self.keys)}
        if self.partial is not None:
            options["partialFilterExpression"] = self.partial
        return IndexModel([(key, ASCENDING) for key in self.keys], **options)


def connect(url: str, app_name: str) -> Client:
    """A client; it connects at its first use and again whenever the server comes back."""
    return AsyncIOMotorClient(
        url,
        appname=app_name,
        tz_aware=True,
        uuidRepresentation="standard",
        w="majority",
        journal=True,
        retryWrites=True,
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=5_000,
        socketTimeoutMS=30_000,
    )


async def close(client: Client) -> None:
    """Close every connection."""
    client.close()


async def ping(client: Client) -> str | None:
    """None where the primary takes writes, else what is wrong."""
    try:
        hello = await client.admin.command("hello")
    except PyMongoError as error:
        return type(error).__name__
    return None if hello.get("isWritablePrimary") else "no writable primary"


async def create_indexes(database: Database, indexes: Iterable[Index]) -> None:
    """Create the indexes that do not exist yet."""
    by_collection: dict[str, list[IndexModel]] = {}
    for index in indexes:
        by_collection.setdefault(index.collection, []).append(index.model())
    for name, models in by_collection.items():
        await database[name].create_indexes(models)


async def insert_new(collection: Collection, documents: Sequence[Document]) -> set[Any]:
    """Insert all documents, unordered, and return the `_id`s of those that were refused as duplicates.

    Raises:
        PyMongoError: anything but a duplicate key went wrong; some documents may be stored, doing it again is safe.
    """
    if not documents:
        return set()
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        refused = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or any(e["code"] != _DUPLICATE_KEY for e in refused):
            raise
        return {documents[e["index"]]["_id"] for e in refused}
    return set()


async def insert_together(client: Client, parts: Sequence[tuple[Collection, Sequence[Document]]]) -> bool:
    """Insert all documents of all collections in one transaction: all are stored, or none.

    Returns:
        False where another writer was there first (a duplicate key): nothing of this is stored, and what is stored
        must be read again.

    Raises:
        PyMongoError: anything else went wrong, a write conflict among it. The other writer may be a process that was
            killed, whose transaction the server keeps open until `transactionLifetimeLimitSeconds`: that is waited for.
            All or nothing is stored; doing it again tells which.
    """
    try:
        async with await client.start_session() as session, session.start_transaction():
            for collection, documents in parts:
                if documents:
                    await collection.insert_many(documents, session=session)
    except BulkWriteError as error:
        if all(each["code"] == _DUPLICATE_KEY for each in error.details["writeErrors"]):
            return False
        raise
    except OperationFailure as error:
        if error.code == _DUPLICATE_KEY:
            return False
        raise
    return True


async def find_by_ids(
    collection: Collection, field: str, values: Iterable[Any], *, projection: Mapping[str, int] | None = None
) -> list[Document]:
    """All documents whose `field` is one of `values`, fetched 500 values at a time."""
    wanted = list(dict.fromkeys(values))
    found: list[Document] = []
    for start in range(0, len(wanted), 500):
        query = {field: {"$in": wanted[start : start + 500]}}
        found += await collection.find(query, projection).to_list(None)
    return found


async def aggregate(collection: Collection, pipeline: Sequence[Mapping[str, Any]]) -> AsyncIterator[Document]:
    """Run an aggregation and yield its documents."""
    async for document in collection.aggregate(pipeline):
        yield document


def is_permanent(error: PyMongoError) -> bool:
    """Whether trying again cannot help: the document itself is what the server or driver refuses."""
    if isinstance(error, DocumentTooLarge):
        return True
    if isinstance(error, BulkWriteError):
        codes = {e["code"] for e in error.details["writeErrors"]} - {_DUPLICATE_KEY}
        return bool(codes & _PERMANENT_CODES)
    return getattr(error, "code", None) in _PERMANENT_CODES
