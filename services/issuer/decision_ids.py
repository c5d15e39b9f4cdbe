"""What names a piece of evidence, and a decision on it."""

from typing import NamedTuple
from uuid import UUID


class PieceId(NamedTuple):
    """One sending of a piece of evidence: a row of a batch, which its submission id is derived from."""

    batch_id: UUID
    row: int


class DecisionId(NamedTuple):
    """One decision on a piece: 1 is the first, a higher sequence takes precedence."""

    batch_id: UUID
    row: int
    sequence: int

    @property
    def piece(self) -> PieceId:
        """Return the piece that was decided on."""
        return PieceId(self.batch_id, self.row)
