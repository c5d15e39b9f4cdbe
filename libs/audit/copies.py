"""Copies of what a service's audit log says, on a topic of its own, for a database that was set back.

1. Once, at start: read the topic from the mark on. Entries that the log lacks are added behind its end, and say which
   they were. Killed: from 1; what was added is not added again.
2. With each entry, before what it speaks of is done: publish it. Killed: what it speaks of is not done.
3. Again and again: publish the entries behind the last one that was published, but for those of 2: where the broker did
   not answer, or another program wrote them. Killed: some are published twice.
4. Note how far the log is published, and, now and then, below which offset the topic holds nothing that the log lacks.
   Both stand among the positions of the database, and are set back with it.

Nothing waits long for a broker that is away: an entry that was written meanwhile is published when it is back, and lost
where its database is lost before.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final, Protocol

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from libs.audit.entry import Action, Cause, Entry, Recorded, chained
from libs.audit.log import AuditLog, Seen
from libs.common.clock import now
from libs.common.positions import Position, PositionStore
from libs.common.telemetry import get_logger, new_trace
from libs.common.topic_reading import Ends
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import AuditEntryCopied, Event
from libs.contracts.topics import AUDIT_KEPT

_AT_ONCE: Final = 100
_EVERY_SECONDS: Final = 1.0
# What is done waits so long for a copy of its entry, and no longer at all until the broker has answered again.
_PATIENCE_SECONDS: Final = 1.0
# A start reads what so many rounds have published, at most.
_ROUNDS: Final = 60
# How far the log is published stands among the positions like a topic's: it is one partition of records in their order.
_LOG: Final = TopicPartition("audit", 0)


class Reader(Protocol):
    """Reads the topic (`libs.common.topic_reading`)."""

    @property
    def ids(self) -> Mapping[str, str]:
        """The topic's id, by its name, where its brokers give any."""
        ...

    async def ends(self) -> Ends:
        """Return where it ends now."""
        ...

    def events(self, since: Mapping[TopicPartition, int], ends: Ends) -> AsyncIterator[list[Event]]:
        """Yield the events from `since` up to `ends`."""
        ...


class AuditCopies:
    """Publishes what a log says, and takes up what it lacks."""

    def __init__(
        self,
        service: str,
        log: AuditLog,
        positions: PositionStore,
        *,
        reading: Callable[[], AbstractAsyncContextManager[Reader]],
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Take the service and its log, what keeps positions in its database, and what reads and writes the topic."""
        self._service = service
        self._log = log
        self._positions = positions
        self._reading = reading
        self._publish = publish
        self._clock = clock
        self._group = f"{service}-audit-copies"
        self._rounds = 0
        self._published = 0
        self._copied = set[int]()
        self._answered = False

    async def copy(self, entries: Sequence[Recorded]) -> None:
        """Publish these entries, just written (2); where the broker does not answer, they are left to `tick`."""
        if not self._answered:
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._publish([Outgoing(_copy(self._service, each), new_trace()) for each in entries])
        except (KafkaError, OSError) as error:  # TimeoutError is one
            self._answered = False
            get_logger().warning("audit entries not copied yet", problem=type(error).__name__, entries=len(entries))
        else:
            self._copied.update(each.sequence for each in entries)

    async def tick(self) -> float:
        """Go through the steps once; return the seconds until the next time.

        Raises:
            WentBackError: the database was set back beneath this process.
        """
        if not self._rounds:
            await self._take_up()  # 1
            self._rounds = 1
        entries, end = await self._log.behind(self._published, _AT_ONCE)
        if end == self._published:
            self._answered = True
            return _EVERY_SECONDS
        kept = await self._positions.read(self._group, [_LOG])
        if kept and kept[_LOG].offset > self._published:
            # By another replica, or the process before this one.
            self._passed(kept[_LOG].offset)
            return 0
        if left := [each for each in entries if each.sequence not in self._copied]:
            await self._publish([Outgoing(_copy(self._service, each), new_trace()) for each in left])  # 3
        self._answered = True
        await self._positions.keep(self._group, {_LOG: Position(end)})  # 4
        self._passed(end)
        self._rounds += 1
        if self._rounds % _ROUNDS == 0:
            async with self._reading() as reader:
                await self._mark(await reader.ends(), reader.ids)
        return 0 if len(entries) == _AT_ONCE else _EVERY_SECONDS

    def _passed(self, end: int) -> None:
        self._published = end
        self._copied = {each for each in self._copied if each > end}

    async def _take_up(self) -> None:
        count, seen = 0, Seen()
        async with self._reading() as reader:
            ends = await reader.ends()
            marks = await self._positions.read(self._group, list(ends))
            if not all(mark.is_within(ends[tp], reader.ids.get(tp.topic)) for tp, mark in marks.items()):
                # The topic was made anew: it is to hold again what it keeps, and nothing of it was read.
                since = await self._log.before(self._clock() - AUDIT_KEPT)
                await self._positions.keep(self._group, {_LOG: Position(since)})
                marks = {}
            async for events in reader.events({tp: mark.offset for tp, mark in marks.items()}, ends):
                if copies := [each for event in events if (each := _recorded(event)) is not None]:
                    count += await self._log.take_up(copies, seen)
            await self._mark(ends, reader.ids)
        if count:
            get_logger().warning("the audit log was set back; what it lacked was added", entries=count)

    async def _mark(self, ends: Ends, ids: Mapping[str, str]) -> None:
        """Note that the log has all that stands below these ends."""
        marks = {tp: Position(end, topic_id=ids.get(tp.topic)) for tp, end in ends.items()}
        await self._positions.keep(self._group, marks)


def _copy(service: str, recorded: Recorded) -> AuditEntryCopied:
    entry = recorded.entry
    return AuditEntryCopied(
        service=service,
        sequence=recorded.sequence,
        at=recorded.at,
        action=entry.action,
        principal=entry.cause.principal,
        trace=entry.cause.trace,
        key_id=entry.cause.key,
        client=entry.cause.client,
        tenants=list(entry.tenants),
        subject=entry.subject,
        reason=entry.reason,
        details=orjson.dumps(entry.details, option=orjson.OPT_SORT_KEYS).decode(),
        previous=recorded.previous,
        hash=recorded.hash,
    )


def _recorded(event: Event) -> Recorded | None:
    """Return the entry that was copied; None where it is none that this version or an earlier one wrote."""
    if not isinstance(event, AuditEntryCopied):
        return None
    try:
        entry = Entry(
            action=Action(event.action),
            cause=Cause(event.principal, event.trace, event.key_id, event.client),
            tenants=tuple(event.tenants),
            subject=event.subject,
            reason=event.reason,
            details=orjson.loads(event.details),
        )
    except ValueError:
        return None
    made = chained(entry, event.sequence, event.at, event.previous)
    return made if made.hash == event.hash else None
