"""MongoDB: the client, and the few calls that differ between motor and its successor, in this one module.

Writes are acknowledged by a majority with their journal flushed; inserts of documents whose ids are derived from
events ignore 'already there', so doing work again is harmless (messaging facts: insert unordered rather than upsert).
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from bson import Timestamp
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import ASCENDING, IndexModel, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, ConfigurationError, DocumentTooLarge, OperationFailure, PyMongoError

import libs.common.bson_uuid  # noqa: F401  # for its effect on the driver
from libs.common.errors import NotFoundError, OtherTenantError
from libs.common.settings import PREFIX, SettingsError

Document = dict[str, Any]
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]
Collection = AsyncIOMotorCollection[Document]
Session = AsyncIOMotorClientSession
Insertion = tuple[Collection, Sequence[Document]]

_DUPLICATE_KEY = 11000
_WRITE_CONFLICT = 112
_LAST = datetime.max.replace(tzinfo=UTC)
# BadValue, FailedToParse, DocumentValidationFailure, BSONObjectTooLarge: no retry can help these.
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


def connect(url: str, app_name: str, access: Mapping[str, Any] | None = None, *, patient: bool = False) -> Client:
    """Return a client; it connects at its first use and again whenever the server comes back.

    Args:
        url: the connection string.
        app_name: how the server's log names us.
        access: the driver's options for user, password and TLS (`libs.common.store_access`).
        patient: wait for an answer as long as it takes, such as for an index over millions of documents.

    Raises:
        SettingsError: the connection string is none, or does not go with the options.
    """
    try:
        return _client(url, app_name, access or {}, patient=patient)
    except (ConfigurationError, ValueError, OSError) as error:
        # Not the driver's words: they may hold part of a password.
        raise SettingsError(
            f"{PREFIX}MONGO_URL cannot be used ({type(error).__name__}): it is mongodb://HOST:PORT,HOST:PORT/"
            "?replicaSet=NAME, with user name and password percent-encoded if they stand there, and the files that "
            "other settings of MongoDB name are readable"
        ) from None


def _client(url: str, app_name: str, access: Mapping[str, Any], *, patient: bool) -> Client:
    return AsyncIOMotorClient(
        url,
        appname=app_name,
        tz_aware=True,
        # What no `datetime` can hold is read as no moment, rather than end the reading of all that stands beside it.
        datetime_conversion="DATETIME_AUTO",
        uuidRepresentation="standard",
        w="majority",
        journal=True,
        retryWrites=True,
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=5_000,
        socketTimeoutMS=None if patient else 30_000,
        **access,
    )


def tls_context(client: Client) -> ssl.SSLContext | None:
    """Return what new connections check the server's certificate with; None where there is no TLS."""
    return cast(ssl.SSLContext | None, client.delegate.options.pool_options._ssl_context)  # noqa: SLF001  # canary


def full_name(collection: Collection) -> str:
    """Return DATABASE.COLLECTION."""
    return f"{collection.database.name}.{collection.name}"


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


async def time_of(client: Client) -> datetime | None:
    """Return what the clock of the primary says; None where it does not answer."""
    try:
        hello = await client.admin.command("hello")
    except PyMongoError:
        return None
    local: datetime = hello["localTime"]
    return local


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


def newest(documents: Iterable[Document], *, order: str) -> dict[Any, Document]:
    """Return, by `_id`, the document of the highest `order`; of equal ones the first."""
    latest: dict[Any, Document] = {}
    for document in documents:
        held = latest.setdefault(document["_id"], document)
        if held[order] < document[order]:
            latest[document["_id"]] = document
    return latest


async def upsert_newest(collection: Collection, documents: Iterable[Document], *, order: str) -> None:
    """Store each document unless one of its `_id` is stored whose `order` is as high or higher.

    The newest takes precedence, in whatever order documents arrive, however often, and from however many replicas at
    once: all end with the same state. Two documents of one `_id` and one `order` must be the same, since the first of
    them stays.

    An upsert that asks 'lower than mine?' would fail on a duplicate key both when the stored one is newer and when
    another process has just inserted an older one. Insert, then update where lower: no such doubt.

    Args:
        collection: where they are stored.
        documents: each with its `_id`. Fields that a document does not have stay as they are stored.
        order: the field that says which is newer: a version, or a moment. Stored documents without it are older.

    Raises:
        PyMongoError: some documents may be stored; doing it again is safe.
    """
    latest = newest(documents, order=order)
    there = await insert_new(collection, list(latest.values()))
    updates = [
        UpdateOne(
            {"_id": document_id, order: {"$not": _as_new_as(latest[document_id][order])}},
            {"$set": {name: value for name, value in latest[document_id].items() if name != "_id"}},
        )
        for document_id in there
    ]
    if updates:
        await collection.bulk_write(updates, ordered=False)


def _as_new_as(value: Any) -> Document:
    """Return what a query asks of an order that is as high; a moment that no `datetime` can hold is damage, not new."""
    return {"$gte": value, "$lte": _LAST} if isinstance(value, datetime) else {"$gte": value}


