"""Awards: those to be issued, and those held already."""

from typing import NamedTuple
from uuid import UUID

from libs.contracts.events import AchievementPublished, EvidenceSubmitted
from libs.contracts.results import SoloLevel


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
    """A credential issued before. `evidence_id` distinguishes the awards of a repeatable achievement."""

    credential_id: UUID
    level: SoloLevel | None
    active: bool
    evidence_id: UUID | None = None
