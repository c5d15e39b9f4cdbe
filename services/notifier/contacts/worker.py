"""The consumer of `learner.contacts`: stores names and addresses; a tombstone erases, and so does the end of a life.

Whoever is erased is noted in a ledger first, from which the erasure is published again where topics were lost. So it is
read again, and beside what a school sent later: it takes away what was given up to its moment, and nothing since.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import LearnerContact, LearnerContactEnded, LearnerErased
from services.notifier.contacts.erasures import Erasures, covers
from services.notifier.contacts.repository import Contacts

ContactEvent = LearnerContact | LearnerContactEnded | LearnerErased


class ContactListener(Protocol):
    """What depends on contacts, and is told after they were stored or erased."""

    async def addressed(self, learner_ids: Collection[UUID], now: datetime) -> None:
        """The contacts of these learners may have changed."""

    async def erased(self, learner_ids: Collection[UUID], now: datetime) -> None:
        """The contacts of these learners are gone."""


@dataclass
class _Batch:
    """What a batch says of learners, by their ids.

    Attributes:
        tombstones: when each was sent.
        erased: up to when what was given is erased, as published from the ledger.
        ended: before when what was given has ended its life.
        given: what no tombstone behind it takes away.
    """

    tombstones: dict[UUID, datetime] = field(default_factory=dict)
    erased: dict[UUID, datetime] = field(default_factory=dict)
    ended: dict[UUID, datetime] = field(default_factory=dict)
    given: dict[UUID, list[LearnerContact]] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Sequence[Received[ContactEvent]], now: datetime) -> Self:
        """Sort a batch; no tombstone is of the future, whatever its sender's clock said."""
        found = cls()
        for received in batch:
            event = received.event
            if event is None:
                learner_id = _learner_id(received.key)
                if learner_id is not None:
                    _raise(found.tombstones, learner_id, min(received.sent_at or now, now))
                    found.given.pop(learner_id, None)
            elif isinstance(event, LearnerErased):
                _raise(found.erased, event.learner_id, event.erased_at)
            elif isinstance(event, LearnerContactEnded):
                _raise(found.ended, event.learner_id, event.before)
            else:
                found.given.setdefault(event.learner_id, []).append(event)
        return found


class ContactWorker:
    """The handler; it publishes nothing but what must take its place on the topic again."""

    def __init__(
        self, contacts: Contacts, erasures: Erasures, listener: ContactListener, clock: Callable[[], datetime]
    ) -> None:
        self._contacts = contacts
        self._erasures = erasures
        self._listener = listener
        self._clock = clock

    async def handle(self, batch: Sequence[Received[ContactEvent]]) -> Sequence[Outgoing]:
        """Store the newest contact of each learner; a tombstone erases it and cancels what was not sent.

        An erasure from the ledger, and the end of a contact's life, spare one that was given later. If that lies before
        them on the topic, the topic would lose it, so it is published again. So is a contact, or the erasure of a
        learner, of whom something older came behind it.
        """
        now = self._clock()
        read = _Batch.of(batch, now)
        await self._erasures.note(read.tombstones)
        await self._erasures.note(read.erased)
        if read.tombstones:
            await self._contacts.forget(list(read.tombstones))
            await self._listener.erased(list(read.tombstones), now)
        given, late = await self._sorted_out(read.given)
        last = {each.learner_id: each.changed_at for each in given}
        known = set[UUID]()
        if given:
            known = await self._contacts.store(given)  # B1
            await self._listener.addressed(last.keys(), now)  # B2
        await self._erase(read.erased, now)
        await self._contacts.end(read.ended)
        spared = {*read.erased, *read.ended}
        stored = await self._contacts.stored(spared | known)
        kept = [each for each in stored if each.learner_id in spared or each.changed_at > last[each.learner_id]]
        return [Outgoing(each, new_trace()) for each in (*kept, *late)]

    async def _erase(self, erased: Mapping[UUID, datetime], now: datetime) -> None:
        """Delete what was given up to these moments, and cancel what is not sent to those who have nothing left."""
        if erased:
            await self._contacts.erase(erased)
            left = {each.learner_id for each in await self._contacts.stored(erased)}
            await self._listener.erased([each for each in erased if each not in left], now)

    async def _sorted_out(
        self, given: Mapping[UUID, Iterable[LearnerContact]]
    ) -> tuple[list[LearnerContact], list[LearnerErased]]:
        """Return what was given since its learner was erased, and the erasures of those of whom something is older."""
        erased = await self._erasures.of(given)
        every = [each for events in given.values() for each in events]
        late = {each.learner_id for each in every if covers(erased.get(each.learner_id), each)}
        return (
            [each for each in every if not covers(erased.get(each.learner_id), each)],
            [LearnerErased(learner_id=each, erased_at=erased[each]) for each in late],
        )


def _raise(moments: dict[UUID, datetime], learner_id: UUID, at: datetime) -> None:
    moments[learner_id] = max(at, moments.get(learner_id, at))


def _learner_id(key: str) -> UUID | None:
    """The learner whom a tombstone names; a key that is no UUID names nobody."""
    try:
        return UUID(key)
    except ValueError:
        return None
