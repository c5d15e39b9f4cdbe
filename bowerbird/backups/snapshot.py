"""Reading every database as it was at one moment, while services go on writing."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bson import Timestamp
from pymongo.errors import OperationFailure

from bowerbird.backups.manifest import BackupError, Moment
from libs.common.fence import RESTORING_ID
from libs.common.mongo import Client, Collection, Session, snapshot_session

_WINDOW: Final = "minSnapshotHistoryWindowInSeconds"
_DEFAULT_SECONDS: Final = 300  # of MongoDB
_GONE: Final = {239, 246}  # SnapshotTooOld, SnapshotUnavailable
_ALONE: Final = {20, 123}  # IllegalOperation, NotAReplicaSet

RESTORING: Final = "restoring."
"""What the names of collections begin with that are not restored in full yet."""


class Snapshot:
    """All databases at one moment.

    Attributes:
        collections: each with its database, in the order of their names.
        moment: of the replica set's clock.
    """

    def __init__(
        self, client: Client, session: Session, collections: Sequence[tuple[str, str]], moment: Moment
    ) -> None:
        self._client = client
        self._session = session
        self.collections = collections
        self.moment = moment

    async def read(self, database: str, collection: str) -> AsyncIterator[bytes]:
        """Yield the documents of a collection, many whole BSON documents at a time, at most some 16 MB.

        Raises:
            BackupError: the moment is too long ago by now, or the collection was changed in its form meanwhile.
            PyMongoError: MongoDB does not answer.
        """
        try:
            async for batch in self._client[database][collection].find_raw_batches({}, session=self._session):
                yield batch
        except OperationFailure as error:
            if error.code not in _GONE:
                raise
            raise BackupError(
                f"MongoDB no longer has {database}.{collection} as it was when this backup began. Begin again, with a "
                "larger --longest, and not while indexes are made."
            ) from error


@asynccontextmanager
async def snapshot(client: Client, databases: Sequence[str], longest_seconds: int) -> AsyncIterator[Snapshot]:
    """Take the moment, and keep it readable for so long.

    Raises:
        BackupError: the server is no member of a replica set, which alone can read a moment of the past.
        PyMongoError: MongoDB does not answer, or does not let this user do it.
    """
    async with _history(client, longest_seconds):
        known = await _collections(client, databases)
        while True:
            async with _session(client, client[databases[0]]["audit"]) as (session, at):
                # One that came into being between the two would be missed: then the moment is taken once more.
                found = await _collections(client, databases)
                if found == known:
                    yield Snapshot(client, session, found, Moment(seconds=at.time, increment=at.inc))
                    return
            known = found


@asynccontextmanager
async def _session(client: Client, first: Collection) -> AsyncIterator[tuple[Session, Timestamp]]:
    try:
        async with snapshot_session(client, first) as both:
            yield both
    except OperationFailure as error:
        if error.code not in _ALONE:
            raise
        raise BackupError(
            "MongoDB runs alone, and only a replica set can read a moment of the past; one of one member will do."
        ) from error


async def _collections(client: Client, databases: Sequence[str]) -> list[tuple[str, str]]:
    return [
        (database, name)
        for database in databases
        for name in sorted(await client[database].list_collection_names())
        if not name.startswith(("system.", RESTORING))
    ]


async def collections_with_documents(client: Client, databases: Sequence[str]) -> list[str]:
    """Return those that are not empty, DATABASE.COLLECTION; what says that a restore is not done counts for nothing.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    return [
        f"{database}.{name}"
        for database, name in await _collections(client, databases)
        if await client[database][name].find_one({"_id": {"$ne": RESTORING_ID}}, {"_id": 1})
    ]


@asynccontextmanager
async def _history(client: Client, seconds: int) -> AsyncIterator[None]:
    """Have the server keep so much of the past meanwhile; then as much again as it was started with."""
    # What is in force may be what a backup that was killed left behind, so it does not say what to go back to.
    started = (await client.admin.command({"getCmdLineOpts": 1}))["parsed"].get("setParameter", {})
    usual = int(started.get(_WINDOW, _DEFAULT_SECONDS))
    await client.admin.command({"setParameter": 1, _WINDOW: max(usual, seconds)})
    try:
        yield
    finally:
        await client.admin.command({"setParameter": 1, _WINDOW: usual})
