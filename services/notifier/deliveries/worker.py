"""The consumer of `credential.lifecycle`: what is issued is to be mailed, what is revoked no more."""

from collections.abc import Callable, Sequence
from datetime import datetime

from libs.common.mongo import Document
from libs.contracts import ids
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import CredentialIssued, CredentialRevoked
from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.activation import activate_reachable
from services.notifier.deliveries.delivery import OCCASION_ISSUED, OCCASIONS
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import State


class DeliveryWorker:
    """The handler; it publishes nothing. `activation.py` has the argument for the steps A1 and A2."""

    def __init__(self, deliveries: Deliveries, contacts: Contacts, clock: Callable[[], datetime]) -> None:
        self._deliveries = deliveries
        self._contacts = contacts
        self._clock = clock

    async def handle(self, batch: Sequence[Received[CredentialIssued | CredentialRevoked]]) -> Sequence[Outgoing]:
        """One delivery per credential and occasion; a credential revoked before its mail went is not mailed."""
        now = self._clock()
        issued = [(each.event, each.trace) for each in batch if isinstance(each.event, CredentialIssued)]
        documents = {event.credential_id: _delivery(event, trace, now) for event, trace in issued}
        if documents:
            await self._deliveries.expect(list(documents.values()))  # A1
            learner_ids = [event.learner_id for event, _ in issued]
            await activate_reachable(self._contacts, self._deliveries, learner_ids, now)  # A2
        # A credential can be revoked before its issue is announced, so the delivery may not be there yet: then it is
        # made, cancelled from the start, and the issue that follows finds it.
        revoked = [(each.event, each.trace) for each in batch if isinstance(each.event, CredentialRevoked)]
        if revoked:
            never = {"state": State.CANCELLED, "cancel_reason": "revoked"}
            await self._deliveries.expect([_delivery(event, trace, now) | never for event, trace in revoked])
            cancelled = [ids.delivery_id(event.credential_id, each) for event, _ in revoked for each in OCCASIONS]
            await self._deliveries.cancel_by_id(cancelled, "revoked", now)
        return []


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
