"""Trying faults: breaks one thing, waits for its alerts, mends it, waits until they are silent; many side by side."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Final, Self

from tests.faults.live_faults import Trial

LONGEST_SECONDS: Final = 180.0
_LOOK_SECONDS: Final = 0.25
_PATIENCE_SECONDS: Final = 30.0

Labels = Mapping[str, str]


class Watch:
    """What fires, as somebody sees it who looks again and again; one for all trials.

    Attributes:
        first: by name and severity, after how many seconds it was seen to fire for the first time.
    """

    def __init__(
        self,
        look: Callable[[], Sequence[Labels]],
        severities: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Take what tells the labels of each alert that fires.

        Args:
            look: asked again and again; may raise OSError, and then what was seen last counts.
            severities: by name the severity that is looked for: an objective has two alerts of one name.
            clock: a monotonic one, in seconds.
            pause: waits for so many seconds.
        """
        self._look = look
        self._severities = severities
        self._ended = threading.Event()
        self._pause = self._ended.wait if pause is None else pause
        self._seen: Sequence[Labels] = ()
        self.clock = clock
        self._began = clock()
        self.first: dict[tuple[str, str], float] = {}

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Watch no more, and end whoever waits."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.is_set():
            self.see()
            self._ended.wait(_LOOK_SECONDS)

    def see(self) -> None:
        """Look once. A machine that is busy may let one wait: what fired last fires then."""
        try:
            self._seen = self._look()
        except OSError:
            return
        for each in self.now():
            self.first.setdefault(each, self.clock() - self._began)

    def now(self) -> set[tuple[str, str]]:
        """Return what fires, whatever it is about, by name and severity."""
        return {(each["alertname"], each["severity"]) for each in self._seen}

    def pause(self) -> None:
        """Wait for a moment; ends the thread that waits once nobody watches any more."""
        self._pause(_LOOK_SECONDS)
        if self._ended.is_set():
            raise SystemExit

    def firing(self, trial: Trial) -> set[str]:
        """Return which of the trial's alerts fire about what it has broken."""
        return {each["alertname"] for each in self._seen if self._counts(each) and trial.is_about(each)}

    def beside(self, trial: Trial) -> set[str]:
        """Return what else fires."""
        return {each["alertname"] for each in self._seen if self._counts(each)} - trial.alerts

    def _counts(self, labels: Labels) -> bool:
        return self._severities.get(labels["alertname"]) == labels["severity"] != "heartbeat"


@dataclass
class Attempt:
    """One trial, as far as it is.

    Attributes:
        trial: what is broken.
        fired: by alert, seconds from the fault until it fired.
        silent: by alert, seconds from the end of the fault until it was silent.
        beside: other alerts that fired meanwhile.
        problem: why it could not be tried; empty where it could.
    """

    trial: Trial
    fired: dict[str, float] = field(default_factory=dict)
    silent: dict[str, float] = field(default_factory=dict)
    beside: set[str] = field(default_factory=set)
    problem: str = ""
    _mended_at: float = 0.0

    def is_good(self, alert: str) -> bool:
        """Whether this alert fired, and fell silent."""
        return not self.problem and alert in self.fired and alert in self.silent

    @property
    def good(self) -> bool:
        """Whether each of its alerts did."""
        return all(map(self.is_good, self.trial.alerts))

    def make(self, watch: Watch) -> None:
        """Wait until none of its alerts fires, break it, wait until each of them does, and mend it."""
        begun = watch.clock()
        while watch.firing(self.trial):
            if watch.clock() - begun > LONGEST_SECONDS:
                self.problem = "it fires before anything was broken"
                return
            watch.pause()
        try:
            self._break(watch)
        except Exception as error:  # noqa: BLE001  # one that cannot be tried must not end the others
            self.problem = f"{type(error).__name__}: {error}"
        finally:
            self._mend(watch)

    def _mend(self, watch: Watch) -> None:
        try:
            self.trial.end()
        except Exception as error:  # noqa: BLE001  # as above
            self.problem += f" not mended: {type(error).__name__}: {error}"
        self._mended_at = watch.clock()

    def _break(self, watch: Watch) -> None:
        begun = watch.clock()
        self.trial.begin()
        while self._note(watch, begun) and watch.clock() - begun < LONGEST_SECONDS:
            self.trial.during()
            watch.pause()

    def _note(self, watch: Watch, begun: float) -> bool:
        """Note what fires; return whether some of it does not yet."""
        for each in watch.firing(self.trial):
            self.fired.setdefault(each, watch.clock() - begun)
        self.beside |= watch.beside(self.trial)
        return not self.trial.alerts <= self.fired.keys()

    def await_silence(self, watch: Watch) -> None:
        """Wait until all of its alerts are silent."""
        while not self.problem:
            passed = watch.clock() - self._mended_at
            for each in self.trial.alerts - watch.firing(self.trial):
                self.silent.setdefault(each, passed)
            if self.trial.alerts <= self.silent.keys() or passed > LONGEST_SECONDS:
                return
            watch.pause()

    def lines(self) -> Iterable[str]:
        """Say what was seen, a line an alert."""
        for each in sorted(self.trial.alerts):
            fired = f"{self.fired[each]:.0f} s" if each in self.fired else "never"
            silent = f"{self.silent[each]:.0f} s" if each in self.silent else "never"
            good = "ok  " if self.is_good(each) else "FAIL"
            yield f"{good} {each:32} {self.trial.name:20} {fired:>6} {silent:>6}"
        if self.problem:
            yield f"     {self.trial.name}: {self.problem}"
        if self.beside and not self.good:
            yield f"     beside: {', '.join(sorted(self.beside))}"


def run_lanes(lanes: Iterable[Sequence[Trial]], watch: Watch, done: Callable[[Attempt], object]) -> None:
    """Try the trials of each lane one after the other, and the lanes side by side.

    A trial begins when the one before it is mended, and silent too where it says so.

    Args:
        lanes: trials by lane.
        watch: sees what fires.
        done: is told of each trial that is over, in whichever thread.
    """
    lock = threading.Lock()

    def finish(attempt: Attempt) -> None:
        attempt.await_silence(watch)
        with lock:
            done(attempt)

    def run(trials: Sequence[Trial]) -> None:
        later: list[threading.Thread] = []
        for trial in trials:
            attempt = Attempt(trial)
            attempt.make(watch)
            if trial.settles:
                finish(attempt)
            else:
                later.append(_started(partial(finish, attempt)))
        for thread in later:
            thread.join()

    threads = [_started(partial(run, trials)) for trials in lanes]
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        # Told to end: nobody may break or start anything while the stack is stopped.
        watch.end()
        patience = time.monotonic() + _PATIENCE_SECONDS
        for thread in threads:
            thread.join(timeout=max(0.0, patience - time.monotonic()))
        raise


def _started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
