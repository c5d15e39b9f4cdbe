"""Which pieces of evidence meet one condition: the earliest that suffice, or how far the best ones are from it.

The pieces that may count together are a window that moves over all of them, which takes one look at each, however many.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from libs.contracts.results import SoloLevel
from libs.contracts.rules import ONE_TERM, EvidenceCondition, first_day
from services.issuer.rules.material import VALUES, Piece, canonical


class Lacking(NamedTuple):
    """So many more pieces a condition asks for, and so many more different values by their name in the rule."""

    pieces: int
    different: dict[str, int]

    @property
    def total(self) -> int:
        """Return how far that is: nothing where the condition is met."""
        return self.pieces + sum(self.different.values())


class _Window:
    """Pieces that count together, with how many there are of each value that is to differ."""

    __slots__ = ("_counts", "_least", "pieces")

    def __init__(self, asked: EvidenceCondition) -> None:
        self._least = asked.pieces
        self.pieces: deque[Piece] = deque()
        self._counts: list[tuple[str, int, Callable[[Piece], object], dict[object, int]]] = [
            (name, number, VALUES[name], {}) for name, number in asked.different.items()
        ]

    def add(self, piece: Piece) -> None:
        self.pieces.append(piece)
        for _, _, value_of, counts in self._counts:
            if (value := value_of(piece)) is not None:
                counts[value] = counts.get(value, 0) + 1

    def drop_first(self) -> None:
        piece = self.pieces.popleft()
        for _, _, value_of, counts in self._counts:
            if (value := value_of(piece)) is not None:
                counts[value] -= 1
                if not counts[value]:
                    del counts[value]

    def suffices(self) -> bool:
        if len(self.pieces) < self._least:
            return False
        return all(len(counts) >= number for _, number, _, counts in self._counts)

    def lacking(self) -> Lacking:
        different = {name: number - len(counts) for name, number, _, counts in self._counts if number > len(counts)}
        return Lacking(max(0, self._least - len(self.pieces)), different)


def sufficient(asked: EvidenceCondition, least: SoloLevel | None, pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces that stood close enough together when a condition was first met; none where it is not.

    Args:
        asked: the condition.
        least: the level that pieces need, where it is higher than the condition's own.
        pieces: in their canonical order.
    """
    counting = _counting(asked, least, pieces)
    if len(counting) < asked.pieces:
        return []
    if asked.within is None and not asked.different:
        return counting[: asked.pieces]
    for window in _windows(asked, counting):
        if window.suffices():
            return list(window.pieces)
    return []


def earliest(asked: EvidenceCondition, window: Sequence[Piece]) -> Sequence[Piece]:
    """Return the earliest of the pieces that were sufficient, as few as a condition asks for.

    Each that brought a value that was still to differ, then the earliest others. Of several terms the pieces were
    sufficient in the one in which that was so first.
    """
    return window if len(window) == asked.pieces else _chosen(asked, window)


def nearest(asked: EvidenceCondition, pieces: Sequence[Piece]) -> Lacking:
    """Return how far the pieces that are nearest to meeting a condition are from it; of equals the latest."""
    best = _Window(asked).lacking()
    for window in _windows(asked, _counting(asked, None, pieces)):
        best = min(window.lacking(), best, key=lambda each: each.total)
    return best


def _counting(asked: EvidenceCondition, least: SoloLevel | None, pieces: Sequence[Piece]) -> list[Piece]:
    if asked.score is not None:
        return [each for each in pieces if each.score is not None and each.score >= asked.score]
    if asked.level is None:
        return list(pieces)
    rank = max(asked.level.rank, -1 if least is None else least.rank)
    return [each for each in pieces if each.level is not None and each.level.rank >= rank]


def _windows(asked: EvidenceCondition, counting: Sequence[Piece]) -> Iterator[_Window]:
    """Yield, for each piece in turn as the last, the pieces that stand close enough together to count with it."""
    if asked.within is None:
        window = _Window(asked)
        for piece in counting:
            window.add(piece)
            yield window
        return
    if asked.within == ONE_TERM:
        terms: dict[str, _Window] = {}
        for piece in counting:
            if piece.term is not None:
                window = terms.get(piece.term) or terms.setdefault(piece.term, _Window(asked))
                window.add(piece)
                yield window
        return
    window = _Window(asked)
    for piece in counting:
        window.add(piece)
        first = first_day(asked.within, piece.observed_on)
        while window.pieces[0].observed_on < first:
            window.drop_first()
        yield window


def _chosen(asked: EvidenceCondition, window: Sequence[Piece]) -> list[Piece]:
    seen: dict[str, set[object]] = {name: set() for name in asked.different}
    chosen: list[Piece] = []
    others: list[Piece] = []
    for each in window:
        new = [
            (name, value)
            for name, number in asked.different.items()
            if number > len(seen[name]) and (value := VALUES[name](each)) is not None and value not in seen[name]
        ]
        for name, value in new:
            seen[name].add(value)
        (chosen if new else others).append(each)
    return sorted([*chosen, *others[: max(0, asked.pieces - len(chosen))]], key=canonical)
