"""Where one embedded stack keeps its files, and which ports of loopback it uses."""

import contextlib
import difflib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.embedded.problems import StackError, from_os_error
from deploy.embedded.processes import PidFile

HOST: Final = "127.0.0.1"
SOURCE_ROOT: Final = Path(__file__).resolve().parents[2]

PORTS: Final[Mapping[str, int]] = {
    "mongodb": 27117,
    "kafka": 29092,
    "kafka-controller": 29093,
    "smtp": 2525,
    "evidence": 8101,
    "issuer": 8102,
    "verifier": 8103,
    "notifier": 8104,
    "evidence-metrics": 8105,
    "issuer-metrics": 8106,
    "verifier-metrics": 8107,
    "notifier-metrics": 8108,
}

REPLICA_STEP: Final = 10
"""A second replica of a service listens this many ports above the first."""

MARKER: Final = ".bowerbird-stack"
"""The file by which a directory of ours is told from somebody else's."""

OURS: Final = ("run", "log", "mongodb", "kafka", "mail", "secrets", "demo", "bench", "conformance")
"""What the stack, the demo and the benchmarks keep in the directory; nothing else in it is ever deleted."""

BESIDE: Final = ("compose",)
"""What may stand in the directory beside it: the admin key of the containers."""

OFFSET: Final = "BOWERBIRD_STACK_PORT_OFFSET"
SECURED: Final = "BOWERBIRD_STACK_SECURED"

_PREFIX: Final = "BOWERBIRD_"
KNOWN: Final = (
    "BOWERBIRD_STACK_VAR",
    OFFSET,
    SECURED,
    "BOWERBIRD_STACK_BROKER",
    "BOWERBIRD_LOG_LEVEL",
)
"""The variables with our prefix that the stack's commands read, or pass on to the services."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One stack.

    Attributes:
        var: its directory.
        offset: the number added to each of its ports.
        secured: whether the stores speak TLS, ask who calls, and let each do what the table of rights says.
    """

    var: Path
    offset: int = 0
    secured: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Layout":
        """Read BOWERBIRD_STACK_VAR (default ./var), _PORT_OFFSET (default 0) and _SECURED (default false).

        Raises:
            StackError: one has no such value, or a variable with our prefix would be without effect.
        """
        _require_known(environment)
        offset_text = environment.get(OFFSET, "0")
        highest = 65_535 - max(PORTS.values()) - 10 * REPLICA_STEP
        if not offset_text.isdecimal() or int(offset_text) > highest:
            raise StackError(
                f"{OFFSET} is {offset_text!r}, which is not a whole number from 0 to {highest}.",
                "Correct it or unset it.",
            )
        secured = environment.get(SECURED, "false")
        if secured not in {"true", "false"}:
            raise StackError(f"{SECURED} is {secured!r}, which is neither true nor false.", "Correct it or unset it.")
        var = Path(environment.get("BOWERBIRD_STACK_VAR", "var")).resolve()
        return cls(var, int(offset_text), secured == "true")

    def port(self, name: str, replica: int = 1) -> int:
        """The port of a process; replicas are counted from 1."""
        return PORTS[name] + self.offset + REPLICA_STEP * (replica - 1)

    def address(self, name: str, replica: int = 1) -> str:
        """`host:port` of a process."""
        return f"{HOST}:{self.port(name, replica)}"

    @property
    def run(self) -> Path:
        """Pid files, the state of the supervisor, its lock."""
        return self.var / "run"

    @property
    def log(self) -> Path:
        """One log per process, bounded in size."""
        return self.var / "log"

    @property
    def mongodb(self) -> Path:
        """The database's files."""
        return self.var / "mongodb"

    @property
    def kafka(self) -> Path:
        """The broker's configuration and log segments."""
        return self.var / "kafka"

    @property
    def mail(self) -> Path:
        """Every mail that the sink took, one file each."""
        return self.var / "mail"

    @property
    def secrets(self) -> Path:
        """Keys made for this stack; mode 0700, files 0600."""
        return self.var / "secrets"

    @property
    def pid_files(self) -> dict[str, PidFile]:
        """The processes that were started here, by name."""
        return {path.stem: PidFile(path) for path in sorted(self.run.glob("*.pid"))}

    def pid_file(self, name: str) -> PidFile:
        """Where the pid of a process is noted."""
        return PidFile(self.run / f"{name}.pid")

    def log_file(self, name: str) -> Path:
        """Where the output of a process goes."""
        return self.log / f"{name}.log"

    def create(self) -> None:
        """Make the directories, private to this user, and the marker that says whose they are.

        Raises:
            StackError: the directory cannot be written, or is full of things that are not ours.
        """
        directory = self.var
        try:
            self._require_ours()
            for directory in (self.var, self.run, self.log, self.mongodb, self.kafka, self.mail, self.secrets):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                directory.chmod(0o700)
            (self.var / MARKER).touch(mode=0o600)
        except OSError as error:
            raise from_os_error(error, directory) from error

    def _require_ours(self) -> None:
        """Refuse a directory in use for something else: what is made private and may be erased must be ours."""
        if not self.var.exists() or (self.var / MARKER).is_file():
            return
        strange = sorted(entry.name for entry in self.var.iterdir() if entry.name not in (*OURS, *BESIDE))
        if strange:
            raise StackError(
                f"{self.var} holds {strange[0]!r}, which is not the stack's.",
                "Name a directory of the stack's own in BOWERBIRD_STACK_VAR.",
            )

    def erase(self) -> None:
        """Delete what the stack keeps here; anything else in the directory stays.

        Raises:
            StackError: this is no directory of ours, or something cannot be deleted.
        """
        if not (self.var / MARKER).is_file():
            raise StackError(f"{self.var} is not a directory of the embedded stack.", "Nothing was deleted.")
        try:
            for name in OURS:
                if (self.var / name).is_dir():
                    shutil.rmtree(self.var / name)
            (self.var / MARKER).unlink()
        except OSError as error:
            raise from_os_error(error, self.var) from error
        with contextlib.suppress(OSError):  # something of somebody else's is in it
            self.var.rmdir()


def _require_known(environment: Mapping[str, str]) -> None:
    """A variable that is misspelt, or meant for a service that this stack configures, must not be dropped in silence.

    Raises:
        StackError: there is one; it is named.
    """
    for variable in sorted(environment):
        if variable.upper().startswith(_PREFIX) and variable not in KNOWN:
            names = {each.removeprefix(_PREFIX): each for each in KNOWN}
            near = difflib.get_close_matches(variable.upper().removeprefix(_PREFIX), names, n=1, cutoff=0.7)
            raise StackError(
                f"{variable} is no variable that the embedded stack knows or passes on to its services.",
                f"Did you mean {names[near[0]]}?" if near else f"Unset it; known are {', '.join(KNOWN)}.",
            )
