"""Failpoints: each name stands at one place of the code, and kills at the passing that was ordered, where obeyed."""

import ast
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common import failpoints
from libs.common.failpoints import NAMES, Order, failpoint, read_orders, write_orders
from libs.common.settings import Settings, SettingsError
from tests.faults.orders import CONSUMERS, KILLS, TOGETHER
from tests.faults.test_databases_set_back import OF_ADOPTION
from tests.faults.test_killed_superseding import POINTS as OF_SUPERSEDING
from tests.faults.test_waiting import POINTS

ROOT = Path(__file__).parents[2]


def calls(name: str, folder: str) -> Iterator[ast.expr]:
    """The first argument of every call of this function below the folder."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
                yield node.args[0]


def test_every_name_stands_at_exactly_one_place_of_the_code() -> None:
    called = [ast.literal_eval(each) for folder in ("services", "libs") for each in calls("failpoint", folder)]
    assert Counter(called) == Counter(NAMES)


def test_a_fault_test_kills_at_every_point_and_in_every_consumer() -> None:
    assert {kill.order.name for kill in KILLS} | set(POINTS) | set(OF_ADOPTION) | set(OF_SUPERSEDING) == set(NAMES)
    named = [
        f"{service}-{ast.literal_eval(keyword.value)}"
        for service in ("evidence", "issuer", "verifier", "notifier")
        for path in (ROOT / "services" / service).rglob("*.py")
        if path.name in {"service.py", "wiring.py"}  # what puts a service together
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "plumbing.consume"
        for keyword in node.keywords
        if keyword.arg == "name"
    ]
    assert sorted(named) == sorted(CONSUMERS)
    assert Counter(kill for kills in TOGETHER for kill in kills) == Counter(KILLS)


def test_no_two_kills_of_one_run_are_of_the_same_work_of_one_service() -> None:
    for kills in TOGETHER:
        assert len({(kill.service, kill.work) for kill in kills}) == len(kills)
        # It counts the mails that this process sent.
        assert not any(kill.later for kill in kills) or sum(kill.service == "notifier" for kill in kills) == 1


def test_without_obedience_a_point_does_nothing() -> None:
    assert failpoints._obedience is None
    failpoint("issuer.award.5")


def test_nothing_that_is_deployed_obeys() -> None:
    for folder in ("services", "libs", "bowerbird", "deploy", "demo", "conformance"):
        assert not list(calls("obey", folder)), folder


def test_a_service_refuses_the_variable_by_which_a_fault_test_arms_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOWERBIRD_FAILPOINTS", "/tmp/orders")  # noqa: S108  # never opened
    with pytest.raises(SettingsError, match="BOWERBIRD_FAILPOINTS is not a setting"):
        Settings.load()


def passing(path: Path, *points: tuple[str, str]) -> subprocess.CompletedProcess[str]:
    """A process that obeys this file, passes these points, and says how far it came."""
    code = (
        f"from libs.common import failpoints as f; from pathlib import Path; f.obey(Path({str(path)!r}))\n"
        f"for name, of in {points!r}:\n    f.failpoint(name, of); print(name, of, flush=True)"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


def test_the_ordered_passing_of_the_point_kills_and_the_order_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "order"
    write_orders(path, [Order("issuer.award.5", passing=2)])
    done = passing(path, ("issuer.award.5", ""), ("issuer.award.4", ""), ("issuer.award.5", ""), ("issuer.award.6", ""))
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["issuer.award.5", "issuer.award.4"]
    assert not path.exists()


def test_of_several_orders_each_is_carried_out_once_whichever_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "order"
    write_orders(path, [Order("issuer.award.5"), Order("consumer.3", "issuer-commands")])
    for _ in range(2):
        done = passing(path, ("consumer.3", "issuer-commands"), ("issuer.award.5", ""), ("issuer.award.5", ""))
        assert done.returncode == -signal.SIGKILL
    assert done.stdout == "consumer.3 issuer-commands\n"
    assert not path.exists()


def test_a_point_of_the_consumer_loop_kills_in_the_consumer_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "order"
    write_orders(path, [Order("consumer.3", "issuer-commands")])
    done = passing(path, ("consumer.3", "issuer-evidence"), ("consumer.3", "issuer-commands"))
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "consumer.3 issuer-evidence\n")


def test_without_an_order_every_point_is_passed(tmp_path: Path) -> None:
    assert passing(tmp_path / "none", *((each, "") for each in NAMES)).returncode == 0


def test_an_order_of_an_unknown_point_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "order"
    path.write_text("issuer.award.99\t\t1\n", encoding="ascii")
    with pytest.raises(ValueError, match=r"there is no point issuer\.award\.99"):
        read_orders(path)
