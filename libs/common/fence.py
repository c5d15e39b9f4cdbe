"""Proof that the database did not go back beneath a running process.

Each process has a document of its own with a counter, which it raises again and again. Where the document is gone, or
its counter is lower than the process knows, the database was set back to an earlier moment. Then the process ends: what
it holds in memory (positions, entries of status lists) is of a history that the database does not know. Its successor
takes up what was published (docs/adr/0024-what-was-published-is-the-truth.md).

1. Raise the counter.                                          Killed: the document stays, and is removed in a day.
2. What must not happen on a database that went back proves the counter in its own transaction.
"""

import secrets
from datetime import UTC, datetime, timedelta

from libs.common.mongo import Client, Collection, Database, Session
from libs.common.stored import MOMENT

_GONE = timedelta(days=1)
_NOTE = "went-back"
_DOUBT = "decided-anew"
_UNDECIDED = datetime(9999, 12, 31, tzinfo=UTC)

RESTORING_ID = "restoring"
"""The id of the document in `fence` that says that a restore is not done."""


class WentBackError(OSError):
    """The database was set back beneath this process. Whoever waits, waits for the end of the process."""


class UnfinishedRestoreError(OSError):
    """A restore into this MongoDB is under way, or broke off: nothing may be decided by half of the stores."""


class Fence:
    """The collection `fence`: a document for each process."""

    def __init__(self, client: Client, database: Database, *, restoring: Collection | None = None) -> None:
        self._client = client
        self._fence = database["fence"] if restoring is None else restoring
        self._id = secrets.token_hex(16)
        self._count = 0

    async def raise_count(self) -> None:
        """Prove that the database did not go back, and raise the counter.

        Raises:
            WentBackError: it did.
            PyMongoError: the database is unavailable; whether the counter was raised is not known, and does not matter.
        """
        now = datetime.now(UTC)
        if not self._count:
            # Not the last that any process raised, however long ago: it tells of when this database is.
            newest = await self.last_raised()
            gone = {"$lt": now - _GONE if newest is None else min(newest, now - _GONE)}
            await self._fence.delete_many({"$or": [{"raised_at": gone}, {"raised_at": None, "begun_at": gone}]})
            # Without `raised_at`: a process that is starting does not tell yet that the database is of today.
            begun = {"schema": 1, "count": 1, "begun_at": now}
            await self._fence.update_one({"_id": self._id}, {"$set": begun}, upsert=True)
            self._count = 1
            return
        raised = await self._fence.update_one(
            {"_id": self._id, "count": {"$gte": self._count}},
            {"$set": {"count": self._count + 1, "raised_at": now}},
        )
        if not raised.matched_count:
            raise WentBackError("the database was set back to an earlier moment beneath this process")
        self._count += 1

    async def last_raised(self) -> datetime | None:
        """Return when a process last raised its counter in this database; None where none that has started did."""
        found = await self._fence.find({"raised_at": MOMENT}).sort("raised_at", -1).limit(1).to_list(None)
        return found[0]["raised_at"] if found else None

    async def note(self) -> None:
        """Leave word for the next process that the database was set back beneath this one."""
        await self._fence.update_one({"_id": _NOTE}, {"$set": {"schema": 1, "at": datetime.now(UTC)}}, upsert=True)

    async def noted(self) -> bool:
        """Return whether a process has left word that the database was set back beneath it."""
        return await self._fence.find_one({"_id": _NOTE}) is not None

    async def forget_note(self) -> None:
        """Take that word away: what follows from it is done."""
        await self._fence.delete_one({"_id": _NOTE})

    async def begin_restoring(self) -> None:
        """Keep processes from starting on this database until `end_restoring`."""
        await self._fence.update_one({"_id": RESTORING_ID}, {"$set": {"schema": 1}}, upsert=True)

    async def end_restoring(self) -> None:
        """Let processes start on this database again."""
        await self._fence.delete_one({"_id": RESTORING_ID})

    async def is_restoring(self) -> bool:
        """Return whether a restore into this database is under way, or broke off."""
        return await self._fence.find_one({"_id": RESTORING_ID}) is not None

    async def require_restored(self) -> None:
        """Do nothing where no restore into this database is under way, or broke off; it only reads.

        Raises:
            UnfinishedRestoreError: one is, or did.
            PyMongoError: the database is unavailable.
        """
        if await self.is_restoring():
            raise UnfinishedRestoreError(
                "a backup is being restored into this MongoDB, or that broke off: run the same `bowerbird restore` "
                "again, to its end, before anything else"
            )

    async def doubt(self) -> None:
        """Keep that whatever comes may have had effects before that neither this database nor Kafka tells of."""
        await self._fence.update_one({"_id": _DOUBT}, {"$set": {"schema": 1, "until": _UNDECIDED}}, upsert=True)

    async def end_doubt(self, at: datetime) -> None:
        """Keep that what comes from then on had none; what came before stays in doubt."""
        await self._fence.update_one({"_id": _DOUBT, "until": {"$gt": at}}, {"$set": {"until": at}})

    async def doubted_until(self) -> datetime | None:
        """Return until when what comes is in doubt, far ahead while nobody has ended it; None where nothing is."""
        found = await self._fence.find_one({"_id": _DOUBT})
        return None if found is None else found["until"]

    async def prove(self, session: Session | None = None) -> None:
        """Prove that the database did not go back, within a transaction where one is given.

        Raises:
            WentBackError: it did.
            PyMongoError: the database is unavailable.
        """
        if not self._count:
            return
        found = await self._fence.find_one(
            {"_id": self._id, "count": {"$gte": self._count}}, {"_id": 1}, session=session
        )
        if found is None:
            raise WentBackError("the database was set back to an earlier moment beneath this process")
