"""What the supervisor knows, in a file that `up` and `status` read."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from deploy.embedded.layout import Layout
from deploy.embedded.services import Broker

Condition = Literal["starting", "healthy", "restarting", "done", "stopping", "stopped"]


@dataclass(slots=True)
class ProcessState:
    """One process.

    Attributes:
        condition: what it does now.
        pid: its number while it runs.
        took: seconds from its start until it was healthy, or until its work was done.
        restarts: how often it died and was started again since the stack was started.
        problem: how it ended last, empty if it never did.
    """

    condition: Condition = "starting"
    pid: int | None = None
    took: float | None = None
    restarts: int = 0
    problem: str = ""


@dataclass(slots=True)
class StackState:
    """The whole stack."""

    broker: Broker = "kafka"
    offset: int = 0
    processes: dict[str, ProcessState] = field(default_factory=dict)
    secured: bool = False

    @property
    def complete(self) -> bool:
        """Whether every process does its work."""
        return bool(self.processes) and all(each.condition in {"healthy", "done"} for each in self.processes.values())

    def write(self, layout: Layout) -> None:
        """Put it into the file, atomically.

        Raises:
            OSError: the disk is full.
        """
        path = _path(layout)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        partial.chmod(0o600)
        partial.replace(path)

    @classmethod
    def read(cls, layout: Layout) -> "StackState | None":
        """What the file says; None where there is none."""
        try:
            record = json.loads(_path(layout).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        processes = {name: ProcessState(**each) for name, each in record["processes"].items()}
        return cls(record["broker"], record["offset"], processes, record["secured"])


def forget(layout: Layout) -> None:
    """Remove the file."""
    _path(layout).unlink(missing_ok=True)


def _path(layout: Layout) -> Path:
    return layout.run / "state.json"
