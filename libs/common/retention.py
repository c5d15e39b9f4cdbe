"""The job by which what is kept ends its stated life: in bounded steps, by any replica, seen in metrics."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from libs.common.metrics import from_zero
from libs.common.telemetry import get_logger
from libs.contracts.topics import Topic

_AT_ONCE: Final = 200
_PAUSE_SECONDS: Final = 0.1
_REST_SECONDS: Final = 600.0

OLDEST_SECONDS = Gauge("bowerbird_retention_oldest_seconds", "Age of the oldest that is still kept, by kind", ["kind"])
LIFE_SECONDS = Gauge("bowerbird_retention_life_seconds", "How long it is to be kept, by kind", ["kind"])
REMOVED = Counter("bowerbird_retention_removed", "What was removed because its life had ended, by kind", ["kind"])
LAST_SUCCESS = Gauge(
    "bowerbird_retention_last_success_timestamp_seconds",
    "When nothing was left whose life had ended, by kind",
    ["kind"],
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One kind of what is kept.

    Attributes:
        kind: its name in metrics.
        life: how long it is kept.
        oldest: returns the moment of the oldest that is still kept; None where there is none.
        ended: returns how many are older than a moment.
        remove: removes what is older than a moment, at most so many, the oldest first, and returns how many. Several
            processes may do so at once, and it may be done again after a kill.
    """

    kind: str
    life: timedelta
    oldest: Callable[[], Awaitable[datetime | None]]
    ended: Callable[[datetime], Awaitable[int]]
    remove: Callable[[datetime, int], Awaitable[int]]


class Retention:
    """Removes what has been kept for its life; without `enforced` it only measures, so that one sees what would go."""

    def __init__(self, kept: Sequence[Kept], clock: Callable[[], datetime], *, enforced: bool) -> None:
        self._kept = kept
        from_zero(REMOVED, [each.kind for each in kept])
        self._clock = clock
        self._enforced = enforced

    async def tick(self) -> float:
        """Remove one step of each kind; return the seconds until the next."""
        now, more = self._clock(), False
        for each in self._kept:
            removed = await each.remove(now - each.life, _AT_ONCE) if self._enforced else 0
            if removed:
                REMOVED.labels(each.kind).inc(removed)
                get_logger().info("life ended", kind=each.kind, removed=removed)
            more = more or removed >= _AT_ONCE
            await self._measure(each, now)
        return _PAUSE_SECONDS if more else _REST_SECONDS

    async def _measure(self, kept: Kept, now: datetime) -> None:
        _show(kept.kind, kept.life, await kept.oldest(), now)


def topic_watch(
    kind: str, topic: Topic, oldest: Callable[[Topic], Awaitable[datetime | None]], clock: Callable[[], datetime]
) -> Callable[[], Awaitable[float]]:
    """Return a tick that shows how old the oldest record of a topic is, whose life the broker ends."""
    life = topic.kept_at_most
    assert life is not None, "what is kept for good has no life to watch"  # noqa: S101  # the caller's promise

    async def tick() -> float:
        try:
            _show(kind, life, await oldest(topic), clock())
        except KafkaError as error:
            get_logger().info("age of a topic not known", topic=topic.name, problem=type(error).__name__)
        return _REST_SECONDS

    return tick


def _show(kind: str, life: timedelta, oldest: datetime | None, now: datetime) -> None:
    age = timedelta() if oldest is None else now - oldest
    OLDEST_SECONDS.labels(kind).set(age.total_seconds())
    LIFE_SECONDS.labels(kind).set(life.total_seconds())
    if age <= life:
        LAST_SUCCESS.labels(kind).set(now.timestamp())
