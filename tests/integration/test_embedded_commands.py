"""`bowerbird up`, `status` and `down`, with the Tansu broker: what dies is started again, what runs is taken over."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from demo.command import require_room
from deploy.embedded import operations, secrets
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

    def __call__(self, *words: str, answer: str = "", offset: int | None = PORT_OFFSET) -> tuple[int, str]:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE_ROOT), "BOWERBIRD_STACK_VAR": str(self.layout.var)}
        if offset is not None:
            environment["BOWERBIRD_STACK_PORT_OFFSET"] = str(offset)
        argv = [sys.executable, "-m", "bowerbird", *words]
        run = subprocess.run(
            argv, env=environment, input=answer, capture_output=True, text=True, timeout=240, check=False
        )
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


def test_addresses_are_those_of_the_stack_that_runs_though_the_shell_forgot_its_ports(bowerbird: Commands) -> None:
    for command in ("up", "status"):
        status, told = bowerbird(command, offset=None)
        assert status == 0, told
        assert f"http://{bowerbird.layout.address('issuer')}" in told


def test_other_ports_than_those_of_the_stack_that_runs_are_refused(bowerbird: Commands) -> None:
    before = bowerbird.processes()
    for command in ("up", "demo", "status", "down"):
        status, told = bowerbird(command, offset=PORT_OFFSET + 1)
        assert status == 1
        assert f"runs with {PORT_OFFSET}" in told
    assert bowerbird.processes() == before


def test_a_service_that_serves_and_waits_for_the_broker_is_not_called_silent(bowerbird: Commands) -> None:
    keeper = operations.supervisor(bowerbird.layout)
    assert keeper is not None
    keeper.send(signal.SIGSTOP)
    try:
        bowerbird.processes()["kafka"].send(signal.SIGKILL)
        eventually(lambda: "not ready: kafka: " in bowerbird("status")[1], seconds=60)
    finally:
        keeper.send(signal.SIGCONT)
    eventually(bowerbird.complete, seconds=90)
    eventually(lambda: bowerbird("status")[0] == 0, seconds=90)


def test_the_demo_asks_before_it_adds_to_somebodys_data(bowerbird: Commands) -> None:
    created = httpx.post(
        f"http://{bowerbird.layout.address('issuer')}/v1/issuers",
        json={"id": "our-own-school", "name": "Our Own School"},
        headers={"Authorization": f"Bearer {secrets.admin_key(bowerbird.layout)}"},
        timeout=60,
    )
    assert created.status_code in {200, 201, 202}, created.text
    status, told = bowerbird("demo")
    assert status == 1
    assert "nobody answered" in told
    status, told = bowerbird("demo", answer="no\n")
    assert status == 1
    assert "Nothing was added" in told
    assert not (bowerbird.layout.var / "demo").exists()


def test_the_demo_adds_up_without_java_too(bowerbird: Commands) -> None:
    status, told = bowerbird("demo", answer="yes\n")
    assert status == 0, told
    assert "Everything adds up." in told
    require_room(bowerbird.layout)  # its own data are there: it asks nobody again


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


def test_without_a_yes_nothing_is_stopped_or_deleted(bowerbird: Commands) -> None:
    before = bowerbird.processes()
    assert before
    for answer in ("", "no\n", "\n"):
        status, told = bowerbird("down", "--erase", answer=answer)
        assert status == 1
        assert "Stop the stack and delete everything" in told
        assert "Traceback" not in told
    assert (bowerbird.layout.mongodb / "WiredTiger").is_file()
    assert bowerbird.processes() == before


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
    assert bowerbird("down", "--erase", answer="yes\n")[0] == 0
    assert not Path(bowerbird.layout.var).exists()
