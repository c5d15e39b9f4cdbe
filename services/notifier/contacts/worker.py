"""The consumer of `learner.contacts`: stores names and addresses; a tombstone erases."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import LearnerContact
from services.notifier.contacts.repository import Contacts


class ContactListener(Protocol):
    """What depends on contacts, and is told after they were stored or erased."""

    async def addressed(self, learner_ids: Collection[UUID], now: datetime) -> None:
        """The contacts of these learners may have changed."""

    async def erased(self, learner_ids: Collection[UUID], now: datetime) -> None:
        """The contacts of these learners are gone."""


class ContactWorker:
    """The handler; it publishes nothing."""

    def __init__(self, contacts: Contacts, listener: ContactListener, clock: Callable[[], datetime]) -> None:
        self._contacts = contacts
        self._listener = listener
        self._clock = clock

    async def handle(self, batch: Sequence[Received[LearnerContact]]) -> Sequence[Outgoing]:
        """Store the newest contact of each learner; a tombstone erases it and cancels what was not sent."""
        now = self._clock()
        erased: dict[UUID, None] = {}
        changed: dict[UUID, list[LearnerContact]] = {}
        for received in batch:
            event = received.event
            if event is None:
                learner_id = _learner_id(received.key)
                if learner_id is not None:
                    erased[learner_id] = None
                    changed.pop(learner_id, None)
            else:
                changed.setdefault(event.learner_id, []).append(event)
        if erased:
            await self._contacts.erase(list(erased))
            await self._listener.erased(list(erased), now)
        if changed:
            await self._contacts.store([event for events in changed.values() for event in events])  # B1
            await self._listener.addressed(list(changed), now)  # B2
        return []


def _learner_id(key: str) -> UUID | None:
    """The learner whom a tombstone names; a key that is no UUID names nobody."""
    try:
        return UUID(key)
    except ValueError:
        return None
