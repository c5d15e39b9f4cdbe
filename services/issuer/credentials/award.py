"""Awards: those to be issued, and those held already."""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from libs.contracts.events import AchievementPublished, EvidenceSubmitted
from libs.contracts.results import Result, SoloLevel
from services.issuer.decision_ids import PieceId


class NewAward(NamedTuple):
    """An award to be issued.

    Attributes:
        evidence: the piece with which it was earned.
        achievement: the version whose rule was met.
        credential_id: the credential to issue.
        holding_id: what the award belongs to (`libs.contracts.ids`).
        result: what the credential shows; None where it shows neither level nor score.
        ended_on: the last day of what it was earned by, where that is not the day of the piece.
        shows_evidence: whether the piece is what it was earned by.
        supersedes: the credential in whose place it is issued, if any.
    """

    evidence: EvidenceSubmitted
    achievement: AchievementPublished
    credential_id: UUID
    holding_id: UUID
    result: Result | None
    ended_on: date | None = None
    shows_evidence: bool = True
    supersedes: UUID | None = None


class HeldAward(NamedTuple):
    """A credential issued before.

    Attributes:
        evidence_id: of a repeatable achievement, the piece of evidence that it was awarded for.
        piece: the piece whose decision issued it; None of one that is being issued with the same batch.
        sequence: of that decision; likewise.
        issued_at: when; likewise.
        reopened: it was revoked as evidence was withdrawn: what else it was made of counts again.
    """

    credential_id: UUID
    level: SoloLevel | None
    active: bool
    evidence_id: UUID | None = None
    piece: PieceId | None = None
    sequence: int = 0
    issued_at: datetime | None = None
    reopened: bool = False
