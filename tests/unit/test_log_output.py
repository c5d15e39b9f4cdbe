"""A full disk costs log lines and nothing else, and a client library that complains without end fills none."""

import json
import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common import metrics
from libs.common.log_output import LINES_A_MINUTE, LimitedLines, LogOutput


def lost() -> float:
    value: float = metrics.LOG_LINES_LOST._value.get()
    return value


def test_a_device_that_is_always_full_raises_nothing_and_what_is_lost_is_counted() -> None:
    before = lost()
    descriptor = os.open("/dev/full", os.O_WRONLY)
    output = LogOutput(descriptor)
    for _ in range(3):
        output.write('{"event": "batch"}\n')
        output.flush()
    os.close(descriptor)
    assert lost() - before == 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may mount no file system; /dev/full stands for it above")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_lines_and_says_how_many_once_there_is_room_again(small_disk: Path) -> None:
    log = small_disk / "evidence.log"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    output = LogOutput(descriptor)
    before = lost()
    for number in range(100):
        output.write(json.dumps({"event": "batch", "number": number, "filling": "x" * 1500}) + "\n")
    dropped = lost() - before
    assert 0 < dropped < 100
    os.truncate(log, 10_000)  # as the operator makes room, in the middle of a line
    output.write('{"event": "after"}\n')
    os.close(descriptor)
    lines = log.read_text().splitlines()
    assert json.loads(lines[-1]) == {"event": "after"}
    assert json.loads(lines[-2]) == {"event": "log lines lost", "level": "warning", "lines": dropped}


class Library:
    """A library that logs, under the filter."""

    def __init__(self) -> None:
        self.now = 0.0
        self.limit = LimitedLines(clock=lambda: self.now)

    def says(self, logger: str = "aiokafka.conn") -> str | None:
        record = logging.LogRecord(logger, logging.ERROR, "", 0, "Unable connect to node %s", (1,), None)
        return record.getMessage() if self.limit.filter(record) else None


def test_a_library_gets_so_many_lines_a_minute_and_the_next_one_says_how_many_were_left_out() -> None:
    library = Library()
    before = metrics.LOG_LINES_LEFT_OUT.labels("aiokafka")._value.get()
    said = [library.says() for _ in range(10_000)]
    assert [each for each in said if each] == ["Unable connect to node 1"] * LINES_A_MINUTE
    assert library.says("aiokafka.consumer") is not None
    library.now = 60.0
    assert library.says() == "Unable connect to node 1 (9990 lines of this logger were left out before)"
    assert library.says() == "Unable connect to node 1"
    assert metrics.LOG_LINES_LEFT_OUT.labels("aiokafka")._value.get() - before == 9990
