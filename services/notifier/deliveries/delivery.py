"""A delivery as it is stored, and as its owner sees it while it holds the claim."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from libs.common.mongo import Document
from libs.common.stored import Count, Seconds, Text, typed
from libs.contracts.results import SoloLevel
from services.notifier.channels.failure import FailureKind
from services.notifier.deliveries.schedule import State
from services.notifier.occasion import Occasion


def address_mark(delivery_id: UUID, address: str) -> str:
    """Return what tells whether a delivery went to this address, and nothing else: a digest that no other one shares.

    A delivery that was refused is tried again only where its learner's address is another one by now.
    """
    return hashlib.blake2b(address.encode(), key=delivery_id.bytes, digest_size=16).hexdigest()


class LastError(BaseModel):
    """Why the last attempt failed: codes only."""

    kind: FailureKind = Field(examples=["temporary"])
    code: int | None = Field(default=None, description="the server's reply code (RFC 5321)", examples=[451])
    enhanced: str | None = Field(default=None, description="the enhanced status code (RFC 3463)", examples=["4.7.1"])
    at: AwareDatetime = Field(description="when it failed")


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """One mail about one credential on one occasion.

    Attributes:
        learner_id: None where a credential was revoked before we learnt whose it is: then nothing is sent, and in a
            database that was set back nothing until we do.
        reason: the code why it was revoked or taken down.
        follows: of what tells that a credential was closed, the delivery that told of its issue.
        replaces: of what tells of an award in the place of another, the delivery that told of that one.
        told_by: of what tells that a credential was closed, the delivery that tells of what took its place: once that
            was sent, this one is not.
        sending: how often somebody asked for it to be sent again.
        attempts: how often it was handed to a mail server since.
        allowed_at: when the limits of its issuer's own mails let it go, in seconds since 1970.
        admitted: whether it has its slot of the mailbox, which all issuers share.
        address_mark: see there; of the last attempt.
    """

    id: UUID
    issuer_id: Text
    credential_id: UUID
    occasion: Occasion
    learner_id: UUID | None
    achievement: Text | None
    level: SoloLevel | None
    state: State
    created_at: datetime
    trace: str
    changed_at: datetime
    score: float | None = None
    reason: str | None = None
    follows: UUID | None = None
    replaces: UUID | None = None
    told_by: UUID | None = None
    sending: Count = 0
    attempts: Count = 0
    due_at: datetime | None = None
    sent_at: datetime | None = None
    cancel_reason: str | None = None
    allowed_at: Seconds | None = None
    admitted: bool = False
    last_error: LastError | None = None
    address_mark: str | None = None

    @classmethod
    def of(cls, document: Document) -> "StoredDelivery":
        """Return what a document says.

        Raises:
            ValueError: it was damaged.
        """
        delivery = _stored(document)
        if delivery.due_at is None and delivery.state in {State.PENDING, State.SENDING}:
            raise ValueError("nobody would look at it again")
        return delivery

    @property
    def told(self) -> bool:
        """Return whether its learner was told, or may have been: before the database was set back."""
        may_have = State.MAY_HAVE_BEEN_SENT in {self.state, self.cancel_reason}
        return self.sent_at is not None or may_have

    @property
    def held_until(self) -> datetime | None:
        """Return until when a limit of its issuer's own mails holds it back; None where none does."""
        if self.state is not State.PENDING or self.allowed_at is None or self.due_at is None:
            return None
        return self.due_at if self.due_at.timestamp() <= self.allowed_at + 1 else None

    @property
    def told_due_at(self) -> datetime | None:
        """Return when it is tried next; None while it waits for the mailbox, lest that tells of others' mails."""
        waits = self.state is State.PENDING and self.allowed_at is not None and not self.admitted
        return self.held_until if waits else self.due_at

    def document(self) -> Document:
        """Return it as it is stored first."""
        document: Document = {
            "_id": self.id,
            "schema": 1,
            "issuer_id": self.issuer_id,
            "credential_id": self.credential_id,
            "occasion": self.occasion,
            "learner_id": self.learner_id,
            "achievement": self.achievement,
            "level": self.level,
            "score": self.score,
            "state": self.state,
            "reason": self.reason,
            "follows": self.follows,
            "replaces": self.replaces,
            "told_by": self.told_by,
            "sending": self.sending,
            "attempts": self.attempts,
            "cancel_reason": self.cancel_reason,
            "created_at": self.created_at,
            "changed_at": self.changed_at,
            "trace": self.trace,
        }
        return {name: value for name, value in document.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that this process has claimed and may send until its lease ends.

    Attributes:
        may_have_gone: it had failed when the database was set back, and may have been tried anew since.
    """

    id: UUID
    claim: UUID
    issuer_id: Text
    credential_id: UUID
    occasion: Occasion
    learner_id: UUID
    achievement: Text
    level: SoloLevel | None
    reason: str | None
    follows: UUID | None
    sending: Count
    created_at: datetime
    attempts: Count
    first_attempt_at: datetime | None
    slot_at: Seconds | None
    cancel_reason: str | None
    trace: str
    address_mark: str | None = None
    allowed_at: Seconds | None = None
    admitted: bool = False
    score: float | None = None
    replaces: UUID | None = None
    told_by: UUID | None = None
    may_have_gone: bool = False

    @classmethod
    def of(cls, document: Document, claim: UUID) -> "Delivery":
        """Return what a document says that was claimed so.

        Raises:
            ValueError: it was damaged.
        """
        return _claimed({**document, "claim": claim})


_stored, _claimed = typed(StoredDelivery, id="_id"), typed(Delivery, id="_id")
