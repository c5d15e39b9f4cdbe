"""Publishing status lists: what the database says is revoked, signed for a time.

A list keeps no bits. They are derived from the credentials whenever it is published.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from libs.common.failpoints import failpoint
from libs.contracts.events import StatusListPublished
from libs.openbadges.status.bitstring import StatusList
from services.issuer.renewal.publication import Freshness, Publication, Publish
from services.issuer.status.metrics import STATUS_LISTS
from services.issuer.status.repository import StatusListRepository, StoredList


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


class StatusListPublication(Publication[StoredList]):
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
        super().__init__(lists, publish=publish, clock=clock, freshness=freshness, metrics=STATUS_LISTS)
        self._revoked = revoked
        self._signer = signer

    async def changed(self, list_ids: Sequence[str]) -> None:
        """Credentials of these lists were revoked: count the change, then publish each list."""
        await self._documents.count_change(list_ids)
        failpoint("issuer.revoking.2.counted")
        for list_id in list_ids:
            await self.publish(list_id)

    def _after_step(self, step: int) -> None:
        if step == 1:
            failpoint("issuer.status_list.1")
        else:
            failpoint("issuer.status_list.2")

    async def _event(self, current: StoredList, now: datetime) -> StatusListPublished:
        bits = StatusList()
        for index in await self._revoked.revoked_indexes(current.id):
            bits.set(index)
        credential = await self._signer.status_list(
            current.issuer_id,
            current.id,
            bits,
            now,
            valid_until=now + self._freshness.valid_for,
            ttl=self._freshness.ttl,
        )
        return StatusListPublished(
            list_id=current.id,
            issuer_id=current.issuer_id,
            version=current.version,
            credential=credential,
            published_at=now,
        )
