"""What a learner's evidence makes of a rule: the same in any order, and never less with more."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from libs.contracts.results import SoloLevel
from libs.contracts.rules import MOST_CONDITIONS, Condition, Group, Rule, conditions, first_day, rule_schema
from services.issuer.rules.evaluation import Evaluation, evaluate
from services.issuer.rules.material import HeldCredential
from services.issuer.rules.words import rule_words

RULE: TypeAdapter[Condition | Group] = TypeAdapter(Rule)
DAY = date(2026, 3, 2)
U, M, R, E = (
    SoloLevel.UNISTRUCTURAL,
    SoloLevel.MULTISTRUCTURAL,
    SoloLevel.RELATIONAL,
    SoloLevel.EXTENDED_ABSTRACT,
)


class Shown(NamedTuple):
    """A piece of evidence."""

    evidence_id: UUID
    level: SoloLevel | None
    score: float | None
    observed_on: date
    activity: UUID
    class_id: str | None
    term: str | None
    assessor_id: UUID | None


def shown(number: int, level: SoloLevel | None = R, **changes: Any) -> Shown:
    """A piece of its own activity on its own day."""
    content: dict[str, Any] = {
        "evidence_id": UUID(int=number),
        "level": level,
        "score": None,
        "observed_on": DAY + timedelta(days=number),
        "activity": UUID(int=1000 + number),
        "class_id": None,
        "term": "2026-T1",
        "assessor_id": None,
    }
    return Shown(**(content | changes))


def rule(**content: Any) -> Condition | Group:
    return RULE.validate_python(content)


def asks(**content: Any) -> dict[str, Any]:
    return {"type": "evidence", **content}


def holds(name: str, **content: Any) -> dict[str, Any]:
    return {"type": "holds", "achievement": f"wattle/{name}", **content}


def held(name: str, level: SoloLevel | None = None, number: int = 1) -> HeldCredential:
    return HeldCredential(f"wattle/{name}", UUID(int=number), level)


TWO_ACTIVITIES = rule(**asks(level="relational", activities=2, within="term"))


def used(found: Evaluation) -> list[int]:
    return [each.int for each in found.evidence]


def test_two_pieces_of_one_activity_are_not_two_activities() -> None:
    same = UUID(int=7)
    found = evaluate(TWO_ACTIVITIES, [shown(1, activity=same), shown(2, activity=same)], [])
    assert not found.met
    assert found.missing == "one more piece of evidence at relational or above in another activity within one term"
    assert [(gap.at, gap.pieces, gap.different) for gap in found.gaps] == [("rule", 0, (("activities", 1),))]


def test_the_earliest_pieces_that_suffice_count_and_the_level_is_the_highest_that_all_of_them_reach() -> None:
    found = evaluate(TWO_ACTIVITIES, [shown(3, E), shown(1, R), shown(4, E), shown(2, U)], [])
    assert (found.met, found.level, used(found)) == (True, E, [3, 4])
    assert evaluate(TWO_ACTIVITIES, [shown(3, E), shown(1, R)], []).level is R


def test_evidence_of_another_term_or_outside_the_period_does_not_count_together() -> None:
    assert not evaluate(TWO_ACTIVITIES, [shown(1), shown(2, term="2026-T2")], []).met
    assert not evaluate(TWO_ACTIVITIES, [shown(1, term=None), shown(2, term=None)], []).met
    within = rule(**asks(count=2, within="P7D"))
    assert evaluate(within, [shown(1), shown(7)], []).met
    assert not evaluate(within, [shown(1), shown(8)], []).met


def test_a_score_is_held_against_scores_alone() -> None:
    by_score = rule(**asks(score=60, count=2))
    assert evaluate(by_score, [shown(1, None, score=60), shown(2, None, score=99)], []).level is None
    assert not evaluate(by_score, [shown(1, None, score=59.9), shown(2, E), shown(3, None, score=99)], []).met


def test_what_is_held_counts_at_the_level_that_is_asked_for() -> None:
    asked = rule(**holds("teamwork", level="relational"))
    assert evaluate(asked, [], [held("teamwork", R)]).credentials == (UUID(int=1),)
    for other in (held("teamwork", M), held("teamwork"), held("courage", E)):
        assert evaluate(asked, [], [other]).missing == "teamwork at relational or above, to be held"


def test_a_group_says_what_each_of_its_members_lacks() -> None:
    asked = rule(type="all", of=[asks(level="relational"), {"type": "any", "of": [holds("teamwork"), asks(score=80)]}])
    assert evaluate(asked, [], []).missing == (
        "one more piece of evidence at relational or above; and either teamwork, to be held; or one more piece of "
        "evidence at a score of 80 or more"
    )
    some = rule(type="at_least", n=2, of=[holds("a"), holds("b"), holds("c"), holds("d")])
    assert evaluate(some, [], [held("a")]).missing == "either b, to be held; or c, to be held; or d, to be held"
    assert evaluate(some, [], []).missing == "two of: a, to be held; b, to be held; c, to be held; d, to be held"
    assert [gap.at for gap in evaluate(asked, [], []).gaps] == ["rule.of.0", "rule.of.1.of.0", "rule.of.1.of.1"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (asks(), "any result"),
        (asks(level="extended_abstract", count=3), "extended abstract or above in at least three pieces of evidence"),
        (asks(score=72.5, assessors=2), "a score of 72.5 or more by at least two assessors"),
        (asks(count=4, classes=2, within="P6M"),
         "any result in at least four pieces of evidence in at least two classes within six months"),
        (asks(terms=12), "any result in at least 12 terms"),
        ({"type": "all", "of": [asks(level="relational", activities=2, within="term"), holds("teamwork")]},
         "relational or above in at least two activities within one term, and holds teamwork"),
        ({"type": "any", "of": [holds("a", level="relational"), {"type": "all", "of": [holds("b"), holds("c")]}]},
         "either holds a at relational or above, or (holds b, and holds c)"),
        ({"type": "at_least", "n": 2, "of": [holds("a"), holds("b"), asks(score=50)]},
         "at least two of: holds a; holds b; a score of 50 or more"),
    ],
)  # fmt: skip
def test_a_rule_reads_as_people_would_say_it(content: dict[str, Any], words: str) -> None:
    assert rule_words(rule(**content)) == words


@pytest.mark.parametrize(
    ("content", "where", "why"),
    [
        ({"type": "all", "of": []}, ("all", "of"), "at least 1"),
        ({"type": "any", "of": [holds("a"), {"type": "all", "of": []}]}, ("any", "of", 1, "all", "of"), "at least 1"),
        ({"type": "at_least", "n": 0, "of": [holds("a")]}, ("at_least", "n"), "greater"),
        ({"type": "at_least", "n": 3, "of": [holds("a"), holds("b")]}, ("at_least",), "3 of 2 can never be met"),
        ({"type": "any", "of": [holds("a"), holds("a")]}, ("any",), "the same"),
        (asks(count=2, activities=3), ("evidence",), "2 cannot be 3 different"),
        (asks(activities=1), ("evidence", "activities"), "greater"),
        (asks(count=0), ("evidence", "count"), "greater"),
        (asks(count=21), ("evidence", "count"), "less"),
        (asks(count="2"), ("evidence", "count"), "number"),
        (asks(count=True), ("evidence", "count"), "number"),
        (asks(score=100.5), ("evidence", "score"), "less"),
        (asks(score=float("nan")), ("evidence", "score"), "finite"),
        (asks(score=50, level="relational"), ("evidence",), "never both"),
        (asks(within="P1Y"), ("evidence",), "asks for one"),
        (asks(terms=2, within="term"), ("evidence",), "one term"),
        (asks(count=2, within="P1DT1H"), ("evidence", "within"), "pattern"),
        (asks(level="brilliant"), ("evidence", "level"), "Input should be"),
        (asks(moderated=True), ("evidence", "moderated"), "not permitted"),
        (holds("A"), ("holds", "achievement"), "pattern"),
        ({"type": "not", "of": [holds("a")]}, (), "does not match"),
        ({"of": [holds("a")]}, (), "tag"),
    ],
)  # fmt: skip
def test_a_rule_that_can_never_be_met_or_is_always_met_is_refused_where_it_is_wrong(
    content: dict[str, Any], where: tuple[object, ...], why: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        RULE.validate_python(content)
    (problem,) = refused.value.errors()
    assert problem["loc"] == where
    assert why in problem["msg"]


def test_a_rule_has_an_end() -> None:
    deep: dict[str, Any] = holds("a")
    for _ in range(5):
        deep = {"type": "all", "of": [deep]}
    with pytest.raises(ValidationError, match="stand in each other"):
        RULE.validate_python(deep)
    for _ in range(2_000):
        deep = {"type": "all", "of": [deep]}
    with pytest.raises(ValidationError):
        RULE.validate_python(deep)
    groups = [{"type": "any", "of": [holds(f"a{group}-{each}") for each in range(5)]} for group in range(3)]
    with pytest.raises(ValidationError, match=f"at most {MOST_CONDITIONS} conditions"):
        RULE.validate_python({"type": "all", "of": groups})
    with pytest.raises(ValidationError, match="at most 12"):
        RULE.validate_python({"type": "all", "of": [holds(f"a{each}") for each in range(13)]})


@pytest.mark.parametrize(
    ("within", "last", "first"),
    [
        ("P1D", "2026-03-02", "2026-03-02"),
        ("P2W", "2026-03-15", "2026-03-02"),
        ("P1M", "2026-03-31", "2026-03-01"),
        ("P1M", "2026-02-15", "2026-01-16"),
        ("P12M", "2026-03-02", "2025-03-03"),
        ("P1Y", "2024-02-29", "2023-03-01"),
        ("P999Y", "0900-01-01", "0001-01-01"),
        ("P999D", "0001-01-05", "0001-01-01"),
    ],
)
def test_a_period_ends_with_its_last_day(within: str, last: str, first: str) -> None:
    assert first_day(within, date.fromisoformat(last)) == date.fromisoformat(first)


def test_the_schema_names_every_kind_of_rule() -> None:
    assert set(rule_schema()["discriminator"]["mapping"]) == {"evidence", "holds", "all", "any", "at_least"}


levels = st.none() | st.sampled_from(SoloLevel)
some_evidence = st.fixed_dictionaries(
    {"type": st.just("evidence"), "count": st.integers(2, 4)},
    optional={
        "level": st.sampled_from(SoloLevel),
        "activities": st.just(2),
        "assessors": st.just(2),
        "within": st.sampled_from(["term", "P3D", "P1M"]),
    },
)
some_holdings = st.builds(lambda name, level: holds(name, level=level), st.sampled_from("abc"), levels)
conditions_drawn = st.one_of(
    some_evidence, some_holdings, st.builds(lambda score: asks(score=score), st.sampled_from([20, 60]))
)


def groups_of(members: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(members, min_size=1, max_size=4, unique_by=repr)
    return st.one_of(
        several.map(lambda of: {"type": "all", "of": of}),
        several.map(lambda of: {"type": "any", "of": of}),
        several.flatmap(lambda of: st.integers(1, len(of)).map(lambda n: {"type": "at_least", "n": n, "of": of})),
    )


def valid(content: dict[str, Any]) -> bool:
    try:
        RULE.validate_python(content)
    except ValidationError:
        return False
    return True


rules = st.recursive(conditions_drawn, groups_of, max_leaves=8).filter(valid).map(RULE.validate_python)
pieces_drawn = st.lists(
    st.builds(
        lambda number, result, day, activity, term, assessor: shown(
            number,
            result if isinstance(result, SoloLevel) else None,
            score=None if isinstance(result, SoloLevel) else result,
            observed_on=DAY + timedelta(days=day),
            activity=UUID(int=activity),
            term=term,
            assessor_id=assessor and UUID(int=assessor),
        ),
        st.integers(1, 30),
        st.sampled_from([*SoloLevel, 10.0, 60.0, 90.0]),
        st.integers(0, 40),
        st.integers(1, 3),
        st.sampled_from([None, "T1", "T2"]),
        st.sampled_from([None, 1, 2]),
    ),
    max_size=10,
    unique_by=lambda piece: piece.evidence_id,
)
held_drawn = st.lists(
    st.builds(held, st.sampled_from("abc"), levels, st.integers(1, 9)), max_size=4, unique_by=lambda each: each[1]
)


@settings(deadline=None)
@given(asked=rules, pieces=pieces_drawn, holding=held_drawn, random=st.randoms(use_true_random=False))
def test_in_any_order_a_rule_comes_to_the_same_to_the_byte(
    asked: Condition | Group, pieces: list[Shown], holding: list[HeldCredential], random: Any
) -> None:
    once = evaluate(asked, pieces, holding)
    random.shuffle(pieces)
    random.shuffle(holding)
    assert repr(evaluate(asked, pieces, holding)) == repr(once)
    assert RULE.validate_json(RULE.dump_json(asked)) == asked, "what was evaluated is written as it was read"


@settings(deadline=None)
@given(asked=rules, pieces=pieces_drawn, holding=held_drawn, later=pieces_drawn, more=held_drawn)
def test_more_evidence_and_more_badges_never_lower_what_is_earned(
    asked: Condition | Group,
    pieces: list[Shown],
    holding: list[HeldCredential],
    later: list[Shown],
    more: list[HeldCredential],
) -> None:
    before = evaluate(asked, pieces, holding)
    known = {each.evidence_id for each in pieces}
    badges = {each.credential_id for each in holding}
    after = evaluate(
        asked,
        [*pieces, *(each for each in later if each.evidence_id not in known)],
        [*holding, *(each for each in more if each.credential_id not in badges)],
    )
    assert after.met >= before.met
    assert rank(after) >= rank(before)


@settings(deadline=None)
@given(asked=rules, pieces=pieces_drawn, holding=held_drawn)
def test_what_counted_is_enough_by_itself_and_what_is_missing_is_said(
    asked: Condition | Group, pieces: list[Shown], holding: list[HeldCredential]
) -> None:
    found = evaluate(asked, pieces, holding)
    if found.met:
        alone = evaluate(asked, *only(found, pieces, holding))
        assert (alone.met, alone.level) == (True, found.level)
        assert (found.missing, found.gaps) == (None, ())
    else:
        assert found.missing
        assert {gap.at for gap in found.gaps} <= {at for at, _ in conditions(asked)}
        assert all(gap.pieces or gap.different or gap.achievement for gap in found.gaps)


def only(
    found: Evaluation, pieces: Sequence[Shown], holding: Sequence[HeldCredential]
) -> tuple[list[Shown], list[HeldCredential]]:
    return (
        [each for each in pieces if each.evidence_id in found.evidence],
        [each for each in holding if each.credential_id in found.credentials],
    )


def rank(found: Evaluation) -> int:
    return -1 if found.level is None else found.level.rank
