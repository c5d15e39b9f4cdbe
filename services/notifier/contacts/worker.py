"""The consumer of `learner.contacts`: stores names and addresses; a tombstone erases, and so does the end of a life."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import LearnerContact, LearnerContactEnded
from services.notifier.contacts.repository import Contacts


class ContactListener(Protocol):
    """What depends on contacts, and is told after they were stored or erased."""

    async def addressed(self, learner_ids: Collection[UUID], now: datetime) -> None:
        """The contacts of these learners may have changed."""

    async def erased(self, learner_ids: Collection[UUID], now: datetime) -> None:
        """The contacts of these learners are gone."""


class ContactWorker:
    """The handler; it publishes nothing but contacts that were given again while their life was ended."""

    def __init__(self, contacts: Contacts, listener: ContactListener, clock: Callable[[], datetime]) -> None:
        self._contacts = contacts
        self._listener = listener
        self._clock = clock

    async def handle(self, batch: Sequence[Received[LearnerContact | LearnerContactEnded]]) -> Sequence[Outgoing]:
        """Store the newest contact of each learner; a tombstone erases it and cancels what was not sent.

        The end of a contact's life spares one that was given later. If that lies before the end on the topic, the topic
        would lose it, so it is published again.
        """
        now = self._clock()
        erased: dict[UUID, None] = {}
        ended: dict[UUID, datetime] = {}
        changed: dict[UUID, list[LearnerContact]] = {}
        for received in batch:
            event = received.event
            if event is None:
                learner_id = _learner_id(received.key)
                if learner_id is not None:
                    erased[learner_id] = None
                    changed.pop(learner_id, None)
            elif isinstance(event, LearnerContactEnded):
                ended[event.learner_id] = max(event.before, ended.get(event.learner_id, event.before))
            else:
                changed.setdefault(event.learner_id, []).append(event)
        if erased:
            await self._contacts.erase(list(erased))
            await self._listener.erased(list(erased), now)
        if changed:
            await self._contacts.store([event for events in changed.values() for event in events])  # B1
            await self._listener.addressed(list(changed), now)  # B2
        await self._contacts.end(ended)
        return [Outgoing(each, new_trace()) for each in await self._contacts.stored(ended)]


def _learner_id(key: str) -> UUID | None:
    """The learner whom a tombstone names; a key that is no UUID names nobody."""
    try:
        return UUID(key)
    except ValueError:
        return None
