"""The work of one verification: shared by all that a document brings, counted, and ended."""

from collections.abc import Callable, Generator
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from benchmarks import hostile
from libs.openbadges.model.budget import TOO_COSTLY, WORK, Budget, shared_budget, spend
from libs.openbadges.model.errors import LimitError
from libs.openbadges.verify import ResolvedInputs, dependencies_of, verify, verify_presentation

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def _verified(document: dict[str, Any]) -> tuple[Any, Budget]:
    raw = orjson.dumps(document)
    with shared_budget() as budget:
        dependencies_of(raw)
        if "verifiableCredential" in document:
            return verify_presentation(raw, ResolvedInputs(), NOW), budget
        return verify(raw, ResolvedInputs(), NOW), budget


@pytest.mark.parametrize(
    "make",
    [hostile.credential, hostile.endorsed, hostile.chained, hostile.full_presentation],
    ids=["six alike nodes, eight proofs", "32 such endorsements", "a chain of proofs", "a full presentation"],
)
def test_a_hostile_document_is_unknown_within_the_budget_of_one_request(make: Callable[[], dict[str, Any]]) -> None:
    report, budget = _verified(make())
    assert report.verdict == "unknown"
    assert budget.spent <= WORK
    codes = {check.code for check in report.checks}
    for one in getattr(report, "credentials", ()):
        codes |= {check.code for check in one.checks}
    for one in getattr(report, "endorsements", ()):
        codes |= {check.code for check in one.report.checks}
    assert codes & {"too_symmetric", TOO_COSTLY}


def test_a_search_that_was_given_up_is_not_repeated_for_the_next_proof() -> None:
    _, one = _verified(hostile.credential(proofs=1))
    _, eight = _verified(hostile.credential(proofs=8))
    assert eight.spent < one.spent * 1.1


def test_a_proof_whose_key_is_not_available_costs_no_search() -> None:
    document = hostile.credential(proofs=1)
    document["proof"][0]["verificationMethod"] = "did:web:nobody.example#key"
    report, budget = _verified(document)
    assert report.check("proof").code == "key_unavailable"
    assert budget.spent < 20_000


def test_a_proof_value_of_a_wrong_form_costs_no_search() -> None:
    document = hostile.credential(proofs=1)
    document["proof"][0]["proofValue"] = "z0OIl"
    report, budget = _verified(document)
    assert report.check("proof").outcome == "fail"
    assert budget.spent < 20_000


def test_what_the_budget_does_not_reach_is_unknown_and_never_fails() -> None:
    raw = orjson.dumps(hostile.credential(0, 1))
    for work in range(0, 3_000, 100):
        with shared_budget(Budget(work)) as budget:
            report = verify(raw, ResolvedInputs(), NOW)
        if budget.exhausted:
            assert {check.outcome for check in report.checks} <= {"pass", "unknown"}
            assert TOO_COSTLY in {check.code for check in report.checks}


def test_a_budget_that_is_spent_refuses_whatever_comes_next() -> None:
    budget = Budget(10)
    with shared_budget(budget):
        spend(10)
        for _ in range(2):
            with pytest.raises(LimitError):
                spend(1)


def test_a_block_within_another_shares_its_budget_and_the_next_one_does_not() -> None:
    with shared_budget() as outer:
        with shared_budget() as inner:
            assert inner is outer
        with shared_budget(Budget()) as own:
            assert own is not outer
    with shared_budget() as later:
        assert later is not outer
    spend(10 * WORK)


def test_a_block_that_is_ended_in_another_context_than_it_began_in_ends_without_an_error() -> None:
    def job() -> Generator[None]:
        with shared_budget():
            yield

    abandoned = job()
    copy_context().run(next, abandoned)
    abandoned.close()
