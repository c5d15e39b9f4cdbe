"""The consumers of decisions and of `credential.lifecycle`: what is issued is mailed, and what is closed after that.

Who a credential is about stands in decisions alone, which our own services read.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import CredentialRevoked, CredentialTakenDown, EvidenceDecided, Outcome
from libs.contracts.ids import Ids
from libs.contracts.reasons import RevocationReason
from libs.contracts.results import SoloLevel
from services.notifier.deliveries.activation import Activation
from services.notifier.deliveries.delivery import StoredDelivery
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import State
from services.notifier.occasion import Occasion

Closed = CredentialRevoked | CredentialTakenDown


class _Issued(NamedTuple):
    """A credential that a decision issued, and what it shows."""

    event: EvidenceDecided
    credential_id: UUID
    achievement: str | None
    level: SoloLevel | None
    score: float | None
    supersedes: UUID | None = None


class DeliveryWorker:
    """The handlers; they publish nothing. `activation.py` has the argument for the steps A1 and A2."""

    def __init__(
        self,
        deliveries: Deliveries,
        activation: Activation,
        ids: Ids,
        clock: Callable[[], datetime],
        doubted_until: Callable[[], Awaitable[datetime | None]],
    ) -> None:
        """Take the parts, and what tells until when what came may have been mailed without anything saying so."""
        self._deliveries = deliveries
        self._activation = activation
        self._ids = ids
        self._clock = clock
        self._doubted_until = doubted_until

    async def decided(self, batch: Sequence[Received[EvidenceDecided]]) -> Sequence[Outgoing]:
        """One delivery per credential and occasion."""
        now, doubted_until = self._clock(), await self._doubted_until()
        expected: dict[UUID, StoredDelivery] = {}
        for each in batch:
            event = each.event
            for told in () if event is None else _issued_by(event):
                delivery_id = self._ids.delivery_id(told.credential_id, Occasion.ISSUED)
                delivery = StoredDelivery(
                    id=delivery_id,
                    issuer_id=told.event.issuer_id,
                    credential_id=told.credential_id,
                    occasion=Occasion.ISSUED,
                    learner_id=told.event.learner_id,
                    achievement=told.achievement,
                    level=told.level,
                    score=told.score,
                    replaces=self._told_of(told.supersedes),
                    state=_first_state(each.known or _is_before(doubted_until, _begun(told))),
                    created_at=now,
                    changed_at=now,
                    trace=each.trace,
                )
                # The first holds: behind one that may have been mailed the issuer's next announcement of it may stand.
                expected.setdefault(delivery_id, delivery)
        await self._expect(list(expected.values()), now)
        return []

    async def closed(self, batch: Sequence[Received[Closed]]) -> Sequence[Outgoing]:
        """What was closed before its mail went is not mailed; who was told of it is told, once for each occasion.

        1. Cancel what is to be sent no more. A credential can be closed before the decision that issued it arrives, so
           its delivery may not be there yet: then it is made, cancelled from the start, and the decision finds it. In
           a database that was set back its mail may have been sent: it is held, and the decision says to whom it went.
           What is held stays so, with the reason: released it is cancelled, discarded its learner counts as told.
        2. Look which of those that told of the issue were sent, or are on their way: the others never will be.
        3. For these, expect a delivery that tells that the badge was closed. One that goes before it is known what came
           of the other waits for it; so does that of a badge that another took the place of, for the mail that tells of
           both (`preparation.py`).

        Done again after a crash: all deliveries are there.
        """
        now, doubted_until = self._clock(), await self._doubted_until()
        events = [
            (each.event, each.trace, each.known or _is_before(doubted_until, each.event.occurred_at))
            for each in batch
            if each.event is not None
        ]
        if not events:
            return []
        never: dict[UUID, StoredDelivery] = {}
        for event, trace, known in events:  # the first of each holds, as above
            never.setdefault(self._issued_id(event), self._never(event, trace, now, known=known))
        await self._deliveries.expect(list(never.values()))  # 1
        await self._deliveries.cancel_by_id(list(never), "revoked", now)
        taken_down = [event for event, *_ in events if isinstance(event, CredentialTakenDown)]
        if taken_down:
            revoked = [self._ids.delivery_id(event.credential_id, Occasion.REVOKED) for event in taken_down]
            await self._deliveries.cancel_by_id(revoked, "taken_down", now)
        issued = await self._deliveries.find(never)  # 2
        telling: dict[UUID, StoredDelivery] = {}
        for event, trace, known in events:
            each = self._telling(event, issued[self._issued_id(event)], trace, now)
            if each is not None:
                telling.setdefault(each.id, replace(each, state=_first_state(known)))
        await self._expect(list(telling.values()), now)  # 3
        return []

    async def _expect(self, deliveries: Sequence[StoredDelivery], now: datetime) -> None:
        if deliveries:
            there = await self._deliveries.expect(deliveries)  # A1
            await self._fill([each for each in deliveries if each.id in there])
            learners = {each.learner_id for each in deliveries if each.learner_id is not None}
            await self._activation.activate(learners, now)  # A2

    async def _fill(self, known: Sequence[StoredDelivery]) -> None:
        """Write whose they are onto deliveries that were made when a credential was closed, before its decision."""
        issued = [each for each in known if each.occasion is Occasion.ISSUED]
        others = [
            replace(each, id=self._ids.delivery_id(each.credential_id, occasion), score=None, replaces=None)
            for each in issued
            for occasion in (Occasion.REVOKED, Occasion.TAKEN_DOWN)
        ]
        await self._deliveries.fill([*issued, *others])

    def _told_of(self, credential_id: UUID | None) -> UUID | None:
        """Return the delivery that tells of a credential's issue, None of none."""
        return None if credential_id is None else self._ids.delivery_id(credential_id, Occasion.ISSUED)

    def _issued_id(self, event: Closed) -> UUID:
        return self._ids.delivery_id(event.credential_id, Occasion.ISSUED)

    def _never(self, event: Closed, trace: str, now: datetime, *, known: bool) -> StoredDelivery:
        return StoredDelivery(
            id=self._issued_id(event),
            issuer_id=event.issuer_id,
            credential_id=event.credential_id,
            occasion=Occasion.ISSUED,
            learner_id=None,
            achievement=event.achievement,
            level=event.level,
            state=State.MAY_HAVE_BEEN_SENT if known else State.CANCELLED,
            cancel_reason=None if known else "revoked",
            created_at=now,
            changed_at=now,
            trace=trace,
        )

    def _telling(self, event: Closed, issued: StoredDelivery, trace: str, now: datetime) -> StoredDelivery | None:
        """Return the delivery that tells its learner of this, None where there is nothing to tell."""
        if event.reason is RevocationReason.TAKEN_DOWN:  # the take-down itself is told
            return None
        if not (issued.told or issued.state is State.SENDING):
            return None
        occasion = Occasion.REVOKED if isinstance(event, CredentialRevoked) else Occasion.TAKEN_DOWN
        return StoredDelivery(
            id=self._ids.delivery_id(event.credential_id, occasion),
            issuer_id=event.issuer_id,
            credential_id=event.credential_id,
            occasion=occasion,
            learner_id=issued.learner_id,
            achievement=issued.achievement,
            level=issued.level,
            state=State.NO_ADDRESS,
            reason=event.reason.value,
            follows=issued.id,
            told_by=self._told_of(event.superseded_by) if isinstance(event, CredentialRevoked) else None,
            created_at=now,
            changed_at=now,
            trace=trace,
        )


