"""What this service publishes in the catalogue, each id once: claimed in the database, then told on Kafka.

A claim holds the very event, so that an interrupted publication is finished with the same words.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import orjson

from libs.common.errors import ConflictError, UnavailableError
from libs.common.failpoints import failpoint
from libs.common.mongo import Database, Document, Index, insert_new
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import AchievementPublished, IssuerPublished
from services.issuer.catalogue.repository import Catalogue, CatalogueEvent

INDEXES: Sequence[Index] = (Index("publications", ["claimed_at"], partial={"arrived": False}),)

_WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.02
_REPAIR_SECONDS = 5.0
# A publication that has not arrived by then was interrupted.
_INTERRUPTED_AFTER = timedelta(seconds=15)
_CONTRACTS: dict[str, type[IssuerPublished] | type[AchievementPublished]] = {
    "issuer": IssuerPublished,
    "achievement": AchievementPublished,
}


def digest_of(content: Any) -> str:
    """SHA-256, hex, of JSON content whatever the order of its keys."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def wait_until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Ask again and again until the condition holds; False where it does not in time."""
    give_up_at = monotonic() + seconds
    while not await condition():
        if monotonic() > give_up_at:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


class Publications:
    """The collection `publications`: for each catalogue key, who said what first."""

    def __init__(
        self,
        database: Database,
        *,
        catalogue: Catalogue,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._collection = database["publications"]
        self._catalogue = catalogue
        self._publish = publish
        self._clock = clock

    async def once(self, event: CatalogueEvent, digest: str, trace: str, *, otherwise: str) -> bool:
        """Publish this under its key and wait until it has arrived here; True where it is new.

        1. Claim the key: one insert decides between two that come at once.
        2. Publish the event as the claim has it. A crash before leaves a claim that `repair` publishes.
        3. Wait until this service's own catalogue has it.

        Raises:
            ConflictError: the key stands for other content; the text is `otherwise`.
            UnavailableError: published, and not arrived in time.
        """
        claim = {
            "_id": event.key,
            "schema": 1,
            "kind": event.key.partition(":")[0],
            "digest": digest,
            "event": event.model_dump_json(),
            "claimed_at": self._clock(),
            "arrived": False,
        }
        refused = await insert_new(self._collection, [claim])  # 1
        failpoint("issuer.publications.1")
        stored = await self._collection.find_one({"_id": event.key}) if refused else claim
        if stored is None or stored["digest"] != digest:
            raise ConflictError(otherwise)
        said = _read(stored)
        if not await self._catalogue.has_arrived(said):
            await self._publish([Outgoing(said, trace)])  # 2
            failpoint("issuer.publications.2")
            if not await wait_until(lambda: self._catalogue.has_arrived(said), _WAIT_SECONDS):  # 3
                raise UnavailableError("it is published and has not arrived here yet; ask again, that is safe")
        failpoint("issuer.publications.3")
        await self._arrived(said)
        return not refused

    async def repair(self) -> float:
        """A turn of the loop that finishes interrupted publications; returns the seconds to rest."""
        query = {"arrived": False, "claimed_at": {"$lt": self._clock() - _INTERRUPTED_AFTER}}
        for claim in await self._collection.find(query).to_list(None):
            event = _read(claim)
            if await self._catalogue.has_arrived(event):
                await self._arrived(event)
            else:
                await self._publish([Outgoing(event, new_trace())])
        return _REPAIR_SECONDS

    async def _arrived(self, event: CatalogueEvent) -> None:
        await self._collection.update_one({"_id": event.key}, {"$set": {"arrived": True}})


def _read(claim: Document) -> CatalogueEvent:
    return _CONTRACTS[claim["kind"]].model_validate_json(claim["event"])
