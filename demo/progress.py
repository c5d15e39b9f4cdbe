"""How far the job is: moving bars on a terminal, plain lines where the output goes to a file or a pipe."""

from math import inf
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_LINE_EVERY_SECONDS = 2.0
_SAME_NOTE_SECONDS = 15.0


class Display:
    """Shows steps that each count up to a number; use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="yellow", markup=False),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._counts: dict[str, tuple[int, int]] = {}
        self._printed: dict[str, tuple[float, int]] = {}
        self._noted: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def step(self, name: str, of: int, done: int = 0) -> None:
        """A step begins, or its goal has moved."""
        self._counts[name] = (done, of)
        self._show(name)

    def advance(self, name: str, by: int = 1) -> None:
        """One more is done."""
        done, of = self._counts[name]
        self.step(name, of, done + by)

    def extend(self, name: str, by: int) -> None:
        """So many more are to be done."""
        done, of = self._counts[name]
        self.step(name, of + by, done)

    def note(self, text: str) -> None:
        """Something worth a word, such as a service that does not answer at the moment; empty text takes it back."""
        if self._console.is_terminal:
            for task in self._tasks.values():
                self._bars.update(task, note=text)
        elif text:
            self.say(text)

    def say(self, text: str) -> None:
        """A sentence that stays, above the bars where there are any; the same one again only after a while."""
        if monotonic() > self._noted.get(text, -inf) + _SAME_NOTE_SECONDS:
            self._noted[text] = monotonic()
            self._console.print(text, soft_wrap=True, markup=False, highlight=False)

    def _show(self, name: str) -> None:
        done, of = self._counts[name]
        if self._console.is_terminal:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=of, note="")
            self._bars.update(self._tasks[name], completed=done, total=of)
            return
        when, printed = self._printed.get(name, (0.0, -1))
        if of and done != printed and (done >= of or monotonic() - when > _LINE_EVERY_SECONDS):
            self._printed[name] = (monotonic(), done)
            self._console.print(f"{name}: {done} of {of}")
