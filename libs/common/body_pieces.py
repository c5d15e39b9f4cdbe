"""The pieces in which a request's body comes: handed on together as one read brings them, and none too small. Pure."""

from typing import Final

_FREE: Final = 1_000
"""Pieces of any size: clients that write line by line have more, and short ones at the end."""
_LEAST: Final = 32
"""Bytes of the others on average. A piece costs as much as a kilobyte, however small it is."""


class Pieces:
    """The pieces of one connection's bodies, one body after the other."""

    def __init__(self) -> None:
        self._gathered: list[bytes] = []
        self._count = self._size = 0

    def begin(self) -> None:
        """Count anew: the next piece is of another body."""
        self._gathered.clear()
        self._count = self._size = 0

    def add(self, piece: bytes) -> bool:
        """Take a piece, and return whether the body may go on so: not in many that are too small on average."""
        self._count += 1
        self._size += len(piece)
        self._gathered.append(piece)
        return self._count <= _FREE or self._size >= self._count * _LEAST

    def take(self) -> bytes:
        """Return what has come since it was last asked for, in one piece; empty where nothing has."""
        pieces, self._gathered = self._gathered, []
        return b"".join(pieces)
