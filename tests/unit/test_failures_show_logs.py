"""A failing test on the embedded stack shows what the services wrote, so that a rare failure can be explained."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.embedded.stack import Stack
from tests.conftest import pytest_runtest_makereport


def report(stack: Stack, outcome: str) -> pytest.TestReport:
    """What the hook makes of a report on a test that was given this stack under two names."""
    told = pytest.TestReport("x", ("x", 1, "x"), {}, outcome, None, "call")  # type: ignore[arg-type]  # one of two words
    hook = pytest_runtest_makereport(SimpleNamespace(funcargs={"stack": stack, "infrastructure": stack, "n": 1}))  # type: ignore[arg-type]  # what the hook reads of an item
    next(hook)
    with pytest.raises(StopIteration) as done:
        hook.send(told)
    result: pytest.TestReport = done.value.value
    return result


def test_a_failure_shows_the_end_of_every_log_of_its_stack_once_and_with_long_lines_cut(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.log("issuer").write_text("".join(f"line {number}\n" for number in range(99)) + "x" * 9999, encoding="utf-8")
    stack.log("kafka").write_text("started\n", encoding="utf-8")
    issuer, kafka = report(stack, "failed").sections
    assert issuer[0] == "the end of issuer's log"
    assert issuer[1].splitlines()[-2:] == ["line 98", "x" * 300]
    assert kafka == ("the end of kafka's log", "started")


def test_a_test_that_passes_shows_none(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.log("issuer").write_text("line\n", encoding="utf-8")
    assert report(stack, "passed").sections == []
