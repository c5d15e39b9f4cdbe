"""A credential that was issued, as this service keeps it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.contracts.results import SoloLevel
from services.issuer.decision_ids import DecisionId
from services.issuer.status.entry import StatusEntry

Target = tuple[UUID, str]
"""A credential and its issuer."""


class CredentialState(StrEnum):
    """What a credential is worth now."""

    ACTIVE = "active"
    REVOKED = "revoked"
    TAKEN_DOWN = "taken_down"

    @property
    def rank(self) -> int:
        """Return how far it has ended; what was published goes back to no lower one."""
        return list(CredentialState).index(self)


_BY_DECISION: Final = frozenset({RevocationReason.EVIDENCE_WITHDRAWN, RevocationReason.STACKED_ON_REVOKED})


@dataclass(frozen=True, slots=True)
class Revocation:
    """When a credential was revoked, why (a public code), and the request that says who asked for that.

    There is no request where it follows from a decision: on evidence that was withdrawn, or one that awards another
    credential in its place, its successor.
    """

    at: datetime
    reason: RevocationReason
    request_id: UUID | None = None
    successor_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TakeDown:
    """When what a credential says was withheld, why (a public code), and the request that says who asked."""

    at: datetime
    reason: TakeDownReason
    request_id: UUID | None = None

    @property
    def revocation(self) -> Revocation:
        """Return the revocation that goes with it, unless the credential was revoked before."""
        return Revocation(self.at, RevocationReason.TAKEN_DOWN, self.request_id)


def follows_from_evidence(revocation: Revocation | None) -> bool:
    """Return whether it was revoked since evidence was withdrawn, and by nobody's own request."""
    return revocation is not None and revocation.request_id is None and revocation.reason in _BY_DECISION


@dataclass(frozen=True, slots=True)
class Credential:
    """An issued credential.

    Attributes:
        holding_id: what the award belongs to: all that the learner was ever awarded of the achievement.
        achievement: OWNER/ID/VERSION of the version that it was awarded by.
        level: the level shown; None where a score was.
        evidence_id: of a repeatable achievement, the piece of evidence that it was awarded for.
        decision_id: the decision that it was issued by.
        document: the signed JSON text, byte for byte; None of one that was taken down.
        revocation: of one that was taken down, too.
        supersedes: the credential in whose place it was issued, if any.
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
    document: str | None
    revocation: Revocation | None = None
    take_down: TakeDown | None = None
    supersedes: UUID | None = None

    @property
    def superseded_by(self) -> UUID | None:
        """Return the credential that was issued in its place, None where none was."""
        return None if self.revocation is None else self.revocation.successor_id

    @property
    def superseding(self) -> Revocation | None:
        """Return what ended the credential in whose place this was issued, None where it is in that of none."""
        if self.supersedes is None:
            return None
        return Revocation(self.issued_at, RevocationReason.SUPERSEDED, successor_id=self.credential_id)

    @property
    def state(self) -> CredentialState:
        """Return what it is worth now."""
        if self.take_down is not None:
            return CredentialState.TAKEN_DOWN
        return CredentialState.ACTIVE if self.revocation is None else CredentialState.REVOKED
