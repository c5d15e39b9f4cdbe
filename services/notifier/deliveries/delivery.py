"""A delivery as its owner sees it while it holds the claim."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from libs.common.mongo import Document
from libs.contracts.results import SoloLevel

OCCASION_ISSUED = "issued"
OCCASIONS = (OCCASION_ISSUED,)
"""What a learner may be mailed about a credential for; one delivery for each."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that this process has claimed and may send until its lease ends."""

    id: UUID
    claim: UUID
    issuer_id: str
    credential_id: UUID
    learner_id: UUID
    achievement: str
    level: SoloLevel | None
    created_at: datetime
    attempts: int
    first_attempt_at: datetime | None
    slot_at: float | None
    cancel_reason: str | None
    trace: str

    @classmethod
    def of(cls, document: Document, claim: UUID) -> Self:
        """Read a stored delivery."""
        level = document.get("level")
        return cls(
            id=document["_id"],
            claim=claim,
            issuer_id=document["issuer_id"],
            credential_id=document["credential_id"],
            learner_id=document["learner_id"],
            achievement=document["achievement"],
            level=None if level is None else SoloLevel(level),
            created_at=document["created_at"],
            attempts=document["attempts"],
            first_attempt_at=document.get("first_attempt_at"),
            slot_at=document.get("slot_at"),
            cancel_reason=document.get("cancel_reason"),
            trace=document["trace"],
        )
