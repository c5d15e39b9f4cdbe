"""Which pieces of evidence meet one condition: the earliest that suffice, or how far the best ones are from it.

The pieces that may count together are a window that moves over all of them, which takes one look at each, however many.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from libs.contracts.results import SoloLevel
from libs.contracts.rules import ONE_TERM, EvidenceCondition, first_day
from services.issuer.rules.material import Piece, canonical, value_of


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

    def __init__(self, asked: EvidenceCondition) -> None:
        self._asked = asked
        self.pieces: deque[Piece] = deque()
        self._values: dict[str, Counter[object]] = {name: Counter() for name in asked.different}
        self._numbers = [(self._values[name], number) for name, number in asked.different.items()]

    def add(self, piece: Piece) -> None:
        self.pieces.append(piece)
        for name, values in self._values.items():
            if (value := value_of(piece, name)) is not None:
                values[value] += 1

    def drop_first(self) -> None:
        piece = self.pieces.popleft()
        for name, values in self._values.items():
            if (value := value_of(piece, name)) is not None:
                values[value] -= 1
                if not values[value]:
                    del values[value]

    def suffices(self) -> bool:
        return len(self.pieces) >= self._asked.pieces and all(len(each) >= number for each, number in self._numbers)

    def lacking(self) -> Lacking:
        different = {
            name: number - len(self._values[name])
            for name, number in self._asked.different.items()
            if number > len(self._values[name])
        }
        return Lacking(max(0, self._asked.pieces - len(self.pieces)), different)


def earliest(asked: EvidenceCondition, least: SoloLevel | None, pieces: Sequence[Piece]) -> list[Piece]:
    """Return the earliest pieces that meet a condition, as few as it asks for; none where it is not met.

    Of the pieces up to the first day on which it was met: each that brought a value that was still to differ, then the
    earliest others. Of several terms that of the first such day.

    Args:
        asked: the condition.
        least: the level that pieces need, where it is higher than the condition's own.
        pieces: in their canonical order.
    """
    counting = _counting(asked, least, pieces)
    for window in _windows(asked, counting) if len(counting) >= asked.pieces else ():
        if window.suffices():
            return _chosen(asked, list(window.pieces))
    return []


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
    terms: dict[str | None, _Window] = {}
    for piece in counting:
        term = piece.term if asked.within == ONE_TERM else None
        if asked.within == ONE_TERM and term is None:
            continue
        window = terms.setdefault(term, _Window(asked))
        window.add(piece)
        if asked.within not in {None, ONE_TERM}:
            first = first_day(asked.within or "", piece.observed_on)
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
            if number > len(seen[name]) and (value := value_of(each, name)) is not None and value not in seen[name]
        ]
        for name, value in new:
            seen[name].add(value)
        (chosen if new else others).append(each)
    return sorted([*chosen, *others[: max(0, asked.pieces - len(chosen))]], key=canonical)
