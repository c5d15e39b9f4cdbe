"""The supervisor leaves nothing running that it cannot find again."""

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import processes, supervisor
from deploy.embedded.layout import Layout
from deploy.embedded.programs import Program
from deploy.embedded.supervisor import Supervisor
from tests.waiting import eventually

SLEEPER = Program("smtp", (sys.executable, "-c", "import time; time.sleep(600)"), {}, (), lambda: True)


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that the supervisor starts."""
    started: list[subprocess.Popen[bytes]] = []
    spawn = processes.spawn

    def noted(*args: Any) -> subprocess.Popen[bytes]:
        started.append(spawn(*args))
        return started[-1]

    monkeypatch.setattr(supervisor, "spawn", noted)
    return started


def test_a_process_whose_pid_cannot_be_noted_is_ended_at_once(
    tmp_path: Path, spawned: list[subprocess.Popen[bytes]]
) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    shutil.rmtree(layout.run)  # as on a full disk, the note fails and the log can be written
    assert Supervisor(layout, "tansu", [SLEEPER])._start(SLEEPER) is None
    assert [process.returncode for process in spawned] == [-signal.SIGKILL]


def test_a_process_whose_pid_is_noted_runs_on_and_is_found_by_it(
    tmp_path: Path, spawned: list[subprocess.Popen[bytes]]
) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    child = Supervisor(layout, "tansu", [SLEEPER])._start(SLEEPER)
    try:
        assert child is not None
        assert layout.pid_file("smtp").read() == child.identity
        assert spawned[0].poll() is None
    finally:
        spawned[0].kill()
        spawned[0].wait()


# Notes its pid, and does not end when asked, as a service that has much to finish.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1], "a") as file:
    print(os.getpid(), file=file)
time.sleep(600)
"""
# Notes how many of the services that are noted so far run while it starts.
BROKER = """
import os, sys, time
with open(sys.argv[1], "a+") as file:
    file.seek(0)
    before = file.read().split()
with open(sys.argv[2], "a") as file:
    print(sum(os.path.exists(f"/proc/{pid}") for pid in before[:2]), file=file)
time.sleep(600)
"""


async def test_no_service_lives_on_when_a_broker_that_lost_its_topics_starts_again(
    tmp_path: Path, spawned: list[subprocess.Popen[bytes]]
) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    pids, seen = tmp_path / "pids", tmp_path / "seen"
    broker = Program("kafka", (sys.executable, "-c", BROKER, str(pids), str(seen)), {}, (), lambda: True)
    replicas = [
        Program(name, (sys.executable, "-c", STUBBORN, str(pids)), {}, (), lambda: True, grace=0)
        for name in ("issuer", "issuer-2")
    ]
    keeper = Supervisor(layout, "tansu", [*replicas, broker])
    keeping = [asyncio.create_task(keeper._keep(each)) for each in replicas]
    try:
        await asyncio.to_thread(eventually, lambda: pids.exists() and len(pids.read_text().split()) == 2, seconds=30)
        keeping.append(asyncio.create_task(keeper._keep(broker)))
        await asyncio.to_thread(eventually, lambda: seen.exists() and seen.read_text() != "", seconds=30)
        assert seen.read_text() == "0\n"
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.wait(keeping)
        for process in spawned:
            process.kill()
            process.wait()
