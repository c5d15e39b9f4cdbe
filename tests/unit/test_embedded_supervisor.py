"""The supervisor leaves nothing running that it cannot find again."""

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
