"""The synthetic learner that goes through all services once a minute: who sends it, and that each stage has seen it.

It takes the topics, partitions, consumers and databases of real ones, under event types of its own, so that nothing
that counts, adopts, compares or tells real ones meets it. Each stage does its part, then notes in its database when it
did. One that is old (its topic was read again, or stood still) is passed over. Done again, it changes nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from libs.common import metrics
from libs.common.mongo import Database, find_by_ids
from libs.common.stored import all_readable, typed
from libs.common.telemetry import get_logger, new_trace
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import CANARIES, Canary, Event

OLD: Final = timedelta(minutes=5)
"""What was sent longer ago than this is passed over: nobody waits for it."""
_SENT: Final = "sent"
# Replicas ask at any moment of a period. Clocks and sleeps that differ a little must not let one out.
_DUE: Final = 0.9

Work = Callable[[Any], Awaitable[Sequence[Event]]]
Handler = Callable[[Sequence[Received[Any]]], Awaitable[Sequence[Outgoing]]]
Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]


class CanaryFailedError(Exception):
    """A stage could not do its part; the text says why, for the log."""


async def _nothing(_event: Canary) -> Sequence[Event]:
    return []


@dataclass(frozen=True)
class Stage:
    """A station on the way.

    Attributes:
        name: what it is called in metrics.
        event: what comes to it.
        work: does its part and returns what follows, to be published; raises CanaryFailedError where it cannot.
    """

    name: str
    event: type[Canary]
    work: Work = _nothing


class _Seen(NamedTuple):
    """When a stage saw one last."""

    stage: str
    seen_at: datetime


_seen = typed(_Seen, stage="_id")


class CanaryStages:
    """The stages of one service, and the collection `canary`: a document for each, and one of what was sent last."""

    def __init__(self, database: Database, clock: Callable[[], datetime], seconds: float) -> None:
        """Take the service's database, what gives the time, and how often one is sent; 0 is never."""
        self._canary = database["canary"]
        self._clock = clock
        self._seconds = seconds
        self._stages: list[str] = []

    def beside(self, stage: Stage, handle: Handler) -> Handler:
        """Return a handler that gives `handle` the real ones of a batch, and `stage` the synthetic one."""
        self._stages.append(stage.name)

        async def both(batch: Sequence[Received[Any]]) -> Sequence[Outgoing]:
            synthetic = [(each.event, each.trace) for each in batch if isinstance(each.event, Canary)]
            if not synthetic:
                return await handle(batch)
            real = [each for each in batch if not isinstance(each.event, Canary)]
            outgoing = list(await handle(real)) if real else []
            for came, trace in synthetic:
                outgoing += [Outgoing(event, trace) for event in await self._take(stage, came)]
            return outgoing

        return both

    async def _take(self, stage: Stage, event: Canary) -> Sequence[Event]:
        if self._clock() - event.sent_at > OLD:
            return []
        try:
            following = await stage.work(event)
        except CanaryFailedError as error:
            get_logger().error("the synthetic learner comes no further", stage=stage.name, problem=str(error))
            return []
        now = self._clock()
        await self._canary.update_one(
            {"_id": stage.name}, {"$set": {"schema": 1}, "$max": {"seen_at": now}}, upsert=True
        )
        self._saw(stage.name, event.sent_at, now)
        return following

    def _saw(self, stage: str, sent_at: datetime, now: datetime) -> None:
        metrics.CANARY_LAST_SEEN.labels(stage).set(now.timestamp())
        metrics.CANARY_SECONDS.labels(stage).observe(max(0.0, (now - sent_at).total_seconds()))

    async def recall(self) -> None:
        """Show when each stage last saw one, from before this process began; of a new database, that it is now."""
        if not self._seconds:
            return
        found = await find_by_ids(self._canary, "_id", self._stages)
        known = {each.stage: each.seen_at for each in all_readable(_seen, found, self._canary)}
        for stage in self._stages:
            metrics.CANARY_LAST_SEEN.labels(stage).set(known.get(stage, self._clock()).timestamp())
            metrics.CANARY_SECONDS.labels(stage)

    def sending(self, make: Callable[[int, datetime], Event], publish: Publish) -> Callable[[], Awaitable[float]]:
        """Return what sends one whenever it is due, whichever replica asks first, and the seconds until it may be.

        Args:
            make: returns the event of a synthetic learner at a moment.
            publish: has it confirmed by the brokers.
        """
        self._stages.append(_SENT)

        async def send() -> float:
            now = self._clock()
            number = await self._claim(now)
            if number is not None:
                await publish([Outgoing(make(number, now), new_trace())])
                self._saw(_SENT, now, self._clock())
            return self._seconds

        return send

    async def _claim(self, now: datetime) -> int | None:
        """Return which synthetic learner this process is to send now, or that none is due."""
        before = now - timedelta(seconds=self._seconds * _DUE)
        # What lies ahead was written by a clock that was wrong, and must not keep anybody from sending; nor what is no
        # moment, or no number.
        due = {"$not": {"$gt": before, "$lte": now}}
        count = {"$convert": {"input": "$count", "to": "long", "onError": 0, "onNull": 0}}
        try:
            claimed = await self._canary.find_one_and_update(
                {"_id": _SENT, "seen_at": due},
                [{"$set": {"schema": 1, "seen_at": now, "count": {"$add": [count, 1]}}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            return None
        return CANARIES[claimed["count"] % len(CANARIES)]
