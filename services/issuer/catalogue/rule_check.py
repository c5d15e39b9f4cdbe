"""Whether a rule that is to be published can be met: what is wrong with it, and where in it."""

from collections.abc import Iterator
from typing import Final, Protocol

from libs.common.errors import FieldProblem, InvalidRequestError
from libs.contracts.events import AchievementPublished
from libs.contracts.results import SoloLevel
from libs.contracts.rules import Condition, EvidenceCondition, Group, HoldsCondition, asked_for, conditions

MOST_LAYERS: Final = 8
"""So many achievements may stand above each other, each asking to hold the one below it."""


MOST_STACKING: Final = 50
"""So many achievements of an issuer ask to hold others: each award may have all of their rules decided."""


class Published(Protocol):
    """Knows what is published."""

    async def newest_version(self, owner: str, achievement_id: str) -> AchievementPublished | None:
        """Return the newest version, if any."""
        ...

    async def stacking(self, owner: str) -> set[str]:
        """Return the ids of this owner's achievements of which a version asks to hold others."""
        ...


class RuleCheck:
    """Checks rules against the catalogue."""

    def __init__(self, catalogue: Published) -> None:
        self._catalogue = catalogue

    async def with_owners(self, version: AchievementPublished, parent: str | None) -> AchievementPublished:
        """Return a version whose rule names what is to be held as OWNER/ID.

        Args:
            version: as it is asked for.
            parent: the issuer whose shared achievements its owner awards.

        Raises:
            InvalidRequestError: something that is to be held is not published for this owner.
        """
        if version.rule is None:
            return version
        names: dict[str, str] = {}
        problems: list[FieldProblem] = []
        for at, asked in _holdings(version.rule):
            found = await self._find(asked.achievement, version.owner, parent)
            if found is None:
                problems.append(_problem(f"{at}.achievement", "there is no such achievement to be held", "unknown"))
            else:
                names[asked.achievement] = found.key_of_all_versions
        _refuse(problems)
        return version.model_copy(update={"rule": _renamed(version.rule, names)})

    async def require(self, version: AchievementPublished) -> None:
        """Refuse a version whose rule cannot be met, or says more than one thing.

        Raises:
            InvalidRequestError: with each place of the rule and what is wrong there.
        """
        if version.rule is None:
            return
        problems = list(_contradictions(version))
        if asked_for(version.rule):
            others = await self._catalogue.stacking(version.owner) - {version.achievement_id}
            if len(others) >= MOST_STACKING:
                problems.append(
                    _problem("rule", f"{MOST_STACKING} achievements ask to hold others already", "too_many")
                )
        for at, asked in _holdings(version.rule):
            held = await self._newest(asked.achievement)
            if held is not None:
                problems += _unreachable(at, asked, held, version)
            if problem := await self._circle(asked.achievement, version.key_of_all_versions):
                problems.append(_problem(f"{at}.achievement", problem, "circular"))
        _refuse(problems)

    async def _find(self, name: str, owner: str, parent: str | None) -> AchievementPublished | None:
        """Return what this owner calls so: its own, or what its parent shares."""
        wanted, _, achievement_id = name.rpartition("/")
        if wanted in {"", owner} and (own := await self._catalogue.newest_version(owner, achievement_id)) is not None:
            return own
        if parent is None or wanted not in {"", parent}:
            return None
        shared = await self._catalogue.newest_version(parent, achievement_id)
        return shared if shared is not None and shared.shared else None

    async def _newest(self, key: str) -> AchievementPublished | None:
        owner, _, achievement_id = key.partition("/")
        return await self._catalogue.newest_version(owner, achievement_id)

    async def _circle(self, key: str, goal: str) -> str | None:
        """Return what is wrong where what is to be held asks in turn, over whatever between, to hold the goal."""
        layer, seen = {key}, set[str]()
        for _ in range(MOST_LAYERS):
            if goal in layer:
                return "holding this asks to hold the achievement itself"
            seen |= layer
            below = [await self._newest(each) for each in sorted(layer)]
            rules = [each.rule for each in below if each is not None and each.rule is not None]
            layer = {each for rule in rules for each in asked_for(rule)} - seen
            if not layer:
                return None
        return f"more than {MOST_LAYERS} achievements stand above each other"


def _contradictions(version: AchievementPublished) -> Iterator[FieldProblem]:
    assert version.rule is not None  # noqa: S101  # what the caller knows
    if version.required_level is not None or version.required_score is not None:
        yield _problem("rule", "a level or score is required in the rule or beside it, not both", "ambiguous")
    if version.repeatable:
        yield _problem("repeatable", "a rule counts pieces together, and each would earn it anew", "ambiguous")
    described = {each.level for each in version.levels}
    for at, asked in conditions(version.rule):
        if isinstance(asked, EvidenceCondition) and asked.level is not None and described:
            yield from _undescribed(f"{at}.level", asked.level, described)


def _undescribed(at: str, level: SoloLevel, described: set[SoloLevel]) -> Iterator[FieldProblem]:
    if level not in described:
        yield _problem(at, "this level is not among those that are described", "unreachable")


def _unreachable(
    at: str, asked: HoldsCondition, held: AchievementPublished, version: AchievementPublished
) -> Iterator[FieldProblem]:
    """Yield why nobody, or no school, could ever hold what is asked for."""
    if held.repeatable:
        yield _problem(f"{at}.achievement", "what each piece of evidence earns anew cannot be held", "unreachable")
    if version.shared and not held.shared and held.owner == version.owner:
        yield _problem(f"{at}.achievement", "it is not shared: schools that may award this cannot", "unreachable")
    if asked.level is None:
        return
    highest = max((each.level.rank for each in held.levels), default=SoloLevel.EXTENDED_ABSTRACT.rank)
    if not held.shows_levels:
        yield _problem(f"{at}.level", "badges of it show no level", "unreachable")
    elif highest < asked.level.rank:
        yield _problem(f"{at}.level", "no level that it describes reaches this one", "unreachable")


def _holdings(rule: Condition | Group) -> Iterator[tuple[str, HoldsCondition]]:
    for at, each in conditions(rule):
        if isinstance(each, HoldsCondition):
            yield at, each


def _renamed(rule: Condition | Group, names: dict[str, str]) -> Condition | Group:
    if isinstance(rule, HoldsCondition):
        return rule.model_copy(update={"achievement": names[rule.achievement]})
    if isinstance(rule, EvidenceCondition):
        return rule
    return rule.model_copy(update={"of": [_renamed(each, names) for each in rule.of]})


def _problem(field: str, reason: str, code: str) -> FieldProblem:
    return FieldProblem(field=field, reason=reason, code=f"rule_{code}")


def _refuse(problems: list[FieldProblem]) -> None:
    if problems:
        raise InvalidRequestError("This rule cannot be published.", problems)
