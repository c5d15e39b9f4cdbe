"""Entries of status lists for new credentials, each allocated once, in lists that are announced."""

import secrets
from collections import deque
from collections.abc import Callable
from datetime import datetime

from cachetools import LRUCache

from libs.common.failpoints import failpoint
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusIndexes
from services.issuer.status.entry import StatusEntry
from services.issuer.status.epoch import Epochs
from services.issuer.status.publication import StatusListPublication
from services.issuer.status.repository import StatusListRepository, TakenEntries, list_id

# Entries are allocated in blocks, for all issuers together, kept by this process, and lost with it: at most so many.
_BLOCK = 256
# A list is asked for indexes thousands of times, and what it remembers takes some 100 KB.
_REMEMBERED_LISTS = 4


class StatusEntryAllocation:
    """Allocates entries in lists of the current epoch, whoever the issuer is."""

    def __init__(
        self,
        lists: StatusListRepository,
        epochs: Epochs,
        publication: StatusListPublication,
        clock: Callable[[], datetime],
        *,
        size: int = MINIMUM_SIZE,
    ) -> None:
        self._lists = lists
        self._epochs = epochs
        self._publication = publication
        self._clock = clock
        self._size = size
        self._free: deque[StatusEntry] = deque()
        # The list that entries come from; another process may be further.
        self._list_id: str | None = None
        self._indexes: LRUCache[str, StatusIndexes] = LRUCache(_REMEMBERED_LISTS)

    async def allocate(self, count: int) -> list[StatusEntry]:
        """Return entries for `count` new credentials, in lists that are announced already; none is given twice."""
        while len(self._free) < count:
            self._free.extend(await self._allocate_block(max(count - len(self._free), _BLOCK)))
        return [self._free.popleft() for _ in range(count)]

    async def _allocate_block(self, count: int) -> list[StatusEntry]:
        before = await self._take(count)
        if not before.announced:
            await self._publication.publish(before.list_id)
        indexes = self._indexes.get(before.list_id)
        if indexes is None:
            indexes = self._indexes[before.list_id] = StatusIndexes(before.permutation_key, self._size)
        last = min(before.next + count, self._size)
        drawn = [indexes.index(counter) for counter in range(before.next, last)]
        # Whoever was given an entry that is set would be revoked from the beginning.
        return [StatusEntry(before.list_id, index) for index in drawn if not before.bits.get(index)]

    async def _take(self, count: int) -> TakenEntries:
        """Take entries of the current list, or of the next one where that is full, damaged or of an earlier epoch."""
        taken: TakenEntries | None = None
        while taken is None:
            list_id = self._list_id
            if list_id is not None:
                taken = await self._lists.take(list_id, count, self._size)
            if taken is None:
                self._list_id = await self._open(list_id)
        return taken

    async def _open(self, full: str | None) -> str:
        """Return the id of the newest list of the current epoch, beginning one where there is none but the full one."""
        epoch = await self._epochs.current()
        number = await self._lists.newest(epoch)
        if number and list_id(epoch, number) != full:
            return list_id(epoch, number)
        opened = await self._lists.create(epoch, number + 1, secrets.token_bytes(32), self._clock())
        failpoint("issuer.status_list.created")
        return opened
