"""Rules in words, for people who read what earns an achievement, or what a learner still lacks. Pure.

`relational or above in at least two activities within one term, and holds teamwork`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from libs.contracts.results import SoloLevel
from libs.contracts.rules import (
    ONE_TERM,
    All,
    AtLeast,
    Condition,
    EvidenceCondition,
    Group,
    HoldsCondition,
)
from libs.openbadges.issue.achievements import number_text

_NUMBERS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_UNITS: Final = {"D": "day", "W": "week", "M": "month", "Y": "year"}
_DIFFERENT: Final = {
    "activities": ("in", "activity", "activities"),
    "classes": ("in", "class", "classes"),
    "assessors": ("by", "assessor", "assessors"),
    "terms": ("in", "term", "terms"),
}


def rule_words(rule: Condition | Group) -> str:
    """Return what a rule asks for."""
    if isinstance(rule, EvidenceCondition):
        return _evidence(rule)
    if isinstance(rule, HoldsCondition):
        return _holds(rule)
    members = [rule_words(each) if _is_plain(each) else f"({rule_words(each)})" for each in rule.of]
    if isinstance(rule, All):
        return _listed(members, "and")
    if isinstance(rule, AtLeast):
        return f"at least {_number(rule.n)} of: {'; '.join(members)}"
    return members[0] if len(members) == 1 else f"either {_listed(members, 'or')}"


def missing_evidence(asked: EvidenceCondition, pieces: int, different: Mapping[str, int]) -> str:
    """Return what evidence a condition lacks: so many pieces, and so many different values by their name."""
    # A piece in place of one that is there, where enough are there and too few of them differ.
    number = max([pieces, *different.values()])
    words = f"{_number(number)} more {'piece' if number == 1 else 'pieces'} of evidence at {_result(asked)}"
    for name, lacks in different.items():
        preposition, one, several = _DIFFERENT[name]
        words += f" {preposition} " + (f"another {one}" if lacks == 1 else f"{_number(lacks)} other {several}")
    return words + _within(asked)


def missing_holding(asked: HoldsCondition) -> str:
    """Return what a condition on a holding lacks."""
    return f"{_name(asked)}{_at(asked.level)}, to be held"


def missing_group(members: Sequence[str], needed: int) -> str:
    """Return what a group lacks, of whose members that are not met so many are needed."""
    if needed == len(members):
        return "; and ".join(members)
    if needed == 1:
        return f"either {'; or '.join(members)}"
    return f"{_number(needed)} of: {'; '.join(members)}"


def _evidence(asked: EvidenceCondition) -> str:
    most = max(asked.different.values(), default=1)
    words = _result(asked)
    if asked.pieces > most:
        words += f" in at least {_number(asked.pieces)} pieces of evidence"
    for name, number in asked.different.items():
        preposition, _, several = _DIFFERENT[name]
        words += f" {preposition} at least {_number(number)} {several}"
    return words + _within(asked)


def _result(asked: EvidenceCondition) -> str:
    if asked.score is not None:
        return f"a score of {number_text(asked.score)} or more"
    return "any result" if asked.level is None else f"{asked.level.label.lower()} or above"


def _within(asked: EvidenceCondition) -> str:
    if asked.within is None:
        return ""
    if asked.within == ONE_TERM:
        return " within one term"
    number, unit = int(asked.within[1:-1]), _UNITS[asked.within[-1]]
    return f" within {_number(number)} {unit}{'' if number == 1 else 's'}"


def _holds(asked: HoldsCondition) -> str:
    return f"holds {_name(asked)}{_at(asked.level)}"


def _name(asked: HoldsCondition) -> str:
    return asked.achievement.rpartition("/")[2]


def _at(level: SoloLevel | None) -> str:
    return "" if level is None else f" at {level.label.lower()} or above"


def _listed(members: Sequence[str], word: str) -> str:
    return f", {word} ".join(members)


def _number(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def _is_plain(rule: Condition | Group) -> bool:
    return isinstance(rule, EvidenceCondition | HoldsCondition) or len(rule.of) == 1
