"""What is forked for a test is as `python -m` would have started it: environment, log, exit status, a kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Child
from tests.forking import Forking

BARE = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE_ROOT)}


@pytest.fixture(scope="module")
def forking() -> Iterator[Forking]:
    with Forking() as started:
        yield started


def settings(forking: Forking, log: Path, environment: Mapping[str, str]) -> Child:
    return forking.spawn((sys.executable, "-m", "bowerbird", "settings", "verifier"), environment, log, SOURCE_ROOT)


def test_each_has_its_own_environment_log_and_exit_status(forking: Forking, tmp_path: Path) -> None:
    well = settings(forking, tmp_path / "well", {**BARE, "BOWERBIRD_HTTP_PORT": "18181"})
    wrong = settings(forking, tmp_path / "wrong", {**BARE, "BOWERBIRD_HTTP_PORT": "none"})
    assert (well.wait(60), wrong.wait(60)) == (0, 1)
    assert "18181" in (tmp_path / "well").read_text(encoding="utf-8")
    assert "BOWERBIRD_HTTP_PORT" in (tmp_path / "wrong").read_text(encoding="utf-8")


def test_one_that_is_stopped_is_waited_for_in_vain_and_killed_by_itself(forking: Forking, tmp_path: Path) -> None:
    child = settings(forking, tmp_path / "log", BARE)
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0)
    assert os.getpgid(child.pid) != os.getpgid(0)
    child.kill()
    assert child.wait(60) == child.poll() == -signal.SIGKILL


def test_programs_of_others_are_started_as_ever(forking: Forking, tmp_path: Path) -> None:
    child = forking.spawn((sys.executable, "-c", "print('here')"), BARE, tmp_path / "log", SOURCE_ROOT)
    assert isinstance(child, subprocess.Popen)
    assert child.wait(60) == 0
    assert (tmp_path / "log").read_text(encoding="utf-8") == "here\n"
