"""Rows of evidence as a decision makes them, and as their sender reads them."""

from datetime import UTC, datetime
from uuid import uuid4

from libs.contracts.events import EvidenceDecided, Outcome, StackedAward
from services.evidence.batches.documents import decided_document, row_of
from services.evidence.batches.views import RowView


def test_a_row_names_what_came_with_it_and_what_went_with_its_withdrawal() -> None:
    followed = StackedAward(achievement="wattle/character/1", credential_id=uuid4(), evidence=(uuid4(),))
    event = EvidenceDecided(
        submission_id=uuid4(),
        evidence_id=uuid4(),
        batch_id=uuid4(),
        row=3,
        issuer_id="wattle",
        source_id="e3",
        learner_id=uuid4(),
        sequence=2,
        outcome=Outcome.WITHDRAWN,
        reason="corrected",
        rule_version="wattle/wit/1, rules 5",
        stacked=(followed,),
        revoked=(uuid4(),),
        decided_at=datetime(2026, 11, 28, tzinfo=UTC),
    )
    row = row_of(decided_document(event))
    assert (row.state, row.stacked) == ("withdrawn", (("wattle/character/1", followed.credential_id),))
    assert row.revoked == event.revoked
    view = RowView.of(row, is_sheet=False)
    assert [each.credential_id for each in view.stacked] == [followed.credential_id]
