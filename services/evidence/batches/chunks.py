"""Turns the rows of a chunk into the events to publish and the rows to store. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from libs.common.contact_details import ContactPolicy
from libs.contracts.cloudevents import body_of
from libs.contracts.events import BatchStored, ByHand, EvidenceSubmitted, LearnerContact, Outcome
from libs.contracts.ids import Ids, submission_id
from libs.contracts.proofs import Proofs
from libs.contracts.unchecked import unchecked
from services.evidence.batches import metrics
from services.evidence.batches.batch import PENDING, NewRow, RowFault, RowWarning, Upload
from services.evidence.batches.originals import Original, kept_of
from services.evidence.batches.row_checks import RowChecks
from services.evidence.batches.submissions import packed
from services.evidence.sources.reader import RawRow
from services.evidence.sources.refusals import Refusal
from services.evidence.sources.rows import MAPPING_VERSION, Submission, presentable_source_id

# Contacts of this many learners are remembered within an upload, so that each is published once, not with every row.
_CONTACTS_REMEMBERED = 20_000
_ASSESSORS_REMEMBERED = 1_000

_submitted = unchecked(EvidenceSubmitted)


@dataclass(slots=True)
class Chunk:
    """What one chunk causes, in the order of the steps: contacts, submissions, rows.

    `contacts_topic` is the id of the topic that the contacts went to, once they are to go.
    `bodies` are the submissions as they are written, `packed` is all of them in small; `stored` is what is published of
    the rows for a database that is set back. `confirmed` names what Kafka has confirmed of these: where a later step is
    done again, it is not published anew.
    """

    contacts: dict[UUID, LearnerContact] = field(default_factory=dict)
    contacts_topic: str | None = None
    submissions: list[EvidenceSubmitted] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    packed: bytes = b""
    rows: list[NewRow] = field(default_factory=list)
    stored: list[BatchStored] = field(default_factory=list)
    confirmed: set[str] = field(default_factory=set)


class Chunker:
    """Reads the rows of one upload, chunk by chunk."""

    def __init__(
        self,
        upload: Upload,
        batch_id: UUID,
        ids: Ids,
        proofs: Proofs,
        contact_policy: ContactPolicy = ContactPolicy.WARN,
        *,
        bulk: bool = False,
        local: bool = False,
    ) -> None:
        self.checks = RowChecks(contact_policy, local=local)
        self._upload = upload
        self._bulk = bulk or None
        self._batch_id = batch_id
        self._ids = ids
        self._proofs = proofs
        self._contacts: dict[UUID, int] = {}
        self._assessors: dict[str, UUID] = {}

    def chunk(self, raws: Sequence[RawRow], now: datetime) -> Chunk:
        """What these rows cause; `now` becomes their time of receipt."""
        chunk, refused = Chunk(), Counter[str]()
        today = now.date()
        for number, fields in raws:
            row = self.checks.check((number, fields), today)
            piece_id = submission_id(self._batch_id, number)
            if isinstance(row, Refusal):
                sent = fields.sent if isinstance(fields, Refusal) else fields
                chunk.rows.append(_refused(piece_id, number, sent, row))
                refused[row.reason.value] += 1
            else:
                assert not isinstance(fields, Refusal)  # noqa: S101  # else the row would be one
                taken = self._take(chunk, piece_id, number, row, now)
                chunk.rows.append(taken._replace(original=kept_of(fields, taken=True)))
        for outcome, rows in {"taken": len(chunk.submissions), **refused}.items():
            metrics.ROWS.labels(outcome).inc(rows)
        chunk.bodies = list(map(body_of, chunk.submissions))
        chunk.packed = packed(chunk.bodies)
        return chunk

    def _take(self, chunk: Chunk, piece_id: UUID, number: int, row: Submission, now: datetime) -> NewRow:
        issuer_id, by_hand = self._upload.issuer_id, self._upload.by_hand
        learner_id = self._ids.learner_id(issuer_id, row.learner_id)
        if row.learner_email is not None:
            # A name alone reaches nobody, so it is not kept; and on a compacted topic, where the last record stays, it
            # would take the place of an address that an earlier file gave.
            self._remember_contact(chunk, learner_id, row, now)
        event = _submitted(
            submission_id=piece_id,
            evidence_id=self._ids.evidence_id(issuer_id, self._upload.source, row.source_id),
            digest=row.digest if by_hand is None else _digest(row.digest, by_hand),
            batch_id=self._batch_id,
            row=number,
            issuer_id=issuer_id,
            source=self._upload.source,
            source_id=row.source_id,
            learner_id=learner_id,
            achievement=row.achievement,
            result=row.result,
            observed_on=row.observed_on,
            activity=row.activity,
            link=row.link,
            class_id=row.class_id,
            term=row.term,
            assessor_id=None if row.assessor is None else self._assessor_id(row.assessor),
            received_at=now,
            mapping_version=MAPPING_VERSION,
            by_hand=by_hand,
            bulk=self._bulk,
        )
        if event.supersedes is not None:
            # What ends another credential is asked for here alone: whoever else can write to the topic cannot.
            event = self._proofs.proven(EvidenceSubmitted(**dict(event)))
        chunk.submissions.append(event)
        warnings = tuple(RowWarning(each.column, each.reason.value, each.message) for each in row.warnings)
        return NewRow(
            piece_id, number, row.source_id, PENDING, assessor=row.assessor, comment=row.comment, warnings=warnings
        )

    def _assessor_id(self, assessor: str) -> UUID:
        """Return the reference to an assessor, which is derived once for the many rows that a file has of each."""
        known = self._assessors.get(assessor)
        if known is None:
            if len(self._assessors) >= _ASSESSORS_REMEMBERED:
                self._assessors.clear()
            known = self._assessors[assessor] = self._ids.assessor_id(self._upload.issuer_id, assessor)
        return known

    def _remember_contact(self, chunk: Chunk, learner_id: UUID, row: Submission, now: datetime) -> None:
        said = hash((row.learner_name, row.learner_email))
        if self._contacts.get(learner_id) == said:
            return
        if len(self._contacts) >= _CONTACTS_REMEMBERED:
            self._contacts.clear()
        self._contacts[learner_id] = said
        before = chunk.contacts.get(learner_id)
        chunk.contacts[learner_id] = LearnerContact(
            learner_id=learner_id,
            issuer_id=self._upload.issuer_id,
            name=row.learner_name or (before.name if before else None),
            email=row.learner_email,
            changed_at=now,
        )


def _digest(digest: str, by_hand: ByHand) -> str:
    """Return the digest of a row that is awarded by hand: other content than the same row as evidence."""
    return sha256(f"{digest} by hand {by_hand.terms}".encode()).hexdigest()


def _refused(piece_id: UUID, number: int, sent: Original | None, refusal: Refusal) -> NewRow:
    return NewRow(
        piece_id,
        number,
        None if sent is None else presentable_source_id(sent),
        Outcome.REFUSED.value,
        column=refusal.column,
        reason=refusal.reason.value,
        detail=refusal.message,
        also=tuple(RowFault(each.column, each.reason.value, each.message) for each in refusal.also),
        original=kept_of(sent, taken=False),
    )
