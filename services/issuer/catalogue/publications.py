"""Publishing versions in the catalogue, each number once: claimed in the database, then announced on Kafka.

A claim holds the very event, so that an interrupted publication is finished with the same words.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from pymongo import DESCENDING, ReplaceOne

from libs.audit.entry import Action, AuditWriter, Cause, Details, Entry
from libs.common.arrivals import Arrivals
from libs.common.errors import ConflictError, UnavailableError, UnreadableError
from libs.common.failpoints import failpoint
from libs.common.mongo import Database, Document, Index, find_by_ids, insert_new
from libs.common.stored import readable, require_readable
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import (
    AchievementPublished,
    AuthorityPublished,
    Event,
    IssuerPublished,
    OrganisationPublished,
)
from services.issuer.catalogue.repository import Catalogue, CatalogueEvent

INDEXES: Sequence[Index] = (
    Index("publications", ["subject", "version"], unique=True),
    Index("publications", ["claimed_at"], partial={"arrived": False}),
)

T = TypeVar("T")

_ATTEMPTS = 10
_PAUSE_SECONDS = 0.02
_WAIT_SECONDS = 10.0
_REPAIR_SECONDS = 5.0
# A publication that has not arrived by then was interrupted.
_INTERRUPTED_AFTER = timedelta(seconds=15)
_CONTRACTS: dict[str, type[CatalogueEvent]] = {
    "authority": AuthorityPublished,
    "issuer": IssuerPublished,
    "achievement": AchievementPublished,
    "organisation": OrganisationPublished,
}


def same_content(one: CatalogueEvent, other: CatalogueEvent) -> bool:
    """Return whether two versions say the same, whatever their numbers and moments."""
    return one == other.model_copy(update={"version": one.version, "published_at": one.published_at})


def subject_of(event: CatalogueEvent) -> str:
    """Return what the event is a version of: `issuer:ID`, `organisation:ID`, `authority:ID`, `achievement:OWNER/ID`."""
    if isinstance(event, AchievementPublished):
        return f"{event.key_prefix}{event.owner}/{event.achievement_id}"
    return event.key


async def unless_overtaken(publish: Callable[[], Awaitable[T]]) -> T:
    """Publish the next version, again where somebody else publishes at the same moment.

    Raises:
        ConflictError: others publish versions all the time.
    """
    for attempt in range(1, _ATTEMPTS):
        try:
            return await publish()
        except ConflictError:
            await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5) * attempt)  # noqa: S311  # jitter
    return await publish()


async def newest_of(*asked: Awaitable[CatalogueEvent | None]) -> CatalogueEvent | None:
    """Return the newest of what is claimed and what has arrived: after a restore, one may know what no other does.

    Raises:
        UnreadableError: what was damaged may be newer, so that its number must not be given again.
    """
    known: list[CatalogueEvent] = []
    damaged: list[UnreadableError] = []
    for each in asked:
        try:
            found = await each
        except UnreadableError as error:
            damaged.append(error)
        else:
            known += [] if found is None else [found]
    newest = max(known, key=lambda each: each.version, default=None)
    for each_damaged in damaged:
        if newest is None or each_damaged.version > newest.version:
            raise each_damaged
    return newest


class Publications:
    """The collection `publications`: for each version of each subject, who published it first, and what."""

    def __init__(
        self,
        database: Database,
        *,
        catalogue: Catalogue,
        audit: AuditWriter,
        arrivals: Arrivals,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._collection = database["publications"]
        self._catalogue = catalogue
        self._audit = audit
        self._arrivals = arrivals
        self._publish = publish
        self._clock = clock

    async def newest(self, subject: str) -> CatalogueEvent | None:
        """Return the newest version that was ever claimed, whether or not it has arrived.

        Raises:
            UnreadableError: it was damaged.
        """
        claim = await self._collection.find_one({"subject": subject}, sort=[("version", DESCENDING)])
        return None if claim is None else _read(claim)

    async def publish(
        self,
        event: CatalogueEvent,
        trace: str,
        *,
        cause: Cause,
        action: Action,
        otherwise: str,
        details: Details | None = None,
    ) -> tuple[CatalogueEvent, bool]:
        """Publish this version and wait until it has arrived here; `details` go into the audit log with the version.

        0. Record in the audit log who asks for it.
        1. Claim the version: one insert decides between two that come at once.
        2. Publish the event as the claim has it. A crash before leaves a claim that `repair` publishes.
        3. Wait until this service's own catalogue has it.

        Returns:
            The event as it was published first, and whether this call published it first.

        Raises:
            ConflictError: the version was published with other content; the text is `otherwise`.
            UnavailableError: published, and not arrived in time.
        """
        claim = _claim(event, self._clock(), arrived=False)
        stored = await self._collection.find_one({"_id": claim["_id"]})
        new = False
        if stored is None:
            await self._audit.record(_entry(event, cause, action, details or {}))  # 0
            new = not await insert_new(self._collection, [claim])  # 1
            failpoint("issuer.publications.1")
            stored = claim if new else await self._collection.find_one({"_id": claim["_id"]})
        published = None if stored is None else _read(stored)
        if published is None or not same_content(published, event):
            raise ConflictError(otherwise)
        await self.finish(published, trace)
        return published, new

    async def finish(self, event: CatalogueEvent, trace: str) -> None:
        """Publish a claimed version unless it has arrived, and wait until it has.

        Raises:
            UnavailableError: published, and not arrived in time.
        """
        if not await self._catalogue.has_arrived(event):
            await self._publish([Outgoing(event, trace)])  # 2
            failpoint("issuer.publications.2")
            if not await self._arrivals.wait_until(lambda: self._catalogue.has_arrived(event), _WAIT_SECONDS):  # 3
                raise UnavailableError("it is published and has not arrived here yet; ask again, that is safe")
        failpoint("issuer.publications.3")
        await self._settle(event, trace)

    async def lacking(self, events: Sequence[Event]) -> list[CatalogueEvent]:
        """Return those of these versions, which were published, that are not claimed here, or with other content."""
        versions = {_claim_id(each): each for each in events if isinstance(each, CatalogueEvent)}
        claims = await find_by_ids(self._collection, "_id", versions)
        held = {each["_id"]: event for each in claims if (event := readable(_event, each)) is not None}
        there = {claim_id for claim_id, event in held.items() if same_content(event, versions[claim_id])}
        return [each for claim_id, each in versions.items() if claim_id not in there]

    async def adopt(self, lacking: Sequence[CatalogueEvent]) -> None:
        """Take these versions up as they were published; what was claimed here with other content gives way."""
        claims = [_claim(each, each.published_at, arrived=True) for each in lacking]
        await self._collection.bulk_write([ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in claims])
        organisations = [each for each in lacking if isinstance(each, OrganisationPublished)]
        await self._catalogue.organisations.store(organisations)
        await self._catalogue.store_issuers([each for each in lacking if isinstance(each, IssuerPublished)])
        await self._catalogue.store_authority([each for each in lacking if isinstance(each, AuthorityPublished)])
        await self._catalogue.store_achievements([each for each in lacking if isinstance(each, AchievementPublished)])

    async def repair(self) -> float:
        """Finish interrupted publications, once; returns the delay in seconds until the next time."""
        query = {"arrived": False, "claimed_at": {"$lt": self._clock() - _INTERRUPTED_AFTER}}
        for claim in await self._collection.find(query).to_list(None):
            event = readable(_event, claim)
            if event is None:
                continue
            if await self._catalogue.has_arrived(event):
                await self._settle(event, new_trace())
            else:
                await self._publish([Outgoing(event, new_trace())])
        return _REPAIR_SECONDS

    async def _settle(self, event: CatalogueEvent, trace: str) -> None:
        """Note that the version has arrived, and see to it that the newest version is the last record of its key.

        Two publishers may overtake each other, and a compacted topic keeps the last record, not the highest version:
        whoever published an older version sees so here and publishes the newest one again.
        """
        try:
            newest = await self.newest(subject_of(event))
        except UnreadableError:
            newest = None
        if newest is not None and newest.key == event.key and newest.version > event.version:
            await self._publish([Outgoing(newest, trace)])
        claim = {"_id": _claim_id(event), "arrived": False}
        await self._collection.update_one(claim, {"$set": {"arrived": True}})


def _entry(event: CatalogueEvent, cause: Cause, action: Action, details: Details) -> Entry:
    kind, _, name = subject_of(event).partition(":")
    reason = None
    if action is Action.ISSUER_SUSPENDED and isinstance(event, IssuerPublished) and event.suspension is not None:
        reason = event.suspension.reason.value
    if action is Action.ORGANISATION_CLOSED and isinstance(event, OrganisationPublished) and event.closing is not None:
        reason = event.closing.reason.value
    return Entry(
        action, cause, (name.partition("/")[0],), f"{kind} {name}", reason, {**details, "version": event.version}
    )


def _claim_id(event: CatalogueEvent) -> str:
    return f"{subject_of(event)}/{event.version}"


def _claim(event: CatalogueEvent, claimed_at: datetime, *, arrived: bool) -> Document:
    return {
        "_id": _claim_id(event),
        "schema": 1,
        "subject": subject_of(event),
        "version": event.version,
        "kind": event.key.partition(":")[0],
        "event": event.model_dump_json(),
        "claimed_at": claimed_at,
        "arrived": arrived,
    }


def _read(claim: Document) -> CatalogueEvent:
    return require_readable(_event, claim, f"publication {claim['_id']}")


def _event(claim: Document) -> CatalogueEvent:
    return _CONTRACTS[claim["kind"]].model_validate_json(claim["event"])
