"""The epoch of the issuer's store: what is counted in it can be given away once, whatever the store is set back to.

A store that was set back would give indexes and versions away again. So lists are begun and versions counted in an
epoch, and whoever finds that the store went back begins a new one.
"""

from collections.abc import Callable
from datetime import datetime

from pymongo import ReturnDocument
from pymongo.read_concern import ReadConcern

from libs.common.mongo import Database
from services.issuer.status.repository import StatusListRepository

# The one document of the collection.
_ID = "epoch"


class Epochs:
    """The collection `epoch`, which holds the epoch that is current: a number of seconds since 1970."""

    def __init__(self, database: Database, lists: StatusListRepository, clock: Callable[[], datetime]) -> None:
        self._collection = database.get_collection("epoch", read_concern=ReadConcern("majority"))
        self._lists = lists
        self._clock = clock

    async def current(self) -> int:
        """Return the current epoch; a store without one begins its first, and one that has lost it a new one."""
        found = await self._collection.find_one({"_id": _ID})
        number = None if found is None else found.get("number")
        return number if isinstance(number, int) else await self._begin(0, again=False)

    async def begin_new(self, at_least: int) -> int:
        """Begin a new epoch and return it: later than the current one, not before this moment, nor below `at_least`.

        Every list goes on in it, so that each is published anew, and no list of an earlier epoch is filled further.
        Killed in between, the loop that publishes lists does the rest.

        Args:
            at_least: one more than the highest epoch that was seen published.
        """
        epoch = await self._begin(at_least, again=True)
        await self._lists.enter(epoch)
        return epoch

    async def _begin(self, at_least: int, *, again: bool) -> int:
        least = max(at_least, int(self._clock().timestamp()))
        held = {"$cond": [{"$isNumber": "$number"}, "$number", 0]}
        number = {"$max": [{"$add": [held, 1 if again else 0]}, least]}
        begun = number if again else {"$cond": [held, held, number]}
        document = await self._collection.find_one_and_update(
            {"_id": _ID},
            [{"$set": {"schema": 1, "number": begun}}],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return int(document["number"])