async def insert_together(
    client: Client,
    parts: Sequence[Insertion],
    *,
    first: Callable[[Session], Awaitable[None]] | None = None,
    updating: Sequence[tuple[Collection, Sequence[UpdateOne]]] = (),
    replacing: tuple[Collection, Sequence[ReplaceOne[Document]]] | None = None,
) -> bool:
    """Insert all documents of all collections in one transaction: all are stored, or none.

    Args:
        client: the connection.
        parts: the documents of each collection.
        first: awaited in the transaction before anything is inserted; what it raises ends the transaction.
        updating: made before anything is inserted, each of one document, which its query must find.
        replacing: documents to be replaced with them, each by a query that finds it as it was read, or inserted.

    Returns:
        False where another writer was there first (a duplicate key, nothing to update or replace): nothing of this is
        stored, and what is stored must be read again.

    Raises:
        PyMongoError: anything else went wrong, a write conflict among it. The other writer may be a process that was
            killed, whose transaction the server keeps open until `transactionLifetimeLimitSeconds`: that is waited for.
            All or nothing is stored; doing it again tells which.
    """
    try:
        async with await client.start_session() as session, session.start_transaction():
            if first is not None:
                await first(session)
            for collection, updates in updating:
                if updates and (await collection.bulk_write(updates, session=session)).matched_count < len(updates):
                    await session.abort_transaction()
                    return False
            for collection, documents in parts:
                if documents:
                    await collection.insert_many(documents, session=session)
            if replacing is not None and replacing[1]:
                result = await replacing[0].bulk_write(replacing[1], session=session)
                if result.matched_count + result.upserted_count < len(replacing[1]):
                    await session.abort_transaction()
                    return False
    except BulkWriteError as error:
        if all(each["code"] == _DUPLICATE_KEY for each in error.details["writeErrors"]):
            return False
        raise
    except OperationFailure as error:
        if error.code == _DUPLICATE_KEY:
            return False
        raise
    return True


def is_duplicate(error: BulkWriteError) -> bool:
    """Return whether nothing was refused but documents whose key is there already."""
    refused = error.details["writeErrors"]
    return not error.details["writeConcernErrors"] and all(each["code"] == _DUPLICATE_KEY for each in refused)


async def update_together(
    client: Client,
    collection: Collection,
    updates: Sequence[UpdateOne],
    *,
    first: Callable[[Session], Awaitable[None]] | None = None,
) -> bool:
    """Make all of these updates in one transaction, or none.

    Args:
        client: the connection.
        collection: what is updated.
        updates: of one document each.
        first: awaited in the transaction before anything is updated; what it raises ends the transaction.

    Returns:
        False where an update found no document to change, or another writer is changing one: nothing is changed.

    Raises:
        PyMongoError: anything else went wrong; all or nothing is changed, and doing it again is safe.
    """
    try:
        async with await client.start_session() as session, session.start_transaction():
            if first is not None:
                await first(session)
            result = await collection.bulk_write(updates, session=session)
            if result.matched_count + result.upserted_count == len(updates):
                return True
            await session.abort_transaction()
    except (BulkWriteError, OperationFailure) as error:
        if not is_conflict(error):
            raise
    return False


def is_conflict(error: OperationFailure) -> bool:
    """Return whether nothing is wrong but that another writer is at the same document, or was first."""
    codes = {error.code}
    if isinstance(error, BulkWriteError):
        codes = {each["code"] for each in error.details["writeErrors"]}
    return bool(codes) and codes <= {_DUPLICATE_KEY, _WRITE_CONFLICT}


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


async def not_found(collection: Collection, issuer_id: str, id_: Any, what: str = "nothing") -> NotFoundError:
    """Return the error of an id under which this tenant has nothing: a refusal of access where another tenant has.

    Whoever is answered sees no difference. It costs one look into the index of ids, whatever is there.

    Args:
        collection: its documents carry `issuer_id`.
        issuer_id: the tenant who asked.
        id_: the id, or a condition on it.
        what: such as 'no batch', for the caller.
    """
    elsewhere = await collection.find_one({"_id": id_, "issuer_id": {"$ne": issuer_id, "$exists": True}}, {"_id": 1})
    return (NotFoundError if elsewhere is None else OtherTenantError).for_caller(what)


async def aggregate(source: Collection | Database, pipeline: Sequence[Mapping[str, Any]]) -> AsyncIterator[Document]:
    """Run an aggregation over a collection, or one that a database alone can run, and yield its documents."""
    async for document in source.aggregate(pipeline):
        yield document


@asynccontextmanager
async def snapshot_session(client: Client, first: Collection) -> AsyncIterator[tuple[Session, Timestamp]]:
    """Give a session all of whose reads are of one moment, and that moment, by reading something of `first`.

    Raises:
        PyMongoError: MongoDB does not answer, or is no replica set, which alone can read a moment of the past.
    """
    async with await client.start_session(snapshot=True) as session:
        await first.find_one({}, {"_id": 1}, session=session)
        moment = session.delegate._snapshot_time  # noqa: SLF001  # the driver keeps it to itself
        assert isinstance(moment, Timestamp)  # noqa: S101  # canary: the driver's
        yield session, moment


def is_permanent(error: PyMongoError) -> bool:
    """Whether trying again cannot help: the document itself is what the server or driver refuses."""
    if isinstance(error, DocumentTooLarge):
        return True
    if isinstance(error, BulkWriteError):
        codes = {e["code"] for e in error.details["writeErrors"]} - {_DUPLICATE_KEY}
        return bool(codes & _PERMANENT_CODES)
    return getattr(error, "code", None) in _PERMANENT_CODES
