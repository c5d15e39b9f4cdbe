"""`bowerbird up`, `status` and `down`, with the Tansu broker: what dies is started again, what runs is taken over."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.embedded import operations
from deploy.embedded.layout import HOST, SOURCE_ROOT, Layout
from deploy.embedded.processes import Identity
from deploy.embedded.services import OWN
from deploy.embedded.state import StackState
from tests.waiting import eventually

pytestmark = pytest.mark.integration
PORT_OFFSET = int(os.environ.get("TEST_PORT_OFFSET", "500")) + 200
LASTING = ("mongodb", "kafka", "smtp", *OWN)


class Commands:
    """The commands on a stack of the test's own."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def __call__(self, *words: str) -> tuple[int, str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(SOURCE_ROOT),
            "BOWERBIRD_STACK_VAR": str(self.layout.var),
            "BOWERBIRD_STACK_PORT_OFFSET": str(self.layout.offset),
        }
        argv = [sys.executable, "-m", "bowerbird", *words]
        run = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=240, check=False)
        return run.returncode, run.stdout + run.stderr

    def processes(self) -> dict[str, Identity]:
        return operations.orphans(self.layout)

    def complete(self) -> bool:
        state = StackState.read(self.layout)
        return state is not None and state.complete and set(self.processes()) >= set(LASTING)


@pytest.fixture(scope="module")
def bowerbird(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    commands = Commands(Layout(tmp_path_factory.mktemp("embedded") / "var", PORT_OFFSET))
    status, told = commands("up", "--broker", "tansu")
    try:
        assert status == 0, told
        assert "keeps its log in memory" in told
        yield commands
    finally:
        commands("down")


def test_a_stack_that_is_up_is_healthy_and_a_second_up_changes_nothing(bowerbird: Commands) -> None:
    before = bowerbird.processes()
    status, told = bowerbird("up")
    assert status == 0, told
    assert "runs already" in told
    assert bowerbird.processes() == before
    status, told = bowerbird("status")
    assert status == 0, told
    assert told.count("healthy") == len(LASTING)


def test_the_demo_adds_up_without_java_too(bowerbird: Commands) -> None:
    status, told = bowerbird("demo")
    assert status == 0, told
    assert "Everything adds up." in told


def test_everything_listens_on_loopback_only(bowerbird: Commands) -> None:
    pids = {identity.pid for identity in bowerbird.processes().values()}
    listening = [each for each in psutil.net_connections("inet") if each.pid in pids and each.status == "LISTEN"]
    assert len(listening) >= len(LASTING)
    assert {each.laddr.ip for each in listening if each.laddr} == {HOST}


def test_whatever_is_killed_is_started_again(bowerbird: Commands) -> None:
    before = bowerbird.processes()
    for identity in before.values():
        assert identity.send(signal.SIGKILL)
    eventually(
        lambda: bowerbird.complete() and not set(bowerbird.processes().values()) & set(before.values()), seconds=90
    )
    assert bowerbird("status")[0] == 0


def test_topics_are_made_again_after_the_broker_lost_them(bowerbird: Commands) -> None:
    log = bowerbird.layout.log_file("setup")
    made = log.read_text(encoding="utf-8").count("evidence.submitted.v1")
    bowerbird.processes()["kafka"].send(signal.SIGKILL)
    eventually(lambda: log.read_text(encoding="utf-8").count("evidence.submitted.v1") > made, seconds=60)
    eventually(bowerbird.complete, seconds=60)


def test_processes_of_a_killed_supervisor_are_told_and_taken_over(bowerbird: Commands) -> None:
    before = bowerbird.processes()
    keeper = operations.supervisor(bowerbird.layout)
    assert keeper is not None
    assert keeper.send(signal.SIGKILL)
    eventually(lambda: operations.supervisor(bowerbird.layout) is None, seconds=5)
    status, told = bowerbird("status")
    assert status == 1
    assert "The supervisor is gone" in told
    assert bowerbird("up", "--broker", "tansu")[0] == 0
    assert bowerbird.processes() == before


def test_another_broker_is_not_swapped_in_under_a_running_stack(bowerbird: Commands) -> None:
    status, told = bowerbird("up", "--broker", "kafka")
    assert status == 1
    assert "runs with tansu already" in told


def test_data_are_not_deleted_without_a_yes(bowerbird: Commands) -> None:
    status, told = bowerbird("down", "--erase")
    assert status == 1
    assert "Deleting data needs a yes" in told
    assert (bowerbird.layout.mongodb / "WiredTiger").is_file()
    assert bowerbird.processes() == {}


def test_a_process_that_took_the_pid_of_a_stale_pid_file_is_left_alone(bowerbird: Commands) -> None:
    bowerbird("down")
    stale = bowerbird.layout.pid_file("issuer")
    stale.path.write_text(json.dumps({"pid": os.getpid(), "started": "boot-before/1"}), encoding="ascii")
    assert bowerbird("down")[0] == 0  # and this test is still here


def test_a_busy_port_stops_the_start_and_leaves_nothing_running(bowerbird: Commands) -> None:
    bowerbird("down")
    with socket.create_server((HOST, bowerbird.layout.port("issuer"))):
        status, told = bowerbird("up", "--broker", "tansu")
    assert status == 1
    assert f"Port {bowerbird.layout.port('issuer')}, which issuer needs, is used by" in told
    assert f"(pid {os.getpid()})" in told
    assert bowerbird.processes() == {}


def test_a_yes_deletes_the_data(bowerbird: Commands) -> None:
    assert bowerbird("down", "--erase", "--yes")[0] == 0
    assert not Path(bowerbird.layout.var).exists()
