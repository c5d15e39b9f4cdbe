"""The consumers of decisions and of `credential.lifecycle`: what is issued is to be mailed, what is revoked no more.

Who a credential is about stands in decisions alone, which our own services read.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from libs.common.mongo import Document
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import CredentialRevoked, EvidenceDecided, Outcome
from libs.contracts.ids import Ids
from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.activation import activate_reachable
from services.notifier.deliveries.delivery import OCCASION_ISSUED, OCCASIONS
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import State


class DeliveryWorker:
    """The handlers; they publish nothing. `activation.py` has the argument for the steps A1 and A2."""

    def __init__(self, deliveries: Deliveries, contacts: Contacts, ids: Ids, clock: Callable[[], datetime]) -> None:
        self._deliveries = deliveries
        self._contacts = contacts
        self._ids = ids
        self._clock = clock

    async def decided(self, batch: Sequence[Received[EvidenceDecided]]) -> Sequence[Outgoing]:
        """One delivery per credential and occasion."""
        now = self._clock()
        documents: dict[UUID, Document] = {}
        for each in batch:
            event = each.event
            if event is not None and event.outcome is Outcome.ISSUED and event.credential_id is not None:
                about = {"learner_id": event.learner_id, "level": event.level, "state": State.NO_ADDRESS}
                delivery = self._delivery(event.credential_id, event.issuer_id, event.achievement, each.trace, now)
                documents[delivery["_id"]] = delivery | about
        if documents:
            await self._deliveries.expect(list(documents.values()))  # A1
            learner_ids = [each["learner_id"] for each in documents.values()]
            await activate_reachable(self._contacts, self._deliveries, learner_ids, now)  # A2
        return []

    async def revoked(self, batch: Sequence[Received[CredentialRevoked]]) -> Sequence[Outgoing]:
        """A credential revoked before its mail went is not mailed."""
        now = self._clock()
        # A credential can be revoked before the decision that issued it arrives, so the delivery may not be there yet:
        # then it is made, cancelled from the start, and the decision that follows finds it.
        revoked = [(each.event, each.trace) for each in batch if each.event is not None]
        if revoked:
            never = {"state": State.CANCELLED, "cancel_reason": "revoked"}
            await self._deliveries.expect(
                [
                    self._delivery(event.credential_id, event.issuer_id, event.achievement, trace, now) | never
                    for event, trace in revoked
                ]
            )
            cancelled = [self._ids.delivery_id(event.credential_id, each) for event, _ in revoked for each in OCCASIONS]
            await self._deliveries.cancel_by_id(cancelled, "revoked", now)
        return []

    def _delivery(
        self, credential_id: UUID, issuer_id: str, achievement: str | None, trace: str, now: datetime
    ) -> Document:
        return {
            "_id": self._ids.delivery_id(credential_id, OCCASION_ISSUED),
            "schema": 1,
            "issuer_id": issuer_id,
            "credential_id": credential_id,
            "occasion": OCCASION_ISSUED,
            "achievement": achievement,
            "attempts": 0,
            "created_at": now,
            "changed_at": now,
            "trace": trace,
        }
