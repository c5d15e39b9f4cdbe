"""The loop over evidence that waits: it is decided anew once the catalogue brings what it lacks, or its time is over.

What a crash does between the steps:

1. read which evidence waits and can be decided now   nothing happened yet
2. decide it by the steps of awarding, and publish    it is recorded or not, and still listed: from 1, the same events
3. end its waiting                                    it is done

Several processes may do this at once: of two decisions with one sequence the database keeps one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from libs.common.failpoints import failpoint
from services.issuer.decisions import metrics
from services.issuer.decisions.repository import WaitingStore
from services.issuer.decisions.worker import AchievementCatalogue, Awarding

_DELAY_SECONDS = 2.0
# At once: as many pieces as a batch of a consumer has, and as many names of issuers and achievements as MongoDB merges
# by index; of more it would read and sort all that waits for them.
_PIECES = 500
_NAMES = 200


class WaitingEvidence:
    """Ends the waiting of evidence."""

    def __init__(
        self,
        store: WaitingStore,
        *,
        awarding: Awarding,
        catalogue: AchievementCatalogue,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._awarding = awarding
        self._catalogue = catalogue
        self._clock = clock
        # Where the walk over the names that evidence waits for has come to; it begins again at the end.
        self._after = ""

    async def tick(self) -> float:
        """Decide some of what can be decided; return the seconds until it is worth looking again."""
        metrics.WAITING.set(await self._store.count_waiting())
        now = self._clock()
        overdue = await self._store.overdue(now, _PIECES)
        found = overdue or await self._store.waiting_for(await self._published(), _PIECES)
        if not found:  # 1
            return 0.0 if self._after else _DELAY_SECONDS
        failpoint("issuer.waiting.1")
        ended = await self._awarding.reconsider(found, now)  # 2
        failpoint("issuer.waiting.2")
        await self._store.end_waiting(ended)  # 3
        return 0.0 if ended or self._after else _DELAY_SECONDS

    async def _published(self) -> Sequence[tuple[str, str]]:
        """Return which of the next names that evidence waits for the catalogue knows by now."""
        names = await self._store.lacking(self._after, _NAMES)
        issuers = await self._catalogue.issuers({issuer for issuer, _ in names})
        known = await self._catalogue.resolve(names, issuers)
        # Stay here while there is something to decide; its page is full of it until then.
        self._after = "/".join(names[-1]) if len(names) == _NAMES and not known else ""
        return list(known)
