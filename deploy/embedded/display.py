"""How the stack looks at the terminal: progress while it starts, a table of what runs; plain lines into a pipe."""

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from deploy.embedded.state import Condition, ProcessState, StackState

_STYLES: Final = {
    "healthy": "green",
    "done": "green",
    "starting": "yellow",
    "restarting": "red",
    "stopping": "yellow",
    "stopped": "dim",
    "not running": "red",
    "not answering": "red",
    "not ready": "yellow",
    "running": "yellow",
}


STARTING: Final[frozenset[Condition]] = frozenset({"healthy", "done", "restarting"})
STOPPING: Final[frozenset[Condition]] = frozenset({"stopped"})


class Progress:
    """Shows a stack that starts or stops: a live table at a terminal, a line per change elsewhere."""

    def __init__(self, console: Console, title: str, tell: frozenset[Condition] = STARTING) -> None:
        self._console = console
        self._title = title
        self._tell = tell
        self._told: dict[str, str] = {}
        self._spinners: dict[str, Spinner] = {}
        self._live = Live(console=console, refresh_per_second=10, transient=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        else:
            self._console.print(self._title, soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, state: StackState) -> None:
        """Bring what is shown up to date."""
        if self._live is not None:
            self._live.update(self._table(state))
            return
        for name, each in state.processes.items():
            line = f"  {name}: {_told(each)}"
            if each.condition in self._tell and self._told.get(name) != line:
                self._told[name] = line
                self._console.print(line, soft_wrap=True)

    def _table(self, state: StackState) -> Table:
        table = Table.grid(padding=(0, 2))
        table.title, table.title_justify = self._title, "left"
        for name, each in state.processes.items():
            waiting = each.condition in {"starting", "stopping", "restarting"}
            mark = self._spinners.setdefault(name, Spinner("dots")) if waiting else Text("✓", style="green")
            table.add_row(mark, name, Text(_told(each), style=_STYLES[each.condition]))
        return table


def _told(state: ProcessState) -> str:
    if state.condition in {"healthy", "done"} and state.took is not None:
        return f"{state.condition} after {state.took:.1f} s"
    if state.condition == "restarting":
        return f"{state.problem}, starting it again"
    return state.condition


def table_of(rows: list[tuple[str, str, str, str, str, str]]) -> Table:
    """The table of `bowerbird status`: name, condition, pid, up for, restarts, address."""
    columns = ("process", "condition", "pid", "up for", "restarts", "address")
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for name, condition, *rest in rows:
        table.add_row(name, Text(condition, style=_STYLES.get(condition.split(":")[0], "")), *rest)
    return table


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour} h"
    if hours:
        return f"{hour} h {minute} min"
    return f"{minute} min {second} s" if minute else f"{second} s"


def age(since: float) -> str:
    """How long ago a moment was."""
    return span(max(0.0, time.time() - since))
