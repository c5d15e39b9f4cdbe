"""The collection `issuer_names`: who is taking a name at this moment, so that no two take names that look alike.

Whose name it is says the catalogue; a name is reserved here until what was published with it has surely arrived there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from pymongo.errors import DuplicateKeyError

from libs.common.mongo import Database, Index
from libs.openbadges.trust.names import likenesses, sought_likenesses, turned_skeleton

# Longer than a publication takes to be finished, an interrupted one among them.
RESERVED = timedelta(seconds=60)


INDEXES: Sequence[Index] = (Index("issuer_names", ["likenesses"]),)


class IssuerNames:
    """Names by their skeleton (Unicode Technical Standard 39, section 4): those that look alike have the same one."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._names = database["issuer_names"]
        self._clock = clock

    async def reserve(self, name: str, issuer_id: str) -> bool:
        """Reserve the name and all that could be taken for it; return False where another did so a moment ago.

        Of two who reserve one skeleton at once, wherever it begins, the insert decides. Of two names that are alike
        otherwise each is written before others are read, so at least one sees the other, and perhaps both.
        """
        # The name is what two tenants must not share, so these queries are over all of them.
        now = self._clock()
        free = [{"issuer_id": issuer_id}, {"reserved_at": {"$lt": now - RESERVED}}]
        kept = sorted(likenesses(name))
        reserved = {"schema": 1, "issuer_id": issuer_id, "reserved_at": now, "likenesses": kept}
        try:
            await self._names.update_one({"_id": turned_skeleton(name), "$or": free}, {"$set": reserved}, upsert=True)
        except DuplicateKeyError:
            return False
        sought = {"likenesses": {"$in": sorted(sought_likenesses(name))}, "issuer_id": {"$ne": issuer_id}}
        return await self._names.find_one({**sought, "reserved_at": {"$gte": now - RESERVED}}, {"_id": 1}) is None
