"""What a learner's evidence and holdings make of a rule: met or not, at which level, by what, and what is missing.

The level of an award is the highest at which the rule would still be met if every level that it names were raised to
it; what names no level says nothing of it. So more evidence, in whatever order, never lowers what is earned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, NamedTuple
from uuid import UUID

from libs.contracts.results import SoloLevel
from libs.contracts.rules import All, AtLeast, Condition, EvidenceCondition, Group, HoldsCondition
from services.issuer.rules.material import HeldCredential, Piece, canonical
from services.issuer.rules.pieces import earliest, nearest, sufficient
from services.issuer.rules.words import missing_evidence, missing_group, missing_holding

_LEVELS: Final = tuple(SoloLevel)


@dataclass(frozen=True, slots=True)
class Gap:
    """One condition that is not met, of those that could still be.

    Attributes:
        at: where it stands in the rule, such as `rule.of.0`.
        words: what it lacks.
        pieces: so many more pieces of evidence.
        different: so many more different values, by their name in the rule.
        achievement: what is to be held, OWNER/ID.
        level: the level that counts, of the evidence or of what is to be held.
    """

    at: str
    words: str
    pieces: int = 0
    different: tuple[tuple[str, int], ...] = ()
    achievement: str | None = None
    level: SoloLevel | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What became of a rule.

    Attributes:
        level: that of the award; None where it is not met, or nothing in it says a level.
        evidence: the pieces that it is met by, in canonical order: the earliest that suffice.
        credentials: what is held and counts.
        gaps: what is missing, condition by condition.
        missing: the same in words; None where it is met.
    """

    met: bool
    level: SoloLevel | None
    evidence: tuple[UUID, ...]
    credentials: tuple[UUID, ...]
    gaps: tuple[Gap, ...]
    missing: str | None


class _Met(NamedTuple):
    """A rule is met, at this level; at None where it says nothing of a level."""

    level: SoloLevel | None


def evaluate(rule: Condition | Group, pieces: Iterable[Piece], held: Iterable[HeldCredential]) -> Evaluation:
    """Return what these make of a rule, the same in whatever order they are given.

    Args:
        rule: of one version of an achievement; its conditions on holdings name OWNER/ID.
        pieces: the learner's evidence for the achievement, each once.
        held: what the learner holds, each once.
    """
    return _Evaluator(pieces, held).evaluate(rule)


class _Evaluator:
    def __init__(self, pieces: Iterable[Piece], held: Iterable[HeldCredential]) -> None:
        self._pieces: Sequence[Piece] = sorted(pieces, key=canonical)
        self._held = sorted(held, key=lambda each: (-_rank(each.level), each.credential_id))
        # By the place in memory of each part of the rule, which outlives this: asked for again by every group above it.
        self._grades: dict[int, _Met | None] = {}
        self._windows: dict[tuple[int, SoloLevel | None], Sequence[Piece]] = {}

    def evaluate(self, rule: Condition | Group) -> Evaluation:
        met = self._grade(rule)
        if met is None:
            gaps: list[Gap] = []
            missing = self._missing(rule, "rule", gaps)
            return Evaluation(False, None, (), (), tuple(gaps), missing)
        pieces: dict[UUID, Piece] = {}
        credentials: set[UUID] = set()
        self._use(rule, met.level, pieces, credentials)
        used = tuple(each.evidence_id for each in sorted(pieces.values(), key=canonical))
        return Evaluation(True, met.level, used, tuple(sorted(credentials)), (), None)

    def _grade(self, rule: Condition | Group) -> _Met | None:
        if id(rule) not in self._grades:
            self._grades[id(rule)] = self._graded(rule)
        return self._grades[id(rule)]

    def _graded(self, rule: Condition | Group) -> _Met | None:
        if isinstance(rule, EvidenceCondition):
            return self._grade_evidence(rule)
        if isinstance(rule, HoldsCondition):
            return None if self._holding(rule) is None else _Met(None)
        grades = [self._grade(each) for each in rule.of]
        met = [each.level for each in grades if each is not None]
        needed = _needed(rule)
        if len(met) < needed:
            return None
        levels = sorted((level for level in met if level is not None), key=lambda level: -level.rank)
        if not levels:
            return _Met(None)
        # What says nothing of a level takes the place of one that would say a lower one.
        return _Met(levels[max(1, needed - (len(met) - len(levels))) - 1])

    def _grade_evidence(self, asked: EvidenceCondition) -> _Met | None:
        if asked.level is None:
            return _Met(None) if self._sufficient(asked, None) else None
        # What is not met at one level is met at no higher one.
        met = list(takewhile(lambda level: self._sufficient(asked, level), _from(asked.level)))
        return _Met(met[-1]) if met else None

    def _sufficient(self, asked: EvidenceCondition, least: SoloLevel | None) -> Sequence[Piece]:
        key = id(asked), least
        if key not in self._windows:
            self._windows[key] = sufficient(asked, least, self._pieces)
        return self._windows[key]

    def _holding(self, asked: HoldsCondition) -> HeldCredential | None:
        """Return the highest credential that meets it."""
        return next(
            (
                each
                for each in self._held
                if each.achievement == asked.achievement and _rank(each.level) >= _rank(asked.level)
            ),
            None,
        )

    def _use(
        self, rule: Condition | Group, level: SoloLevel | None, pieces: dict[UUID, Piece], credentials: set[UUID]
    ) -> None:
        """Add what meets a rule that is met at this level."""
        if isinstance(rule, EvidenceCondition):
            least = None if rule.level is None else level
            pieces.update((each.evidence_id, each) for each in earliest(rule, self._sufficient(rule, least)))
        elif isinstance(rule, HoldsCondition):
            holding = self._holding(rule)
            credentials.update([] if holding is None else [holding.credential_id])
        else:
            grades = [(each, grade) for each in rule.of if (grade := self._grade(each)) is not None]
            levelled = [each for each, grade in grades if grade.level is not None and _reaches(grade.level, level)]
            others = [each for each, grade in grades if grade.level is None]
            for each in [*levelled, *others][: _needed(rule)]:
                self._use(each, level, pieces, credentials)

    def _missing(self, rule: Condition | Group, at: str, gaps: list[Gap]) -> str:
        """Return in words what a rule that is not met lacks, and add the conditions that lack it to `gaps`."""
        if isinstance(rule, EvidenceCondition):
            lacks = nearest(rule, self._pieces)
            words = missing_evidence(rule, lacks.pieces, lacks.different)
            gaps.append(Gap(at, words, lacks.pieces, tuple(lacks.different.items()), level=rule.level))
            return words
        if isinstance(rule, HoldsCondition):
            words = missing_holding(rule)
            gaps.append(Gap(at, words, achievement=rule.achievement, level=rule.level))
            return words
        unmet = [(number, each) for number, each in enumerate(rule.of) if self._grade(each) is None]
        words_of = [self._missing(each, f"{at}.of.{number}", gaps) for number, each in unmet]
        return missing_group(words_of, _needed(rule) - (len(rule.of) - len(unmet)))


def _from(level: SoloLevel) -> tuple[SoloLevel, ...]:
    return _LEVELS[level.rank :]


def _needed(rule: Group) -> int:
    if isinstance(rule, All):
        return len(rule.of)
    return rule.n if isinstance(rule, AtLeast) else 1


def _rank(level: SoloLevel | None) -> int:
    return -1 if level is None else level.rank


def _reaches(level: SoloLevel, least: SoloLevel | None) -> bool:
    return level.rank >= _rank(least)
