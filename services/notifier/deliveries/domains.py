"""How fast each destination domain is mailed: one leaky bucket per domain, and a pause where it throttles us."""

from libs.common.mongo import Database
from services.notifier.deliveries.buckets import LeakyBuckets, Rate, digest, number

_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 600.0


class Domains(LeakyBuckets):
    """The buckets of all domains. They belong to no tenant: a domain sees one sender, whichever school writes."""

    def __init__(self, database: Database, rate: Rate) -> None:
        super().__init__(database["domains"], rate)

    async def record_throttle(self, domain: str, now: float) -> None:
        """The domain asked for less: pause it, twice as long with each throttle that follows a pause.

        Mails that were under way when the pause began may be throttled too; they do not lengthen it.
        """
        doubled = {"$multiply": [_FIRST_PAUSE_SECONDS, {"$pow": [2, {"$min": [number("throttles"), 20]}]}]}
        await self._buckets.update_one(
            {"_id": digest(domain), "paused_until": {"$not": {"$gt": now}}},
            [
                {
                    "$set": {
                        "paused_until": {"$add": [now, {"$min": [doubled, _LONGEST_PAUSE_SECONDS]}]},
                        "throttles": {"$add": [number("throttles"), 1]},
                    }
                }
            ],
        )

    async def record_success(self, domain: str) -> None:
        """The domain took a mail: its next throttle counts as the first."""
        await self._buckets.update_one({"_id": digest(domain), "throttles": {"$gt": 0}}, {"$set": {"throttles": 0}})
