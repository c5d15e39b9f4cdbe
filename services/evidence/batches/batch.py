"""What a batch is: its states, its rows, and how its numbers are told. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from libs.contracts.events import ByHand, Outcome
from services.evidence.batches.originals import Original
from services.evidence.sources.refusals import Reason

PENDING = "pending"
# In the order in which people ask for them.
ROW_STATES = (PENDING, *Outcome)


# An upload whose lease is this old counts as dead, and the same file under the same key may be sent again. Should the
# dead one wake up after all, both write the same rows under the same ids until it sees that its lease is gone.
LEASE = timedelta(seconds=10)
# Rows that are refused for these were never to be decided.
_WHEN_READ = frozenset(map(str, Reason))
# What would take longer stands still.
_LONGEST_ESTIMATE = timedelta(days=30)
DIED = "The upload stopped before its end; send it again. What was decided of it will be recognised."


class BatchState(StrEnum):
    """Where an upload stands. Only `accepted` was acknowledged to its sender."""

    RECEIVING = "receiving"
    ACCEPTED = "accepted"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Upload:
    """Who sends what: the sender's key for it makes its repetition the same batch. With `by_hand` all is awarded so."""

    issuer_id: str
    source: str
    format: str
    trace: str
    idempotency_key: str | None = None
    by_hand: ByHand | None = None

    @property
    def fingerprint_key(self) -> str | None:
        """Return what the rows are told from others under: under one key all are awarded on the same terms."""
        return self.idempotency_key if self.by_hand is None else f"{self.idempotency_key} {self.by_hand.terms}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is proven to be on Kafka and stored: its last such row, how many, and their fingerprint."""

    row: int = 0
    received: int = 0
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class UploadLease:
    """The right to write a batch, held by one upload at a time, and what earlier uploads of it have done.

    `announced` is how far the rows go that may be on Kafka, whether or not they are stored. `begins` says that there
    was no upload of this batch before.
    """

    batch_id: UUID
    upload: UUID
    created_at: datetime
    progress: Progress
    announced: Progress
    accepted: bool
    begins: bool = False


class RowWarning(NamedTuple):
    """What warns of a row that was taken: its column, a stable code, and a message that repeats nothing of the row."""

    column: str | None
    reason: str
    detail: str


class RowFault(NamedTuple):
    """What is wrong with a row that was refused: its column, a stable code, and a message without the row's text."""

    column: str | None
    reason: str
    detail: str


class FollowingAward(NamedTuple):
    """A credential that followed from what a row has earned, of the achievement OWNER/ID/VERSION."""

    achievement: str
    credential_id: UUID


@dataclass(frozen=True, slots=True)
class Row:
    """One row as its sender may read it; `also` are its faults beside the first, which refused it.

    `stacked` followed from what it has earned; `revoked` rested on it and went when it was withdrawn.
    """

    row: int
    source_id: str | None
    state: str
    column: str | None = None
    reason: str | None = None
    detail: str | None = None
    credential_id: UUID | None = None
    warnings: tuple[RowWarning, ...] = ()
    also: tuple[RowFault, ...] = ()
    stacked: tuple[FollowingAward, ...] = ()
    revoked: tuple[UUID, ...] = ()

    @property
    def faults(self) -> tuple[RowFault, ...]:
        """Return all that is wrong with it: none where it is not refused."""
        if self.state != Outcome.REFUSED or self.reason is None:
            return ()
        return (RowFault(self.column, self.reason, self.detail or ""), *self.also)


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row that was refused, with what was sent as far as that is kept."""

    row: Row
    sent: Original


class NewRow(NamedTuple):
    """A row to be stored: what is known of it when it comes in, and what never leaves this database."""

    submission_id: UUID
    row: int
    source_id: str | None
    state: str
    column: str | None = None
    reason: str | None = None
    detail: str | None = None
    assessor: str | None = None
    comment: str | None = None
    warnings: tuple[RowWarning, ...] = ()
    also: tuple[RowFault, ...] = ()
    original: Original | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows by state and reason, counted at one moment. `received` is their sum: the numbers add up by definition."""

    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def of(cls, counted: Iterable[tuple[str, str | None, int]]) -> "Tally":
        """From (state, reason or none, how many)."""
        return cls({(state, reason or ""): count for state, reason, count in counted})

    @property
    def received(self) -> int:
        return sum(self.counts.values())

    @property
    def by_state(self) -> dict[str, int]:
        """Every state, those without a row included."""
        totals = dict.fromkeys(map(str, ROW_STATES), 0)
        for (state, _reason), count in self.counts.items():
            totals[state] = totals.get(state, 0) + count
        return totals

    @property
    def by_reason(self) -> dict[str, dict[str, int]]:
        """State, then reason; states whose rows have no reasons are left out."""
        reasons: dict[str, dict[str, int]] = {}
        for (state, reason), count in sorted(self.counts.items()):
            if reason:
                reasons.setdefault(state, {})[reason] = count
        return reasons


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and its numbers, as of one moment. `warnings` counts the rows that each code warns of."""

    batch_id: UUID
    state: BatchState
    source: str
    format: str
    created_at: datetime
    accepted_at: datetime | None
    problem: str | None
    tally: Tally
    warnings: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def as_sent(cls, lease: UploadLease, upload: Upload, rows: Sequence[NewRow], accepted_at: datetime) -> "Batch":
        """Return a batch whose rows are all of one upload, as it is accepted: refused at ingestion, or pending."""
        counts = Counter((row.state, row.reason or "") for row in rows)
        warnings = Counter(reason for row in rows for reason in {each.reason for each in row.warnings})
        return cls(
            batch_id=lease.batch_id,
            state=BatchState.ACCEPTED,
            source=upload.source,
            format=upload.format,
            created_at=lease.created_at,
            accepted_at=accepted_at,
            problem=None,
            tally=Tally(dict(counts)),
            warnings=dict(sorted(warnings.items())),
        )

    @property
    def settled(self) -> bool:
        """Whether each row that is in has a decision that does not wait for anything."""
        return self.tally.by_state[PENDING] + self.tally.by_state[Outcome.WAITING] == 0

    def rate(self, now: datetime) -> float | None:
        """Return how many rows a second were decided since the batch began; None where none was, or none is pending."""
        pending = self.tally.by_state[PENDING]
        unread = sum(count for (_, reason), count in self.tally.counts.items() if reason in _WHEN_READ)
        done, seconds = self.tally.received - pending - unread, (now - self.created_at).total_seconds()
        return done / seconds if pending and done and seconds > 0 else None

    def estimated_finish(self, now: datetime) -> datetime | None:
        """Return when no row is pending any more, should it go on at the rate so far; None where nobody can say."""
        rate = self.rate(now)
        if rate is None or self.state is not BatchState.ACCEPTED:
            return None
        seconds = self.tally.by_state[PENDING] / rate
        return None if seconds > _LONGEST_ESTIMATE.total_seconds() else now + timedelta(seconds=seconds)

    @property
    def complete(self) -> bool:
        """Whether all rows are in and settled."""
        return self.state is BatchState.ACCEPTED and self.settled
