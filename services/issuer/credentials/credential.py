"""A credential that was issued, as this service keeps it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from libs.contracts.results import SoloLevel
from services.issuer.decision_ids import DecisionId
from services.issuer.status.entry import StatusEntry


class CredentialState(StrEnum):
    """What a credential is worth now."""

    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Revocation:
    """When a credential was revoked, and why; the public can read the reason."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Credential:
    """An issued credential.

    Attributes:
        holding_id: what the award belongs to: all that the learner was ever awarded of the achievement.
        achievement: OWNER/ID/VERSION of the version that it was awarded by.
        level: the level shown; None where a score was.
        evidence_id: of a repeatable achievement, the piece of evidence that it was awarded for.
        decision_id: the decision that it was issued by.
        document: the signed JSON text, byte for byte.
    """

    credential_id: UUID
    issuer_id: str
    learner_id: UUID
    holding_id: UUID
    achievement: str
    level: SoloLevel | None
    evidence_id: UUID | None
    decision_id: DecisionId
    status: StatusEntry
    issued_at: datetime
    document: str
    revocation: Revocation | None = None

    @property
    def state(self) -> CredentialState:
        """Return whether it is active or revoked."""
        return CredentialState.ACTIVE if self.revocation is None else CredentialState.REVOKED
