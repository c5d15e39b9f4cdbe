"""How decisions are named in MongoDB: batch, row and sequence in 22 bytes, which stand in that order."""

from uuid import UUID

from services.issuer.decision_ids import DecisionId, PieceId

# BSON compares binary values of one length byte by byte, so these stand in the order of batch, row, sequence.
_ROW_BYTES, SEQUENCE_BYTES = 4, 2
LAST = 256**SEQUENCE_BYTES - 1
"""The highest sequence that a decision can have."""


def piece_key(piece: PieceId) -> bytes:
    """Return what all decisions on a piece begin with."""
    return piece.batch_id.bytes + piece.row.to_bytes(_ROW_BYTES)


def decision_key(decision_id: DecisionId) -> bytes:
    """Return the `_id` of a decision."""
    return piece_key(decision_id.piece) + decision_id.sequence.to_bytes(SEQUENCE_BYTES)


def piece_of(key: bytes) -> PieceId:
    """Return the piece that a key of either kind names."""
    return PieceId(UUID(bytes=key[:16]), int.from_bytes(key[16 : 16 + _ROW_BYTES]))
