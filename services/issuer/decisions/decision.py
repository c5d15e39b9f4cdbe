"""A decision on a piece of evidence, as it is kept: beside the whole piece, and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from libs.contracts.events import Counted, EvidenceSubmitted, Outcome, StackedAward
from libs.contracts.reasons import WithdrawalReason
from services.issuer.credentials.credential import Revocation, Target
from services.issuer.credentials.hindrance import Hindrance
from services.issuer.decision_ids import DecisionId, PieceId


class Reason(StrEnum):
    """Why a piece of evidence earned no credential, or waits; stable codes, sent to schools and counted."""

    UNKNOWN_ISSUER = "unknown_issuer"
    UNKNOWN_ACHIEVEMENT = "unknown_achievement"
    ISSUER_SUSPENDED = "issuer_suspended"
    SIGNING_KEY_MISSING = Hindrance.KEY_MISSING.value
    SIGNING_KEY_CLOSED = Hindrance.KEY_CLOSED.value
    ISSUER_UNUSABLE = Hindrance.ISSUER_UNUSABLE.value
    ACHIEVEMENT_UNUSABLE = Hindrance.ACHIEVEMENT_UNUSABLE.value
    LEVEL_NEEDED = "level_needed"
    SCORE_NEEDED = "score_needed"
    CANNOT_BE_WRITTEN = "cannot_be_written"
    SOURCE_ID_REUSED = "source_id_reused"
    SENT_BEFORE = "sent_before"
    BELOW_REQUIRED_LEVEL = "below_required_level"
    BELOW_REQUIRED_SCORE = "below_required_score"
    MORE_EVIDENCE_NEEDED = "more_evidence_needed"
    ALREADY_AWARDED = "already_awarded"
    HIGHER_LEVEL_HELD = "higher_level_held"
    WITHDRAWN_BEFORE = "withdrawn_before"
    SUPERSEDED_UNKNOWN = "superseded_unknown"
    SUPERSEDED_REVOKED = "superseded_revoked"
    SUPERSEDED_BEFORE = "superseded_before"
    ENTERED_IN_ERROR = WithdrawalReason.ENTERED_IN_ERROR.value
    WRONG_LEARNER = WithdrawalReason.WRONG_LEARNER.value
    CORRECTED = WithdrawalReason.CORRECTED.value
    REQUESTED_BY_LEARNER = WithdrawalReason.REQUESTED_BY_LEARNER.value
    OTHER = WithdrawalReason.OTHER.value


_CODES = frozenset(each.value for each in Reason)
PARKED = frozenset(Reason(each.value) for each in Hindrance)
"""Reasons that lie with whoever runs the service: what waits for one of them waits for as long as it takes."""


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
        waits_until: of a piece that waits, when it is refused unless what it waits for is there before; None where it
            waits for as long as it takes.
        counted: where the piece is kept to count together with others: what was issued is made of this.
        missing: what the achievement's rule still lacks, in words.
        stacked: what was awarded with it, as it follows from what the piece has earned.
        revoked: of a piece that was withdrawn, the credentials that rested on it and were revoked with it.
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
    counted: Counted | None = None
    missing: str | None = None
    stacked: tuple[StackedAward, ...] = ()
    revoked: tuple[UUID, ...] = ()

    @property
    def decision_id(self) -> DecisionId:
        """Return what names this decision."""
        return DecisionId(self.evidence.batch_id, self.evidence.row, self.sequence)

    @property
    def issued_id(self) -> UUID | None:
        """Return the credential that this decision issues, None where it issues none."""
        return self.credential_id if self.outcome is Outcome.ISSUED else None

    @property
    def superseded_id(self) -> UUID | None:
        """Return the credential in whose place this decision issues one, None where it does not."""
        return None if self.issued_id is None else self.evidence.supersedes

    @property
    def issued_ids(self) -> list[UUID]:
        """Return all credentials that this decision issues."""
        stacked = [each.credential_id for each in self.stacked]
        return stacked if self.issued_id is None else [self.issued_id, *stacked]

    def waiting(self, trace: str) -> "Waiting | None":
        """Return the entry of its piece among what waits, None where it does not wait."""
        if self.outcome is not Outcome.WAITING:
            return None
        return Waiting(
            piece=self.decision_id.piece,
            issuer_id=self.evidence.issuer_id,
            achievement=self.evidence.achievement,
            reason=self.reason,
            since=self.decided_at,
            until=self.waits_until,
            trace=trace,
        )


@dataclass(frozen=True, slots=True)
class Changes:
    """What of what is stored changes with decisions.

    Attributes:
        disowned: decisions whose piece of evidence stands for another submission, or another decision, from now on.
        revocations: credentials that are active and are revoked.
    """

    disowned: frozenset[DecisionId] = frozenset()
    revocations: Mapping[Target, Revocation] = field(default_factory=dict)


NO_CHANGES: Final = Changes()


class Lack(NamedTuple):
    """What evidence waits for, as it is found: of this issuer, for this reason, by the achievement's id as sent."""

    issuer_id: str
    reason: Reason | None
    achievement: str

    @property
    def text(self) -> str:
        """Return it as it is stored, `ISSUER/REASON/ACHIEVEMENT`; of an earlier version, `ISSUER/ACHIEVEMENT`."""
        return "/".join(each for each in self if each is not None)

    @classmethod
    def read(cls, text: str) -> "Lack":
        """Return what `text` says."""
        issuer_id, _, rest = text.partition("/")
        reason, _, achievement = rest.partition("/")
        if achievement and reason in _CODES:
            return cls(issuer_id, Reason(reason), achievement)
        return cls(issuer_id, None, rest)

    @property
    def pair(self) -> tuple[str, str]:
        """Return the issuer and the achievement."""
        return self.issuer_id, self.achievement


@dataclass(frozen=True, slots=True)
class Waiting:
    """A piece of evidence that waits: for its issuer or achievement, or for what hinders its issuer to be gone.

    Attributes:
        achievement: the achievement's id as the sender wrote it.
        reason: what it waits for; None of a piece that an earlier version stored.
        since: when it was decided that it waits.
        until: when it is refused, unless what it waits for is there before; None where it waits as long as it takes.
        trace: the trace of its submission, which its later decision continues.
    """

    piece: PieceId
    issuer_id: str
    achievement: str
    reason: Reason | None
    since: datetime
    until: datetime | None
    trace: str

    @property
    def lack(self) -> Lack:
        """Return what it is found by."""
        return Lack(self.issuer_id, self.reason, self.achievement)


@dataclass(frozen=True, slots=True)
class Parked:
    """So many pieces of an issuer are parked for this reason, the oldest since then."""

    issuer_id: str
    reason: Reason
    pieces: int
    since: datetime
