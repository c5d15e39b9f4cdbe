"""Publishing status lists: what the database says is revoked, signed for a time, and signed again before it ends.

A list keeps no bits. They are derived from the credentials whenever it is published, so there is nothing that two
writers could tear.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from libs.common.failpoints import failpoint
from libs.common.telemetry import get_logger, new_trace
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import StatusListPublished
from libs.openbadges.status.bitstring import StatusList
from services.issuer.keys.encryption import KeyUnavailableError
from services.issuer.status import metrics
from services.issuer.status.repository import StatusListRepository, StoredList

_REPAIR_SECONDS = 5.0
_LONGEST_DELAY_SECONDS = 60.0
# A publisher that began this long ago and has not ended was killed; its own timeouts are shorter.
_PUBLISHER_GONE = timedelta(seconds=60)
# What was claimed to be signed again, and was not, comes back after this time.
_PATIENCE = timedelta(seconds=60)
# Signed again at one run of the loop; then the rest of the process runs.
_TOGETHER = 100

Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Freshness:
    """For how long a signed list is valid, and for how long a copy may be kept before it is fetched again."""

    valid_for: timedelta
    ttl: timedelta

    @property
    def renewed_after(self) -> timedelta:
        """Return the age at which a list is signed again: half of its validity is left for a stop of this service."""
        return self.valid_for / 2


class ListSigner(Protocol):
    """Signs the credential of a list."""

    async def status_list(
        self, issuer_id: str, list_id: str, bits: StatusList, at: datetime, *, valid_until: datetime, ttl: timedelta
    ) -> str:
        """Return the signed credential of this list with these bits, as JSON text."""
        ...


class RevokedIndexes(Protocol):
    """Knows which credentials are revoked."""

    async def revoked_indexes(self, list_id: str) -> list[int]:
        """Return the entries of a status list that are set."""
        ...


class StatusListPublication:
    """Publishes the lists of all issuers."""

    def __init__(
        self,
        lists: StatusListRepository,
        *,
        revoked: RevokedIndexes,
        signer: ListSigner,
        publish: Publish,
        clock: Callable[[], datetime],
        freshness: Freshness,
    ) -> None:
        self._lists = lists
        self._revoked = revoked
        self._signer = signer
        self._publish = publish
        self._clock = clock
        self._freshness = freshness

    async def changed(self, list_ids: Sequence[str]) -> None:
        """Credentials of these lists were revoked: count the change, then publish each list."""
        await self._lists.count_change(list_ids)
        failpoint("issuer.revoking.2.counted")
        for list_id in list_ids:
            await self.publish(list_id)

    async def publish(self, list_id: str) -> None:
        """Publish the list until the newest version is the last that was published, and confirmed.

        1. Note that this publisher is at work, and read the version.
        2. Read the bits: they hold at least every change that the version counts. Sign, publish, wait.
        3. If the version is still the same, take the note away; else go back to 2.

        Two publishers may overtake each other, and a compacted topic keeps the last record, not the newest version:
        whoever published an older version sees so in step 3 and publishes again. A crash before step 3 leaves the note,
        and `repair` publishes again.
        """
        token = secrets.token_hex(8)
        current = await self._lists.begin(list_id, token, self._clock())
        failpoint("issuer.status_list.1")
        while current is not None:
            signed_at = self._clock()
            await self._publish([Outgoing(await self._event(current, signed_at), new_trace())])
            failpoint("issuer.status_list.2")
            metrics.STATUS_LISTS_PUBLISHED.inc()
            renew_at = signed_at + self._freshness.renewed_after
            if await self._lists.finish(current, token, signed_at=signed_at, renew_at=renew_at):
                return
            current = await self._lists.find(list_id)

    async def repair(self) -> float:
        """Publish what a crash left unpublished; return the seconds until it is worth looking again."""
        gone = self._clock() - _PUBLISHER_GONE
        for list_id in await self._lists.unfinished(gone):
            if await self._published(list_id):
                await self._lists.forget_publishers(list_id, gone)
        return _REPAIR_SECONDS

    async def renew(self) -> float:
        """Sign again what is due, the longest due first; return the seconds until it is worth looking again.

        A list is claimed by raising its version, so that of several processes one signs it, and so that what is killed
        between the claim and the publication is left for `repair`.
        """
        for _ in range(_TOGETHER):
            list_id = await self._lists.claim_due(self._clock(), _PATIENCE)
            if list_id is None:
                break
            if await self._published(list_id):
                metrics.STATUS_LISTS_RENEWED.inc()
        else:
            return 0.0
        await self._measure()
        return min(self._freshness.renewed_after.total_seconds() / 10, _LONGEST_DELAY_SECONDS)

    async def _published(self, list_id: str) -> bool:
        """Publish a list; one whose key is not available must not hold up the others."""
        try:
            await self.publish(list_id)
        except KeyUnavailableError as error:
            get_logger().warning("status list not signed", list=list_id, problem=str(error))
            return False
        return True

    async def _measure(self) -> None:
        signed_at = await self._lists.oldest()
        age = timedelta() if signed_at is None else self._clock() - signed_at
        metrics.OLDEST_SECONDS.set(age.total_seconds())
        metrics.OVERDUE_SECONDS.set(max(0.0, (age - self._freshness.renewed_after).total_seconds()))

    async def _event(self, current: StoredList, now: datetime) -> StatusListPublished:
        bits = StatusList()
        for index in await self._revoked.revoked_indexes(current.list_id):
            bits.set(index)
        credential = await self._signer.status_list(
            current.issuer_id,
            current.list_id,
            bits,
            now,
            valid_until=now + self._freshness.valid_for,
            ttl=self._freshness.ttl,
        )
        return StatusListPublished(
            list_id=current.list_id,
            issuer_id=current.issuer_id,
            version=current.version,
            credential=credential,
            published_at=now,
        )
