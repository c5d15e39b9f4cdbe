"""The documents in which rows of evidence are kept, and rows as they are read from them."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.mongo import Document
from libs.contracts.events import EvidenceDecided
from services.evidence.batches.batch import FollowingAward, NewRow, Progress, Row, RowFault
from services.evidence.batches.originals import OriginalSealing


def row_of(stored: Document) -> Row:
    """Return a row that was refused or decided."""
    return Row(
        row=stored["row"],
        source_id=stored.get("source_id"),
        state=stored["state"],
        column=stored.get("column"),
        reason=stored["reason"] or None,
        detail=stored.get("detail"),
        credential_id=stored.get("credential_id"),
        also=tuple(RowFault(**each) for each in stored.get("also", ())),
        stacked=tuple(FollowingAward(**each) for each in stored.get("stacked", ())),
        revoked=tuple(stored.get("revoked", ())),
    )


def refused_document(batch_id: UUID, issuer_id: str, row: NewRow, sealing: OriginalSealing | None) -> Document:
    """Return a row that was refused at ingestion."""
    return {
        **_row(row.submission_id, batch_id, issuer_id, row.row, 0),
        "state": row.state,
        "reason": row.reason or "",
        **_present(source_id=row.source_id, column=row.column, detail=row.detail),
        **({"also": [each._asdict() for each in row.also]} if row.also else {}),
        **_originals(batch_id, issuer_id, [row], sealing),
    }


def decided_document(event: EvidenceDecided) -> Document:
    """Return a row in the state that a decision gives it."""
    return {
        **_row(event.submission_id, event.batch_id, event.issuer_id, event.row, event.sequence),
        "source_id": event.source_id,
        "state": event.outcome.value,
        # "" for none, so that rows without a reason stand in the index's order like the others.
        "reason": event.reason or "",
        "rule_version": event.rule_version,
        "decided_at": event.decided_at,
        **_present(detail=event.detail, credential_id=event.credential_id),
        **_present(stacked=_stacked(event), revoked=None if event.revoked is None else list(event.revoked)),
    }


def _stacked(event: EvidenceDecided) -> list[Document] | None:
    if event.stacked is None:
        return None
    return [{"achievement": each.achievement, "credential_id": each.credential_id} for each in event.stacked]


def block_document(batch_id: UUID, issuer_id: str, rows: Sequence[NewRow], sealing: OriginalSealing | None) -> Document:
    """Return rows that were taken in, at least one, as they are kept together."""
    return {
        "_id": rows[0].submission_id,
        "schema": 1,
        "issuer_id": issuer_id,
        "batch_id": batch_id,
        "last": rows[-1].row,
        "rows": [
            {"row": row.row, "source_id": row.source_id, **_present(assessor=row.assessor, comment=row.comment)}
            for row in rows
        ],
        **_originals(batch_id, issuer_id, rows, sealing),
    }


def progress_fields(progress: Progress) -> Document:
    """Return how far an upload has come, as a batch keeps it."""
    return {"row": progress.row, "received": progress.received, "fingerprint": progress.fingerprint}


def _originals(
    batch_id: UUID, issuer_id: str, rows: Sequence[NewRow], sealing: OriginalSealing | None
) -> dict[str, bytes]:
    sent = [(row.row, row.original) for row in rows if row.original is not None]
    return {"originals": sealing.seal(batch_id, issuer_id, sent)} if sealing is not None and sent else {}


def _row(submission_id: UUID, batch_id: UUID, issuer_id: str, row: int, sequence: int) -> Document:
    """What every row has. `sequence` is that of its newest decision; 0 where it was refused at ingestion."""
    return {
        "_id": submission_id,
        "schema": 1,
        "issuer_id": issuer_id,
        "batch_id": batch_id,
        "row": row,
        "sequence": sequence,
    }


def _present(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
