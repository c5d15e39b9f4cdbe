"""The loop over evidence that waits: decided anew once the catalogue has what it lacks, or its time is over.

What a crash does between the steps:

1. read which evidence waits and can be decided now   nothing happened yet
2. decide it by the steps of awarding, and publish    it is recorded or not, and still listed: from 1, the same events
3. end its waiting, or note what else it waits for    it is done

What waits since nothing can be signed for its issuer, or of its achievement, is parked: it goes on by itself when that
is over, and holds up nothing else.

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
from services.issuer.credentials.hindrance import Pair
from services.issuer.decisions import metrics
from services.issuer.decisions.decision import PARKED, Reason, Waiting
from services.issuer.decisions.ports import AchievementCatalogue, Reconsidered
from services.issuer.decisions.repository import WaitingStore
from services.issuer.decisions.worker import Awarding

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
        self._next = ""

    async def tick(self) -> float:
        """Decide some of what can be decided; return the seconds until it is worth looking again."""
        metrics.WAITING.set(await self._store.count_waiting())
        now = self._clock()
        overdue = await self._store.overdue(now, _PIECES)
        found = overdue or await self._decidable(now)
        if not found:  # 1
            return 0.0 if self._after else _DELAY_SECONDS
        failpoint("issuer.waiting.1")
        done = await self._reconsider(found, now)  # 2
        failpoint("issuer.waiting.2")
        await self._store.end_waiting(done.ended)  # 3
        await self._store.wait_on(done.waiting)
        # Stay here while something comes of it; its page is full of it until then.
        if not done.ended and not done.waiting:
            self._after = self._next
        return 0.0 if done.ended or done.waiting or self._after else _DELAY_SECONDS

    async def _decidable(self, now: datetime) -> list[Waiting]:
        """Return evidence that waits for one of the next names, and by now for nothing, or is parked, or no longer.

        What waits on is not read: it may be much, and nothing can be decided of it.
        """
        names = await self._store.lacking(self._after, _NAMES)
        self._next = names[-1].text if len(names) == _NAMES else ""
        issuers = await self._catalogue.issuers({each.issuer_id for each in names})
        suspended = await self._catalogue.suspended(issuers)
        pairs = {each.pair for each in names}
        versions = await self._catalogue.resolve(pairs, issuers)
        signed_for = {pair: version for pair, version in versions.items() if pair[0] not in suspended}
        hindrances = await self._awarding.deciding.hindrances(pairs, issuers, signed_for)

        def waits_for(pair: Pair) -> Reason | None:
            if pair in signed_for or (pair in hindrances and pair not in versions):
                return hindrances.get(pair)
            if pair in versions:
                return Reason.ISSUER_SUSPENDED
            return Reason.UNKNOWN_ACHIEVEMENT if pair[0] in issuers else Reason.UNKNOWN_ISSUER

        changed = [each for each in names if _has_changed(each.reason, waits_for(each.pair))]
        # What is put off stands further ahead than the clocks of processes differ.
        found = await self._store.waiting_for(changed, now + _PUT_OFF / 2, _PIECES) if changed else []
        if not found:
            self._after = self._next
        return found

    async def _reconsider(self, waiting: Sequence[Waiting], now: datetime) -> Reconsidered:
        """Decide these anew, and return what became of them; what cannot be decided is found by halves."""
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
        await self._store.put_off(waiting[0], now + _PUT_OFF)
        return Reconsidered([], [])


def _has_changed(before: Reason | None, now: Reason | None) -> bool:
    """Whether a piece is to be decided anew, or told that it is parked, or no longer so."""
    # An earlier version did not store what a piece waits for.
    return (before is None or before is not now) and (now is None or now in PARKED or before in PARKED)


def _is_away(error: Exception) -> bool:
    """Whether something is away that comes back, so that the piece is not at fault."""
    if isinstance(error, PyMongoError):
        return not is_permanent(error)
    return isinstance(error, OSError | KafkaError) and not isinstance(error, RECORD_TOO_LARGE)
