"""What a rule is held against: a learner's evidence for the achievement, and what the learner holds."""

from datetime import date
from typing import NamedTuple, Protocol
from uuid import UUID

from libs.contracts.results import SoloLevel


class Piece(Protocol):
    """A piece of evidence, as far as rules ask about it. It has a level or a score."""

    @property
    def evidence_id(self) -> UUID: ...
    @property
    def level(self) -> SoloLevel | None: ...
    @property
    def score(self) -> float | None: ...
    @property
    def observed_on(self) -> date: ...
    @property
    def activity(self) -> UUID | None: ...
    @property
    def class_id(self) -> str | None: ...
    @property
    def term(self) -> str | None: ...
    @property
    def assessor_id(self) -> UUID | None: ...


class HeldCredential(NamedTuple):
    """A credential of the learner that is active, of the achievement OWNER/ID."""

    achievement: str
    credential_id: UUID
    level: SoloLevel | None


def canonical(piece: Piece) -> tuple[date, UUID]:
    """Return what puts pieces into one order, however they came: their day, then their id."""
    return piece.observed_on, piece.evidence_id


def value_of(piece: Piece, name: str) -> object:
    """Return what a piece has of the values that are to differ, named as in the rule; None where it was not said."""
    match name:
        case "activities":
            return piece.activity
        case "classes":
            return piece.class_id
        case "terms":
            return piece.term
    return piece.assessor_id
