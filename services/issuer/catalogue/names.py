"""The collection `issuer_names`: who is taking a name at this moment, so that no two take names that look alike.

Whose name it is says the catalogue; a name is reserved here until what was published with it has surely arrived there.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from pymongo.errors import DuplicateKeyError

from libs.common.mongo import Database
from libs.openbadges.trust.names import skeleton

# Longer than a publication takes to be finished, an interrupted one among them.
RESERVED = timedelta(seconds=60)


class IssuerNames:
    """Names by their skeleton (Unicode Technical Standard 39, section 4): those that look alike have the same one."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._names = database["issuer_names"]
        self._clock = clock

    async def reserve(self, name: str, issuer_id: str) -> bool:
        """Reserve the name and all that look like it; return False where another issuer did so a moment ago."""
        # The name is what two tenants must not share, so this query is over all of them.
        now = self._clock()
        free = [{"issuer_id": issuer_id}, {"reserved_at": {"$lt": now - RESERVED}}]
        reserved = {"schema": 1, "issuer_id": issuer_id, "reserved_at": now}
        try:
            await self._names.update_one({"_id": skeleton(name), "$or": free}, {"$set": reserved}, upsert=True)
        except DuplicateKeyError:
            return False
        return True
