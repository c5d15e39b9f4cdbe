"""Puts right in the issuer's database what an audit found there: status lists, and ends that were published."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from bowerbird.auditing.difference import Difference
from libs.common.mongo import Database
from libs.contracts.events import CredentialDocument
from libs.openbadges.status.bitstring import MINIMUM_SIZE
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.sealing import RecordDoesNotOpenError, RecordSealing
from services.issuer.status.repository import StatusListRepository


class StoreRepairs:
    """Writes what the issuer service would write, once the audit log says that it is done.

    Attributes:
        lists: how many lists the issuer service publishes anew for it.
    """

    def __init__(
        self, issuer: Database, sealing: RecordSealing, record: Callable[[], Awaitable[None]], at: datetime
    ) -> None:
        self.lists = 0
        self._sealing = sealing
        self._record = record
        self._at = at
        self._lists = StatusListRepository(issuer)
        self._credentials = MongoCredentials(issuer)
        self._changed: set[str] = set()

    async def add(self, difference: Difference) -> None:
        """Mend a list or an entry, or revoke a credential again; `publish` publishes the lists that this changes."""
        if difference.shown is not None:
            await self._record()
            await self._lists.rebuild(difference.shown, MINIMUM_SIZE, self._at)
            self.lists += 1
        if difference.status_list is not None:
            self._changed.add(difference.status_list)
        if difference.placed is not None:
            await self._record()
            if await self._credentials.place(*difference.placed):
                self._changed.add(difference.placed.entry.list_id)
        if difference.ended is not None:
            await self._revoke_again(difference.ended)

    async def publish(self) -> None:
        """Have the issuer service publish anew each list that differs, with what the credentials say by now."""
        if self._changed:
            await self._record()
            await self._lists.count_change(sorted(self._changed))
            self.lists += len(self._changed)
            self._changed.clear()

    async def _revoke_again(self, ended: CredentialDocument) -> None:
        """Revoke a credential that was revoked; what is to be taken down again, the command for it does."""
        try:
            published = self._sealing.open(ended)
        except RecordDoesNotOpenError:
            return  # nobody knows who published it: the difference stays
        if published.revocation is not None:
            await self._record()
            await self._credentials.close({(published.credential_id, published.issuer_id): published.revocation}, {})
            self._changed.add(published.status.list_id)
