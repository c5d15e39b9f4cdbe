"""What the notifier is told, for its tests."""

from datetime import datetime
from uuid import UUID

from libs.contracts.events import EvidenceDecided, Outcome
from libs.contracts.results import SoloLevel


def decided_issued(
    issuer_id: str, learner_id: UUID, credential_id: UUID, achievement: str, at: datetime
) -> EvidenceDecided:
    """A decision that issues this credential."""
    return EvidenceDecided(
        submission_id=credential_id,
        evidence_id=credential_id,
        batch_id=credential_id,
        row=1,
        issuer_id=issuer_id,
        source_id="e1",
        learner_id=learner_id,
        outcome=Outcome.ISSUED,
        achievement=achievement,
        rule_version="rules 2",
        credential_id=credential_id,
        level=SoloLevel.RELATIONAL,
        decided_at=at,
    )
