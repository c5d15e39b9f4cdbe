"""The demo's arithmetic: sums, what does not add up, the JSON."""

from collections import Counter
from dataclasses import replace

from demo import summary
from demo.summary import Tally

GOOD = Tally(
    sent=10,
    received=10,
    issued=4,
    not_yet=2,
    duplicate=1,
    refused=Counter(date_form=2, not_json=1),
    credentials=4,
    verified=4,
    addressed=3,
    mailed=3,
)


def test_numbers_that_add_up_raise_no_problem() -> None:
    assert summary.problems({"a": GOOD, "b": GOOD}) == []


def test_a_row_without_an_outcome_is_told() -> None:
    (problem,) = summary.problems({"a": replace(GOOD, not_yet=1)})
    assert problem == "a: 10 rows were received, but 9 accounted for by an outcome"


def test_a_row_that_got_lost_on_the_way_is_told() -> None:
    assert summary.problems({"a": replace(GOOD, sent=11)}) == ["a: 11 rows were sent, but 10 received"]


def test_a_credential_issued_twice_is_told() -> None:
    problems = summary.problems({"a": replace(GOOD, credentials=3, verified=3)})
    assert problems == ["a: 4 rows say issued, but 3 different credentials"]


def test_a_credential_that_does_not_verify_is_told() -> None:
    assert len(summary.problems({"a": replace(GOOD, verified=3)})) == 1


def test_a_revoked_credential_is_not_missed_among_the_verified() -> None:
    assert summary.problems({"a": replace(GOOD, verified=3, revoked=1)}) == []


def test_a_missing_mail_is_told() -> None:
    assert len(summary.problems({"a": replace(GOOD, mailed=2)})) == 1


def test_a_demo_that_issues_nothing_is_no_success() -> None:
    nothing = Tally(sent=1, received=1, refused=Counter(date_in_future=1))
    assert len(summary.problems({"a": nothing})) == 1


def test_schools_sum_up_reason_by_reason() -> None:
    sums = summary.total({"a": GOOD, "b": replace(GOOD, refused=Counter(date_form=1, too_long=2))})
    assert sums.refused == Counter(date_form=3, not_json=1, too_long=2)
    assert (sums.received, sums.mailed) == (20, 6)


def test_the_json_holds_the_sums_at_the_top_and_under_total_and_the_parts_under_schools() -> None:
    written = summary.as_json({"a": GOOD, "b": GOOD})
    assert written["received"] == written["total"]["received"] == 20
    assert written["refused"] == 6
    assert written["refused_by_reason"] == {"date_form": 4, "not_json": 2}
    assert written["schools"]["b"]["verified"] == 4
    names = ("issued", "not_yet", "duplicate", "waiting", "refused")
    assert written["received"] == sum(written[name] for name in names)


def test_the_table_has_a_column_for_each_school_and_one_for_all() -> None:
    table = summary.table({"a": GOOD, "b-c": GOOD})
    assert [column.header for column in table.columns] == ["", "a", "b c", "in all"]
