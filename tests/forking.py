"""Starts services of a test by forking a process that has imported them: importing is most of what a start takes."""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

from bowerbird.registry import find
from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.processes import spawn
from deploy.embedded.programs import OURS
from deploy.embedded.stack import Child
from tests.faults import armed

_MODULES: Final = {OURS, armed.__name__}
_END_SECONDS: Final = 30


class _Forked:
    """One process, of which this tells and to which it does what `subprocess.Popen` does."""

    def __init__(self, server: "_Server", pid: int) -> None:
        self.pid = pid
        self._server = server
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = self._server.ask({"ended": self.pid})
        return self._status

    def wait(self, timeout: float) -> int:
        if self.poll() is None:
            # Its number stays its own until its status is asked for.
            handle = os.pidfd_open(self.pid)
            try:
                select.select([handle], [], [], timeout)
            finally:
                os.close(handle)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return status

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class _Server:
    """A process that has imported what some words of the command line need, as the client sees it."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno()), *words],
                env={name: value for name, value in environment.items() if not name.startswith("BOWERBIRD_")},
                cwd=SOURCE_ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        with ours:
            self._lines = ours.makefile("rw", encoding="utf-8")
        self._one_at_a_time = threading.Lock()

    def ask(self, asked: Mapping[str, Any]) -> Any:
        with self._one_at_a_time:
            return _ask(self._lines, asked)

    def close(self) -> None:
        self._lines.close()
        self._process.wait(_END_SECONDS)


def _ask(lines: TextIO, asked: Mapping[str, Any]) -> Any:
    lines.write(json.dumps(asked) + "\n")
    lines.flush()
    return json.loads(lines.readline())


class Forking:
    """One fork server for each service that a test has started; those that are forked outlive it."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, ...], _Server] = {}
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers.values():
            server.close()

    def spawn(self, argv: Sequence[str], environment: Mapping[str, str], log: Path, directory: Path) -> Child:
        """Start a process as `processes.spawn` does; one of ours by forking."""
        if argv[:2] != (sys.executable, "-m") or argv[2] not in _MODULES:
            return spawn(argv, environment, log, directory)
        words = tuple(argv[3:])
        with self._one_at_a_time:
            if words not in self._servers:
                self._servers[words] = _Server(words, environment)
        log.touch(mode=0o600)
        asked = {"module": argv[2], "environment": dict(environment), "log": str(log), "directory": str(directory)}
        server = self._servers[words]
        return _Forked(server, server.ask(asked))


def main() -> None:
    """Import, fork whenever the test asks for a process, tell how each ended, and end with the test."""
    control, command, *names = sys.argv[1:]
    importlib.import_module("bowerbird.cli")
    importlib.import_module("bowerbird.commands")
    if command == "run":
        find(*names)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(control)) as connection:
        lines = connection.makefile("rw", encoding="utf-8")
    with lines:
        asked = _next_process(lines)
    if asked is not None:
        _be(asked, [command, *names])


def _next_process(lines: TextIO) -> Any:
    """Return what is asked for within the process that was forked for it; None where the test has ended."""
    for line in iter(lines.readline, ""):
        asked = json.loads(line)
        if "ended" in asked:
            pid, status = os.waitpid(asked["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                return asked
        lines.write(json.dumps(answer) + "\n")
        lines.flush()
    return None


def _be(asked: Mapping[str, Any], words: Sequence[str]) -> None:
    """Run the module as `python -m` does, in a session of its own, with its output in the log."""
    os.setsid()
    os.chdir(asked["directory"])
    log = os.open(asked["log"], os.O_WRONLY | os.O_APPEND)
    for output in (1, 2):
        os.dup2(log, output)
    os.close(log)
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv[1:] = words
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
