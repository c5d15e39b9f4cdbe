"""A decision on a piece of evidence, as it is kept: beside the whole piece, and never changed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from libs.contracts.events import EvidenceSubmitted, Outcome
from services.issuer.decision_ids import DecisionId, PieceId


class Reason(StrEnum):
    """Why a piece of evidence earned no credential, or waits; stable codes, sent to schools and counted."""

    UNKNOWN_ISSUER = "unknown_issuer"
    UNKNOWN_ACHIEVEMENT = "unknown_achievement"
    ISSUER_SUSPENDED = "issuer_suspended"
    LEVEL_NEEDED = "level_needed"
    SCORE_NEEDED = "score_needed"
    CANNOT_BE_WRITTEN = "cannot_be_written"
    SOURCE_ID_REUSED = "source_id_reused"
    SENT_BEFORE = "sent_before"
    BELOW_REQUIRED_LEVEL = "below_required_level"
    BELOW_REQUIRED_SCORE = "below_required_score"
    ALREADY_AWARDED = "already_awarded"
    HIGHER_LEVEL_HELD = "higher_level_held"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision on one piece of evidence.

    Attributes:
        evidence: the piece as it was submitted: what was claimed, its context, where it comes from. Its activity is
            empty, and it has no link, where its credential was taken down.
        sequence: 1 for the first decision on the piece, then 2, 3, …
        achievement: OWNER/ID/VERSION of the version whose rule decided; None where it did not come to that.
        rule_version: that version and the version of the rules in code.
        credential_id: the credential issued, or the one that was held already.
        owns_evidence: whether with this decision the source id came to stand for this submission.
        waits_until: of a piece that waits, when it is refused unless what it waits for is published before.
    """

    evidence: EvidenceSubmitted
    sequence: int
    outcome: Outcome
    reason: Reason | None
    achievement: str | None
    rule_version: str
    credential_id: UUID | None
    owns_evidence: bool
    waits_until: datetime | None
    decided_at: datetime

    @property
    def decision_id(self) -> DecisionId:
        """Return what names this decision."""
        return DecisionId(self.evidence.batch_id, self.evidence.row, self.sequence)

    @property
    def issued_id(self) -> UUID | None:
        """Return the credential that this decision issues, None where it issues none."""
        return self.credential_id if self.outcome is Outcome.ISSUED else None

    def waiting(self, trace: str) -> "Waiting | None":
        """Return the entry of its piece among what waits, None where it does not wait."""
        if self.waits_until is None:
            return None
        return Waiting(
            piece=self.decision_id.piece,
            issuer_id=self.evidence.issuer_id,
            achievement=self.evidence.achievement,
            since=self.decided_at,
            until=self.waits_until,
            trace=trace,
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A piece of evidence that waits for its issuer or achievement to be published, or its issuer to be resumed.

    Attributes:
        achievement: the achievement's id as the sender wrote it.
        since: when it was decided that it waits.
        until: when it is refused, unless what it waits for is published before.
        trace: the trace of its submission, which its later decision continues.
    """

    piece: PieceId
    issuer_id: str
    achievement: str
    since: datetime
    until: datetime
    trace: str
