"""Publishing status lists: what the database says is revoked, signed for a time.

The bits are those of the revoked credentials, with all that were set before: nothing takes one back. Changes are
joined: each is counted at once, and a loop publishes every list that has changed, on a short rhythm that says nothing
of how many.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from libs.audit.entry import Action, AuditWriter
from libs.common.failpoints import failpoint
from libs.common.telemetry import get_logger
from libs.contracts.events import StatusListPublished
from libs.openbadges.status.bitstring import StatusList
from services.issuer.renewal.publication import Freshness, Publication, Publish, Signed
from services.issuer.status.epoch import Epochs
from services.issuer.status.metrics import STATUS_LISTS
from services.issuer.status.repository import StatusListRepository, StoredList

_RHYTHM_SECONDS = 1.0
_TOLD_ENTRIES = 20


class ListSigner(Protocol):
    """Signs the credential of a list."""

    async def status_list(
        self, list_id: str, purpose: str, bits: StatusList, at: datetime, *, valid_until: datetime, ttl: timedelta
    ) -> str:
        """Return the signed credential of this list with these bits, as JSON text."""
        ...


class RevokedIndexes(Protocol):
    """Knows which credentials are revoked."""

    async def revoked_indexes(self, list_id: str) -> list[int]:
        """Return the entries of a status list whose credentials are revoked."""
        ...

    async def misplaced(self, list_id: str, indexes: Iterable[int]) -> set[int]:
        """Return those of these entries of a list whose credentials name another in their signed texts."""
        ...


class StatusListPublication(Publication[StoredList]):
    """Publishes the lists of the authority."""

    def __init__(
        self,
        lists: StatusListRepository,
        epochs: Epochs,
        *,
        revoked: RevokedIndexes,
        signer: ListSigner,
        audit: AuditWriter,
        publish: Publish,
        clock: Callable[[], datetime],
        freshness: Freshness,
    ) -> None:
        super().__init__(
            lists,
            action=Action.STATUS_LIST_SIGNED,
            audit=audit,
            publish=publish,
            clock=clock,
            freshness=freshness,
            metrics=STATUS_LISTS,
        )
        self._lists = lists
        self._epochs = epochs
        self._revoked = revoked
        self._signer = signer
        # By list, what of it no credential explains, as the log has it.
        self._unexplained: dict[str, frozenset[int]] = {}

    async def changed(self, list_ids: Sequence[str], since: datetime) -> None:
        """Credentials of these lists were revoked: count the change, by which `tick` publishes them within seconds.

        Args:
            list_ids: of the lists.
            since: when the first of these revocations was asked for.
        """
        await self._lists.count_revocations(list_ids, since)

    async def tick(self) -> float:
        """Publish every list that has changed, also by a new epoch; return the seconds until the next time."""
        await self._lists.enter(await self._epochs.current())
        await self.repair()
        return _RHYTHM_SECONDS

    def _after_step(self, step: int) -> None:
        if step == 1:
            failpoint("issuer.status_list.1")
        else:
            failpoint("issuer.status_list.2")

    async def _sign(self, current: StoredList, now: datetime) -> Signed:
        revoked = set(await self._revoked.revoked_indexes(current.id))
        # What is set stays set; what is not, is set only where the signed text says so too.
        if new := revoked.difference((await self._lists.keep_set(current.id, ())).entries()):
            revoked -= await self._revoked.misplaced(current.id, new)
        bits = await self._lists.keep_set(current.id, revoked)
        self._tell_unexplained(current.id, frozenset(bits.entries()) - frozenset(revoked))
        credential = await self._signer.status_list(
            current.id,
            current.purpose,
            bits,
            now,
            valid_until=now + self._freshness.valid_for,
            ttl=self._freshness.ttl,
        )
        event = StatusListPublished(
            list_id=current.id,
            purpose=current.purpose,
            epoch=current.epoch,
            version=current.version,
            credential=credential,
            published_at=now,
            revoked_since=current.revoked_since,
        )
        return Signed(event, credential, {"epoch": current.epoch, "version": current.version})

    def _tell_unexplained(self, list_id: str, entries: frozenset[int]) -> None:
        """Log, once as they change, the entries that stay set although no credential says that it is revoked."""
        if entries and entries != self._unexplained.get(list_id):
            get_logger().error(
                "entries of a status list stay set that no credential explains; audit the promises",
                list=list_id,
                count=len(entries),
                entries=sorted(entries)[:_TOLD_ENTRIES],
            )
        self._unexplained[list_id] = entries
