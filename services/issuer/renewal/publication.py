"""Publishing signed documents that change: each newest version confirmed, and signed again before it ends.

What is signed is derived from the database whenever it is published, so there is nothing that two writers could tear.
"""

import asyncio
import hashlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic

from pymongo.errors import PyMongoError

from libs.audit.entry import Action, AuditWriter, Cause, Details, Entry
from libs.common.errors import UnreadableError
from libs.common.telemetry import get_logger, new_trace, trace_id
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import AUTHORITY_ID, Event
from services.issuer.keys.encryption import KeyUnavailableError
from services.issuer.renewal.metrics import RenewalMetrics
from services.issuer.renewal.repository import VersionedRepository, VersionedT

_REPAIR_SECONDS = 5.0
_LONGEST_DELAY_SECONDS = 60.0
# A publisher that has not said for this long that it is at work was killed: another one publishes what it had.
_PUBLISHER_GONE = timedelta(seconds=10)
_PUBLISHER_BEAT_SECONDS = 3.0
# What was claimed to be signed again, and was not, comes back after this time.
_PATIENCE = timedelta(seconds=60)
# Signed again at one run of the loop; then the rest of the process runs.
_TOGETHER = 100
_SCHEDULE_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)

Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Freshness:
    """For how long a signed document is valid, and for how long a copy may be kept before it is fetched again."""

    valid_for: timedelta
    ttl: timedelta

    @property
    def renewed_every(self) -> timedelta:
        """Return how often it is signed again: half of its validity is left for a stop of this service."""
        return self.valid_for / 2

    def renewed_at(self, signed_at: datetime) -> datetime:
        """Return when it is signed again: on a schedule that is the same whenever it changes, and so tells of none."""
        return signed_at + self.renewed_every - (signed_at - _SCHEDULE_BEGAN) % self.renewed_every


@dataclass(frozen=True, slots=True)
class Signed:
    """A version of a document, signed, and not published yet.

    Attributes:
        event: what publishes it.
        text: the whole of what its readers get, of which the audit log has the digest.
        version: which one it is, by the names of its numbers.
    """

    event: Event
    text: str
    version: Mapping[str, int]


class Publication(ABC, Generic[VersionedT]):
    """Publishes the documents of one collection."""

    def __init__(
        self,
        documents: VersionedRepository[VersionedT],
        *,
        action: Action,
        audit: AuditWriter,
        publish: Publish,
        clock: Callable[[], datetime],
        freshness: Freshness,
        metrics: RenewalMetrics,
    ) -> None:
        self._documents = documents
        self._action = action
        self._audit = audit
        self._publish = publish
        self._clock = clock
        self._freshness = freshness
        self._metrics = metrics
        # What waits to be published, and since when this process has seen it.
        self._waiting: dict[str, datetime] = {}

    @abstractmethod
    async def _sign(self, current: VersionedT, now: datetime) -> Signed:
        """Return this version, signed, with what the database says now: at least every change that it counts.

        Raises:
            KeyUnavailableError: it cannot be signed as things stand.
            UnreadableError: what is stored of it is damaged.
        """

    def _after_step(self, step: int) -> None:
        """Be told that a step of `publish` is done."""

    async def publish(self, document_id: str, *, alone: bool = False) -> None:
        """Publish the newest version of the document, confirmed.

        1. Note that this publisher is at work, and read the version. The note is made anew while it is.
        2. Read what is to be signed: it holds at least every change that the version counts. Sign, write the version
           and the digest of what was signed into the audit log, publish, wait.
        3. Note that this version is the last that was published, and take the note of step 1 away.

        A change in between is left to `repair`, which publishes whatever is not the last that was published. So is what
        two publishers leave that overtake each other: a compacted topic keeps the last record, not the newest version,
        and whoever published an older one says so in step 3. A crash before step 3 leaves the note, and `repair`
        publishes again.

        Args:
            document_id: of the document.
            alone: do nothing where another publisher is at work.
        """
        token, now = secrets.token_hex(8), self._clock()
        current = await self._documents.begin(document_id, token, now, now - _PUBLISHER_GONE if alone else None)
        self._after_step(1)
        if current is None:
            return
        signed_at = self._clock()
        try:
            async with self._at_work(document_id, token):
                signed, trace = await self._sign(current, signed_at), new_trace()
                await self._record(document_id, signed, trace)
                await self._publish([Outgoing(signed.event, trace)])
        except (Exception, asyncio.CancelledError):
            await self._documents.give_up(document_id, token)
            raise
        self._after_step(2)
        self._metrics.published.inc()
        renew_at = self._freshness.renewed_at(signed_at)
        await self._documents.finish(current, token, signed_at=signed_at, renew_at=renew_at)

    async def _record(self, document_id: str, signed: Signed, trace: str) -> None:
        """Write into the audit log what is about to be published: a list that it does not know was signed elsewhere."""
        details: Details = {**signed.version, "sha256": hashlib.sha256(signed.text.encode()).hexdigest()}
        cause = Cause.of_service("issuer", trace_id(trace))
        await self._audit.record(Entry(self._action, cause, (AUTHORITY_ID,), f"list {document_id}", details=details))

    @asynccontextmanager
    async def _at_work(self, document_id: str, token: str) -> AsyncIterator[None]:
        """Note again and again that this publisher is at work, however long the brokers take."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(_PUBLISHER_BEAT_SECONDS)
                with suppress(PyMongoError):
                    await self._documents.go_on(document_id, token, self._clock())

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()

    async def repair(self) -> float:
        """Publish what nobody has published yet; return the seconds until it is worth looking again."""
        now = self._clock()
        gone = now - _PUBLISHER_GONE
        unfinished = await self._documents.unfinished(gone)
        self._waiting = {each: self._waiting.get(each, now) for each in unfinished}
        # Before anything can fail, so that it is seen while it does.
        waited = max((now - since for since in self._waiting.values()), default=timedelta())
        self._metrics.unpublished_seconds.set(waited.total_seconds())
        for document_id in unfinished:
            if await self._published(document_id):
                del self._waiting[document_id]
                await self._documents.forget_publishers(document_id, gone)
        return _REPAIR_SECONDS

    async def renew(self) -> float:
        """Sign again what is due, the longest due first; return the seconds until it is worth looking again.

        A document is claimed by raising its version, so that of several processes one signs it, and so that what is
        killed between the claim and the publication is left for `repair`.
        """
        await self._measure()  # before anything can fail, so that it is seen while it does
        for _ in range(_TOGETHER):
            document_id = await self._documents.claim_due(self._clock(), _PATIENCE)
            if document_id is None:
                break
            if await self._published(document_id):
                self._metrics.renewed.inc()
        else:
            return 0.0
        await self._measure()
        return min(self._freshness.renewed_every.total_seconds() / 10, _LONGEST_DELAY_SECONDS)

    async def _published(self, document_id: str) -> bool:
        """Publish a document; one whose key is not available, or that is damaged, must not hold up the others."""
        try:
            await self.publish(document_id, alone=True)
        except (KeyUnavailableError, UnreadableError) as error:
            get_logger().warning("not signed", document=document_id, problem=str(error))
            return False
        return True

    async def _measure(self) -> None:
        signed_at = await self._documents.oldest()
        age = timedelta() if signed_at is None else self._clock() - signed_at
        self._metrics.oldest_seconds.set(age.total_seconds())
        late = timedelta() if signed_at is None else self._clock() - self._freshness.renewed_at(signed_at)
        self._metrics.overdue_seconds.set(max(0.0, late.total_seconds()))
