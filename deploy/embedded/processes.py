"""Processes of our own: started in a session of their own, known by pid and start time, never mistaken for others."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.embedded.problems import StackError

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be confused with a later one of the same pid.

    Attributes:
        pid: its number.
        started: boot id and start time in clock ticks since that boot, which no change of the clock moves.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int, proc: Path = _PROC) -> "Identity | None":
        """The identity of a living process; None when there is none, or when it is dead and only not yet reaped."""
        try:
            stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
            boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The name in parentheses may hold spaces and parentheses: fields count from after the last one (proc(5)).
        state, *fields = stat.rpartition(")")[2].split()
        return None if state in {"Z", "X"} else cls(pid, f"{boot}/{fields[18]}")

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Signal this very process; False when it has gone. Never reaches another process that took its pid."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if not self.alive():
                return False
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
                return True
            return False
        finally:
            os.close(handle)


@dataclass(frozen=True, slots=True)
class PidFile:
    """The note on disk by which a process is found again by another command."""

    path: Path

    def write(self, identity: Identity, command: str = "") -> None:
        """Record the process, atomically; `command` tells later whether it is the one that is wanted then."""
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({**asdict(identity), "command": command}), encoding="ascii")
        partial.chmod(0o600)
        partial.replace(self.path)

    def read(self) -> Identity | None:
        """The recorded process if it still runs; None for no file, a damaged one, or a stale one."""
        record = self._record()
        try:
            identity = Identity(int(record["pid"]), record["started"])
        except (ValueError, KeyError):
            return None
        return identity if identity.alive() else None

    def command(self) -> str:
        """What `write` was told about the command; empty where there is no file."""
        return self._record().get("command", "")

    def _record(self) -> dict[str, str]:
        try:
            record = json.loads(self.path.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return {}
        return {str(key): str(value) for key, value in record.items()} if isinstance(record, dict) else {}

    def remove(self) -> None:
        """Forget the process."""
        self.path.unlink(missing_ok=True)


def spawn(argv: Sequence[str], environment: Mapping[str, str], log: Path, directory: Path) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, its output appended to `log`.

    The file is opened for appending and handed over, so that the process outlives whoever started it and a shortened
    log goes on at its new end.

    Raises:
        StackError: the program is missing or may not be run.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603  # the table of services names the programs, no input does
            argv,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise StackError(f"{argv[0]} cannot be run: {error.strerror}.", "Install it or correct the path.") from error
    finally:
        os.close(descriptor)


def stop(identity: Identity, grace: float) -> bool:
    """Ask a process to end, wait `grace` seconds, then kill it; True when it went by itself.

    A child of the caller must be reaped by the caller, meanwhile or after.
    """
    if not identity.send(signal.SIGTERM):
        return True
    if gone_within(identity, grace):
        return True
    identity.send(signal.SIGKILL)
    gone_within(identity, 10)
    return False


def gone_within(identity: Identity, seconds: float) -> bool:
    """Wait until a process has ended; False when it has not after `seconds`."""
    end = time.monotonic() + seconds
    while identity.alive():
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)
    return True
