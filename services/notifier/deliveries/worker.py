"""The consumers: what the events of other services mean for contacts, catalogue and the schedule of deliveries.

A contact and a credential travel on different topics, so either may come first. Each side writes its own document
before it looks for the other's:

    lifecycle:  A1 insert the delivery as `no_address`    A2 look up the contact; there: make it `pending`
    contacts:   B1 store the contact                      B2 make the learner's `no_address` deliveries `pending`

If A2 misses the contact, then it read before B1 was done; A1 was done before A2, and B2 comes after B1, so B2 sees the
delivery. The other way round likewise: if B2 misses the delivery, A1 came after it, and so A2 sees the contact. Both
may see each other: making pending touches `no_address` only, so it happens once. A crash between the steps leaves the
record uncommitted, and both steps are done again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from libs.common.mongo import Document
from libs.contracts import ids
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import (
    AchievementPublished,
    CredentialIssued,
    CredentialRevoked,
    IssuerPublished,
    LearnerContact,
)
from services.notifier.catalogue.repository import Catalogue
from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import State

OCCASION_ISSUED = "issued"
OCCASIONS = (OCCASION_ISSUED,)


class Projection:
    """The handlers of this service's consumers; none publishes anything."""

    def __init__(
        self, contacts: Contacts, catalogue: Catalogue, deliveries: Deliveries, clock: Callable[[], datetime]
    ) -> None:
        self._contacts = contacts
        self._catalogue = catalogue
        self._deliveries = deliveries
        self._clock = clock

    async def catalogue(self, batch: Sequence[Received[IssuerPublished | AchievementPublished]]) -> Sequence[Outgoing]:
        """Names and level descriptions."""
        events = [received.event for received in batch]
        await self._catalogue.store_issuers([event for event in events if isinstance(event, IssuerPublished)])
        await self._catalogue.store_achievements([event for event in events if isinstance(event, AchievementPublished)])
        return []

    async def lifecycle(self, batch: Sequence[Received[CredentialIssued | CredentialRevoked]]) -> Sequence[Outgoing]:
        """One delivery per credential and occasion; a credential revoked before its mail went is not mailed."""
        now = self._clock()
        issued = [(each.event, each.trace) for each in batch if isinstance(each.event, CredentialIssued)]
        documents = {event.credential_id: _delivery(event, trace, now) for event, trace in issued}
        if documents:
            await self._deliveries.expect(list(documents.values()))  # A1
            await self._activate_reachable([event.learner_id for event, _ in issued], now)  # A2
        # A credential can be revoked before its issue is announced, so the delivery may not be there yet: then it is
        # made, cancelled from the start, and the issue that follows finds it.
        revoked = [(each.event, each.trace) for each in batch if isinstance(each.event, CredentialRevoked)]
        if revoked:
            never = {"state": State.CANCELLED, "cancel_reason": "revoked"}
            await self._deliveries.expect([_delivery(event, trace, now) | never for event, trace in revoked])
            cancelled = [ids.delivery_id(event.credential_id, each) for event, _ in revoked for each in OCCASIONS]
            await self._deliveries.cancel_by_id(cancelled, "revoked", now)
        return []

    async def contacts(self, batch: Sequence[Received[LearnerContact]]) -> Sequence[Outgoing]:
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
            await self._deliveries.cancel_for_learners(list(erased), "erased", now)
        if changed:
            await self._contacts.store([event for events in changed.values() for event in events])  # B1
            await self._activate_reachable(list(changed), now)  # B2
        return []

    async def _activate_reachable(self, learner_ids: Sequence[UUID], now: datetime) -> None:
        reachable = await self._contacts.reachable(learner_ids)
        if reachable:
            await self._deliveries.activate(list(reachable), now)


def _delivery(event: CredentialIssued | CredentialRevoked, trace: str, now: datetime) -> Document:
    return {
        "_id": ids.delivery_id(event.credential_id, OCCASION_ISSUED),
        "schema": 1,
        "issuer_id": event.issuer_id,
        "credential_id": event.credential_id,
        "occasion": OCCASION_ISSUED,
        "learner_id": event.learner_id,
        "achievement": event.achievement,
        "level": event.level,
        "state": State.NO_ADDRESS,
        "attempts": 0,
        "created_at": now,
        "changed_at": now,
        "trace": trace,
    }


def _learner_id(key: str) -> UUID | None:
    """The learner whom a tombstone names; a key that is no UUID names nobody."""
    try:
        return UUID(key)
    except ValueError:
        return None
