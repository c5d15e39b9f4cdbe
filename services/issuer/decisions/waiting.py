"""The loop over evidence that waits: decided anew once the catalogue has what it lacks, or its time is over.

What a crash does between the steps:

1. read which evidence waits and can be decided now   nothing happened yet
2. decide it by the steps of awarding, and publish    it is recorded or not, and still listed: from 1, the same events
3. end its waiting                                    it is done

Several processes may do this at once: of two decisions with one sequence the database keeps one. A piece that cannot
be decided, by its own fault or a defect of ours, is put off: it stops neither the process nor what waits behind it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from libs.common.failpoints import failpoint
from libs.common.kafka import RECORD_TOO_LARGE
from libs.common.mongo import is_permanent
from libs.common.telemetry import get_logger
from services.issuer.decision_ids import PieceId
from services.issuer.decisions import metrics
from services.issuer.decisions.decision import Waiting
from services.issuer.decisions.repository import WaitingStore
from services.issuer.decisions.worker import AchievementCatalogue, Awarding

_DELAY_SECONDS = 2.0
# At once: as many pieces as a batch of a consumer has, and as many names of issuers and achievements as MongoDB merges
# by index; of more it would read and sort all that waits for them.
_PIECES = 500
_NAMES = 200
_PUT_OFF = timedelta(hours=1)


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
        found = overdue or await self._decidable(now)
        if not found:  # 1
            return 0.0 if self._after else _DELAY_SECONDS
        failpoint("issuer.waiting.1")
        ended = await self._reconsider(found, now)  # 2
        failpoint("issuer.waiting.2")
        await self._store.end_waiting(ended)  # 3
        return 0.0 if ended or self._after else _DELAY_SECONDS

    async def _decidable(self, now: datetime) -> list[Waiting]:
        """Return evidence that waits for one of the next names and that the catalogue knows by now.

        What waits for a suspended issuer is not read: it may be much, and nothing can be decided of it.
        """
        names = await self._store.lacking(self._after, _NAMES)
        issuers = await self._catalogue.issuers({issuer for issuer, _ in names})
        suspended = await self._catalogue.suspended(issuers)
        known = [pair for pair in await self._catalogue.resolve(names, issuers) if pair[0] not in suspended]
        # What is put off stands further ahead than the clocks of processes differ.
        found = await self._store.waiting_for(known, now + _PUT_OFF / 2, _PIECES) if known else []
        # Stay here while there is something to decide; its page is full of it until then.
        if not found:
            self._after = "/".join(names[-1]) if len(names) == _NAMES else ""
        return found

    async def _reconsider(self, waiting: Sequence[Waiting], now: datetime) -> list[PieceId]:
        """Decide these anew, and return which of them wait no longer; what cannot be decided is found by halves."""
        try:
            return await self._awarding.reconsider(waiting, now)
        except Exception as error:
            if _is_away(error):
                raise
            if len(waiting) > 1:
                middle = len(waiting) // 2
                first = await self._reconsider(waiting[:middle], now)
                return first + await self._reconsider(waiting[middle:], now)
            get_logger().error(
                "waiting evidence cannot be decided",
                batch=str(waiting[0].piece.batch_id),
                row=waiting[0].piece.row,
                error=type(error).__name__,
            )
        await self._store.put_off(waiting[0].piece, now + _PUT_OFF)
        return []


def _is_away(error: Exception) -> bool:
    """Whether something is away that comes back, so that the piece is not at fault."""
    if isinstance(error, PyMongoError):
        return not is_permanent(error)
    return isinstance(error, OSError | KafkaError) and not isinstance(error, RECORD_TOO_LARGE)
