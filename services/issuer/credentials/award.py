"""Awards: those to be issued, and those held already."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.contracts.events import AchievementPublished, EvidenceSubmitted
from libs.contracts.results import SoloLevel
from services.issuer.decision_ids import PieceId


class NewAward(NamedTuple):
    """An award to be issued.

    Attributes:
        achievement: the version whose rule the evidence met.
        credential_id: the credential to issue.
        holding_id: what the award belongs to (`libs.contracts.ids`).
    """

    evidence: EvidenceSubmitted
    achievement: AchievementPublished
    credential_id: UUID
    holding_id: UUID


class HeldAward(NamedTuple):
    """A credential issued before.

    Attributes:
        evidence_id: of a repeatable achievement, the piece of evidence that it was awarded for.
        piece: the piece whose decision issued it; None of one that is being issued with the same batch.
        issued_at: when; likewise.
    """

    credential_id: UUID
    level: SoloLevel | None
    active: bool
    evidence_id: UUID | None = None
    piece: PieceId | None = None
    issued_at: datetime | None = None
