"""Entries of status lists for new credentials, each allocated once, in lists that are announced."""

import secrets
from collections import deque
from collections.abc import Callable
from datetime import datetime

from cachetools import LRUCache

from libs.common.failpoints import failpoint
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusIndexes
from services.issuer.status.entry import StatusEntry
from services.issuer.status.publication import StatusListPublication
from services.issuer.status.repository import StatusListRepository

# Entries are allocated in blocks, kept by this process, and lost with it: at most this many per issuer.
_BLOCK = 64
# A list that is filled by thousands is asked for an index each time, and what it remembers takes some 100 KB.
_REMEMBERED_LISTS = 64
_REMEMBERED_ISSUERS = 10_000


class StatusEntryAllocation:
    """Allocates entries, issuer by issuer."""

    def __init__(
        self,
        lists: StatusListRepository,
        publication: StatusListPublication,
        clock: Callable[[], datetime],
        *,
        size: int = MINIMUM_SIZE,
    ) -> None:
        self._lists = lists
        self._publication = publication
        self._clock = clock
        self._size = size
        self._free: dict[str, deque[StatusEntry]] = {}
        # The number of the list that an issuer's entries come from; another process may be further.
        self._numbers: LRUCache[str, int] = LRUCache(_REMEMBERED_ISSUERS)
        self._indexes: LRUCache[str, StatusIndexes] = LRUCache(_REMEMBERED_LISTS)

    async def allocate(self, issuer_id: str, count: int) -> list[StatusEntry]:
        """Return entries for `count` new credentials, in lists that are announced already; none is given twice."""
        free = self._free.setdefault(issuer_id, deque())
        while len(free) < count:
            free.extend(await self._allocate_block(issuer_id, max(count - len(free), _BLOCK)))
        return [free.popleft() for _ in range(count)]

    async def _allocate_block(self, issuer_id: str, count: int) -> list[StatusEntry]:
        number = self._numbers.get(issuer_id)
        if number is None:
            newest = await self._lists.newest(issuer_id)
            number = 0 if newest is None else newest.number
        while (before := await self._lists.take(issuer_id, number, count, self._size)) is None:
            number += 1
            await self._lists.create(issuer_id, number, secrets.token_bytes(32), self._clock())
            failpoint("issuer.status_list.created")
        self._numbers[issuer_id] = number
        if before.published_version < before.version:
            await self._publication.publish(before.id)
        indexes = self._indexes.get(before.id)
        if indexes is None:
            indexes = self._indexes[before.id] = StatusIndexes(before.permutation_key, self._size)
        last = min(before.next + count, self._size)
        return [StatusEntry(before.id, indexes.index(counter)) for counter in range(before.next, last)]
