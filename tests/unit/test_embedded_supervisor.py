"""The supervisor leaves nothing running that it cannot find again."""

import shutil
import sys
import time
from pathlib import Path

from deploy.embedded.layout import Layout
from deploy.embedded.programs import Program
from deploy.embedded.supervisor import Supervisor


def sleeper(witness: Path) -> Program:
    code = (
        f"import pathlib, time; pathlib.Path({str(witness)!r}).touch(); time.sleep(2); print('still here', flush=True)"
    )
    return Program("smtp", (sys.executable, "-c", code), {}, (), lambda: True)


def test_a_process_whose_pid_cannot_be_noted_is_ended_at_once(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    shutil.rmtree(layout.run)  # as on a full disk, the note fails and the log can be written
    supervisor = Supervisor(layout, "tansu", [sleeper(tmp_path / "started")])
    assert supervisor._start(sleeper(tmp_path / "started")) is None
    time.sleep(2.5)
    assert layout.log_file("smtp").read_bytes() == b""