def _first_state(known: bool) -> State:  # what the record says of itself
    """Return where a delivery begins: one whose record was processed before may have been sent, and is held."""
    return State.MAY_HAVE_BEEN_SENT if known else State.NO_ADDRESS


def _is_before(doubted_until: datetime | None, at: datetime) -> bool:
    return doubted_until is not None and at <= doubted_until


def _begun(told: _Issued) -> datetime:
    """Return from when on it may have been mailed that this was issued: the same may have been decided before.

    What a piece earns may have been decided as soon as it was there, also where it waited at first. What a later
    decision issues beside that follows from something else that came. A decision that gives a credential which was
    published before is of the moment of that credential.
    """
    event = told.event
    earned_by_piece = event.outcome is Outcome.ISSUED and told.credential_id == event.credential_id
    if event.received_at is None or not (earned_by_piece or event.sequence == 1):
        return event.decided_at
    return min(event.received_at, event.decided_at)


def _issued_by(event: EvidenceDecided) -> list[_Issued]:
    """Return what a decision issued: for the piece of evidence, and what followed from that."""
    stacked = [_Issued(event, each.credential_id, each.achievement, each.level, None) for each in event.stacked or ()]
    if event.outcome is Outcome.ISSUED and event.credential_id is not None:
        own = _Issued(event, event.credential_id, event.achievement, event.level, event.score, event.supersedes)
        return [own, *stacked]
    return stacked
