"""What a rule is held against: a learner's evidence for the achievement, and what the learner holds."""

from collections.abc import Callable, Mapping
from datetime import date
from operator import attrgetter
from typing import Final, NamedTuple, Protocol
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


VALUES: Final[Mapping[str, Callable[[Piece], object]]] = {
    "activities": attrgetter("activity"),
    "classes": attrgetter("class_id"),
    "terms": attrgetter("term"),
    "assessors": attrgetter("assessor_id"),
}
"""What a piece has of the values that are to differ, named as in the rule; None where it was not said."""
