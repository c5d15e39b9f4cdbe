"""A process is known by pid and start time, so that no other one is ever signalled in its place."""

import os
import signal
from pathlib import Path

import pytest

from deploy.embedded.processes import Identity, PidFile
from deploy.embedded.supervisor import backoff, describe_end

STAT = "{pid} (odd) name (x) {state} " + " ".join(str(number) for number in range(4, 22)) + " {start} 0 0\n"


def proc(folder: Path, *, pid: int = 71, state: str = "S", start: int = 5000, boot: str = "boot-a") -> Path:
    (folder / str(pid)).mkdir(parents=True, exist_ok=True)
    (folder / str(pid) / "stat").write_text(STAT.format(pid=pid, state=state, start=start), encoding="ascii")
    (folder / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (folder / "sys/kernel/random/boot_id").write_text(f"{boot}\n", encoding="ascii")
    return folder


def test_the_start_time_is_read_past_a_name_with_spaces_and_parentheses(tmp_path: Path) -> None:
    assert Identity.of(71, proc(tmp_path)) == Identity(71, "boot-a/5000")


def test_a_dead_process_that_nobody_reaped_has_no_identity(tmp_path: Path) -> None:
    assert Identity.of(71, proc(tmp_path, state="Z")) is None


def test_a_process_that_is_not_there_has_no_identity(tmp_path: Path) -> None:
    assert Identity.of(72, proc(tmp_path)) is None


def test_a_later_process_with_the_same_pid_is_another_one(tmp_path: Path) -> None:
    first = Identity.of(71, proc(tmp_path, start=5000))
    assert Identity.of(71, proc(tmp_path, start=5001)) != first


def test_the_same_pid_and_ticks_after_a_reboot_are_another_process(tmp_path: Path) -> None:
    first = Identity.of(71, proc(tmp_path, boot="boot-a"))
    assert Identity.of(71, proc(tmp_path, boot="boot-b")) != first


def test_a_signal_for_an_earlier_process_of_this_pid_does_not_reach_the_later_one() -> None:
    assert Identity(os.getpid(), "boot-z/1").send(signal.SIGKILL) is False


def test_a_pid_file_finds_its_process_again(tmp_path: Path) -> None:
    me = Identity.of(os.getpid())
    assert me is not None
    pid_file = PidFile(tmp_path / "me.pid")
    pid_file.write(me, "fingerprint")
    assert pid_file.read() == me
    assert pid_file.command() == "fingerprint"
    assert pid_file.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", ["", "17", "{}", '{"pid": "x", "started": "y"}', '{"pid": 1, "started": "boot-z/1"}', '["pid"]']
)
def test_a_stale_or_damaged_pid_file_names_no_process(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.pid").write_text(content, encoding="ascii")
    assert PidFile(tmp_path / "x.pid").read() is None


def test_a_first_death_is_followed_by_a_start_at_once_and_many_by_a_bounded_wait() -> None:
    assert backoff(0) == 0
    waits = [backoff(failures) for failures in range(1, 200)]
    assert waits == sorted(waits)
    assert waits[0] <= 0.1
    assert waits[-1] == 5


def test_the_end_of_a_process_is_told_in_words() -> None:
    assert describe_end(1) == "ended with status 1"
    assert describe_end(-9) == "was ended by SIGKILL"
    assert describe_end(None) == "ended"
