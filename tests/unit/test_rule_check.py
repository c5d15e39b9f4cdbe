"""No rule is published that nobody could meet: what is wrong is told with its place in the rule."""

from collections.abc import Sequence
from typing import Any

import pytest

from libs.common.errors import InvalidRequestError
from libs.contracts.events import AchievementLevel, AchievementPublished
from libs.contracts.results import SoloLevel
from libs.contracts.rules import asked_for
from services.issuer.catalogue.rule_check import MOST_LAYERS, MOST_STACKING, RuleCheck
from services.issuer.catalogue.trial import try_achievement
from tests.issuer_doubles import NOW, achievement, issuer, ruled

RELATIONAL = AchievementLevel(level=SoloLevel.RELATIONAL, name="Relational", description="Links.")


class Catalogue:
    """Of these versions the last of each achievement is the newest."""

    def __init__(self, versions: Sequence[AchievementPublished]) -> None:
        self._newest = {(each.owner, each.achievement_id): each for each in versions}

    async def newest_version(self, owner: str, achievement_id: str) -> AchievementPublished | None:
        return self._newest.get((owner, achievement_id))

    async def stacking(self, owner: str) -> set[str]:
        known = self._newest.values()
        return {each.achievement_id for each in known if each.owner == owner and each.rule and asked_for(each.rule)}


def holds(name: str, **content: Any) -> dict[str, Any]:
    return {"type": "holds", "achievement": name, **content}


def both(*members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "all", "of": list(members)}


async def problems(version: AchievementPublished, *published: AchievementPublished) -> list[tuple[str, str | None]]:
    check = RuleCheck(Catalogue(published))
    try:
        await check.require(await check.with_owners(version, "department"))
    except InvalidRequestError as error:
        return [(each["field"], each.get("code")) for each in error.errors]
    return []


async def test_what_is_to_be_held_is_the_issuers_own_else_what_its_department_shares() -> None:
    shared = achievement("wit", owner="department", shared=True)
    version = ruled("bard", both(holds("wit"), holds("department/care")))
    check = RuleCheck(Catalogue([shared, achievement("care", owner="department", shared=True)]))
    named = (await check.with_owners(version, "department")).rule
    assert named is not None
    assert asked_for(named) == ["department/care", "department/wit"]
    own = RuleCheck(Catalogue([shared, achievement("wit")]))
    named = (await own.with_owners(ruled("bard", holds("wit")), "department")).rule
    assert named is not None
    assert asked_for(named) == ["wattle/wit"]


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("wit", []),
        ("wit", [achievement("wit", owner="department")]),
        ("wit", [achievement("wit", owner="another", shared=True)]),
        ("another/wit", [achievement("wit", owner="another", shared=True)]),
        ("department/wit", [achievement("wit")]),
    ],
)
async def test_what_is_not_published_for_this_issuer_cannot_be_asked_for(
    name: str, published: list[AchievementPublished]
) -> None:
    version = ruled("bard", both({"type": "evidence"}, holds(name)))
    assert await problems(version, *published) == [("rule.of.1.achievement", "rule_unknown")]


@pytest.mark.parametrize(
    ("version", "held", "wrong"),
    [
        (ruled("bard", holds("wit")).model_copy(update={"required_level": SoloLevel.RELATIONAL}), {},
         ("rule", "rule_ambiguous")),
        (ruled("bard", holds("wit")).model_copy(update={"required_score": 0}), {}, ("rule", "rule_ambiguous")),
        (ruled("bard", holds("wit"), repeatable=True), {}, ("repeatable", "rule_ambiguous")),
        (ruled("bard", both({"type": "evidence", "level": "multistructural"}, holds("wit")), levels=[RELATIONAL]), {},
         ("rule.of.0.level", "rule_unreachable")),
        (ruled("bard", holds("wit")), {"repeatable": True}, ("rule.achievement", "rule_unreachable")),
        (ruled("bard", holds("wit"), shared=True), {}, ("rule.achievement", "rule_unreachable")),
        (ruled("bard", holds("wit", level="relational")), {"required_level": None, "required_score": 50},
         ("rule.level", "rule_unreachable")),
        (ruled("bard", holds("wit", level="relational")), {"rule": holds("x"), "required_level": None},
         ("rule.level", "rule_unreachable")),
        (ruled("bard", holds("wit", level="extended_abstract")), {"levels": [RELATIONAL]},
         ("rule.level", "rule_unreachable")),
        (ruled("wit", holds("wit")), {}, ("rule.achievement", "rule_circular")),
        (ruled("bard", both({"type": "evidence"}, holds("wit"))),
         {"required_level": None, "rule": both(holds("wattle/x"), holds("wattle/bard"))},
         ("rule.of.1.achievement", "rule_circular")),
    ],
)  # fmt: skip
async def test_a_rule_that_can_never_be_met_is_refused(
    version: AchievementPublished, held: dict[str, Any], wrong: tuple[str, str]
) -> None:
    assert await problems(version, achievement("wit", **held)) == [wrong]


async def test_a_circle_over_several_achievements_is_found_and_layers_have_an_end() -> None:
    above = [ruled(f"a{number}", holds(f"wattle/a{number + 1}")) for number in range(3)]
    closing = ruled("a3", both({"type": "evidence"}, holds("wattle/a0")))
    assert await problems(closing, *above, achievement("a3")) == [("rule.of.1.achievement", "rule_circular")]
    tower = [achievement("b0")]
    for number in range(1, MOST_LAYERS + 2):
        version = ruled(f"b{number}", holds(f"wattle/b{number - 1}"))
        wrong = [("rule.achievement", "rule_circular")] if number > MOST_LAYERS else []
        assert await problems(version, *tower) == wrong
        tower.append(version)


async def test_so_many_achievements_of_an_issuer_ask_to_hold_others_and_no_more() -> None:
    many = [achievement("wit"), *(ruled(f"c{number}", holds("wattle/wit")) for number in range(MOST_STACKING))]
    assert await problems(ruled("bard", holds("wit")), *many) == [("rule", "rule_too_many")]
    assert await problems(ruled("c7", both(holds("wit"), {"type": "evidence"})), *many) == []
    assert await problems(ruled("bard", {"type": "evidence", "count": 2}), *many) == []


@pytest.mark.parametrize(
    "rule",
    [{"type": "evidence", "level": "relational", "count": 2}, {"type": "evidence", "score": 50}, holds("wattle/wit")],
)
async def test_every_badge_that_a_rule_can_earn_is_tried_before_it_is_published(rule: dict[str, Any]) -> None:
    url = "https://badges.example/achievements/wattle/bard/1"
    try_achievement(ruled("bard", rule), issuer(), url, NOW)
    with pytest.raises(InvalidRequestError, match="signed"):
        try_achievement(ruled("bard", rule, description="Goes on.\x0bLearns."), issuer(), url, NOW)


def test_an_achievement_of_a_rule_describes_levels_only_where_its_badges_show_them() -> None:
    by_level = ruled("bard", both({"type": "evidence", "level": "relational"}, {"type": "evidence", "count": 2}))
    assert (by_level.shows_levels, by_level.shows_scores, by_level.least_level) == (True, False, SoloLevel.RELATIONAL)
    by_score = ruled("bard", {"type": "evidence", "score": 60, "count": 2})
    assert (by_score.shows_levels, by_score.shows_scores, by_score.least_level) == (False, False, None)
