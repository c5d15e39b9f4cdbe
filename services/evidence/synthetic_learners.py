"""Synthetic learners: evidence that the reader takes as it takes a school's, of learners whom no school has."""

from datetime import datetime
from uuid import UUID

from libs.contracts.events import CanarySubmitted, EvidenceSubmitted
from libs.contracts.ids import Ids, submission_id
from libs.contracts.results import SoloLevel
from services.evidence.sources.refusals import Refusal
from services.evidence.sources.rows import MAPPING_VERSION, read_row

_SCHOOL = "synthetic"
_BATCH = UUID("00000000-0000-8000-8000-000000000000")


class SyntheticLearners:
    """Makes what they submit. It is published under an event type of its own, and never stands alone on a topic."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def submitted(self, number: int, at: datetime) -> CanarySubmitted:
        """Return what the learner of this number submits at this moment."""
        learner = f"learner-{number}"
        fields = {
            "source_id": f"{learner}-{at:%Y%m%d%H%M%S}",
            "learner_id": learner,
            "achievement": "sample",
            "level": SoloLevel.RELATIONAL.value,
            "date": f"{at:%Y-%m-%d}",
            "activity": "Going through all services",
        }
        row = read_row(fields, at.date())
        assert not isinstance(row, Refusal), row.message  # noqa: S101  # what its test holds
        evidence = EvidenceSubmitted(
            submission_id=submission_id(_BATCH, number + 1),
            evidence_id=self._ids.evidence_id(_SCHOOL, _SCHOOL, row.source_id),
            digest=row.digest,
            batch_id=_BATCH,
            row=number + 1,
            issuer_id=_SCHOOL,
            source=_SCHOOL,
            source_id=row.source_id,
            learner_id=self._ids.learner_id(_SCHOOL, row.learner_id),
            achievement=row.achievement,
            result=row.result,
            observed_on=row.observed_on,
            activity=row.activity,
            received_at=at,
            mapping_version=MAPPING_VERSION,
        )
        return CanarySubmitted(number=number, sent_at=at, evidence=evidence)
