"""A decision as the event that announces it: the same each time."""

from libs.contracts.events import EvidenceDecided
from libs.contracts.unchecked import unchecked
from services.issuer.decisions.decision import Decision
from services.issuer.decisions.messages import message

_decided = unchecked(EvidenceDecided)


def announcement(decision: Decision) -> EvidenceDecided:
    """Return the announcement of one recorded decision."""
    evidence, reason = decision.evidence, decision.reason
    shown = None if decision.issued_id is None or decision.counted is not None else evidence.result
    level = None if shown is None else shown.level
    if decision.issued_id is not None and decision.counted is not None:
        level = decision.counted.level
    return _decided(
        submission_id=evidence.submission_id,
        evidence_id=evidence.evidence_id,
        batch_id=evidence.batch_id,
        row=evidence.row,
        issuer_id=evidence.issuer_id,
        source_id=evidence.source_id,
        learner_id=evidence.learner_id,
        sequence=decision.sequence,
        outcome=decision.outcome,
        reason=None if reason is None else reason.value,
        detail=None if reason is None else message(decision.outcome, reason, decision.missing),
        achievement=decision.achievement,
        rule_version=decision.rule_version,
        credential_id=decision.credential_id,
        level=level,
        score=None if shown is None else shown.score,
        waits_until=decision.waits_until,
        counted=decision.counted,
        stacked=decision.stacked or None,
        revoked=decision.revoked or None,
        supersedes=decision.superseded_id,
        received_at=evidence.received_at,
        decided_at=decision.decided_at,
    )
