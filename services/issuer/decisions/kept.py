"""Evidence that is kept to count together: of one learner for one achievement, as far as it can still matter."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from libs.contracts.events import Counted, EvidenceSubmitted
from libs.contracts.ids import Ids
from libs.contracts.results import SoloLevel

MOST_KEPT: Final = 100
"""So many pieces are kept of a learner for an achievement, the best; of equals the newest."""
MOST_NOTED: Final = 20
"""So many awards are noted with what they were made of, the newest."""


class KeptPiece(NamedTuple):
    """A piece of evidence, as far as rules ask about it and a school needs to find it; it holds no text.

    Attributes:
        source: with `source_id`, what the school calls the piece.
        activity: tells equal activities from different ones (`Ids.activity_id`).
    """

    evidence_id: UUID
    source: str
    source_id: str
    level: SoloLevel | None
    score: float | None
    observed_on: date
    activity: UUID
    class_id: str | None
    term: str | None
    assessor_id: UUID | None

    @classmethod
    def of(cls, evidence: EvidenceSubmitted, ids: Ids) -> "KeptPiece":
        """Return what is kept of a piece."""
        return cls(
            evidence_id=evidence.evidence_id,
            source=evidence.source,
            source_id=evidence.source_id,
            level=evidence.result.level,
            score=evidence.result.score,
            observed_on=evidence.observed_on,
            activity=ids.activity_id(evidence.issuer_id, evidence.activity),
            class_id=evidence.class_id,
            term=evidence.term,
            assessor_id=evidence.assessor_id,
        )

    @property
    def worth(self) -> tuple[int, float, date, UUID]:
        """Return what puts pieces into the order of their worth, the least first."""
        return (
            -1 if self.level is None else self.level.rank,
            -1.0 if self.score is None else self.score,
            self.observed_on,
            self.evidence_id,
        )


class NotedAward(NamedTuple):
    """What an award was made of: should it be revoked, that counts for no other."""

    credential_id: UUID
    counted: Counted


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a learner for an achievement whose rule counts evidence together, or asks for what is held.

    Attributes:
        holding_id: what the awards belong to (`libs.contracts.ids`).
        achievement: OWNER/ID.
        version: how often it was stored; storing it refuses whoever read another version.
        pieces: in the order of their ids, so that whatever came first, the same is stored.
    """

    holding_id: UUID
    issuer_id: str
    learner_id: UUID
    achievement: str
    version: int = 0
    pieces: tuple[KeptPiece, ...] = ()
    awards: tuple[NotedAward, ...] = ()

    @property
    def says_something(self) -> bool:
        """Return whether there is a piece or an award in it: some are stored so that others are refused alone."""
        return bool(self.pieces or self.awards)

    def with_piece(self, piece: KeptPiece) -> "Kept":
        """Return it with this piece, without the piece of least worth where there are too many."""
        pieces = {each.evidence_id: each for each in (*self.pieces, piece)}
        best = sorted(pieces.values(), key=lambda each: each.worth)[-MOST_KEPT:]
        return replace(self, pieces=tuple(sorted(best, key=lambda each: each.evidence_id)))

    def without_piece(self, evidence_id: UUID) -> "Kept":
        """Return it without this piece."""
        return replace(self, pieces=tuple(each for each in self.pieces if each.evidence_id != evidence_id))

    def with_award(self, credential_id: UUID, counted: Counted) -> "Kept":
        """Return it with the note of an award."""
        others = [each for each in self.awards if each.credential_id != credential_id]
        return replace(self, awards=(*others, NotedAward(credential_id, counted))[-MOST_NOTED:])

    def spent(self, standing: Collection[UUID]) -> tuple[set[UUID], set[UUID]]:
        """Return the pieces and the credentials that awards were made of that are not among these, being revoked."""
        closed = [each.counted for each in self.awards if each.credential_id not in standing]
        pieces = {piece for each in closed for piece in each.evidence}
        return pieces, {credential for each in closed for credential in each.credentials}
