"""`make alerts`: breaks the running stack, one thing after the other, and sees which alert fires and falls silent.

A real Prometheus evaluates the shipped rules with every duration in them shortened, and a real Alertmanager mails what
fires. What cannot be broken here is named at the end.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cyclopts

from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Stack
from deploy.monitoring.documents import ALERTS
from tests.conftest import PORT_OFFSET
from tests.faults.hurried import hurry
from tests.faults.live_faults import Alarms, Traffic, Trial, trials
from tests.faults.live_prometheus import OWN, Alertmanager, Prometheus

_LONGEST_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.25
# Of an objective the alert that pages: the other one looks back over days, and is silent days later.
_SEVERITIES: Final = {alert.name: alert.severity for alert in reversed(ALERTS)}


@dataclass(frozen=True)
class Seen:
    """What was seen of one alert in one trial.

    Attributes:
        fired: seconds from the fault until it fired; None where it did not.
        silent: seconds from the end of the fault until it was silent; None where it went on.
    """

    trial: str
    alert: str
    fired: float | None
    silent: float | None
    beside: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether it fired and fell silent."""
        return self.fired is not None and self.silent is not None


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def _until(alarms: Callable[[], set[str]], wanted: Callable[[set[str]], bool], during: Callable[[], None]) -> set[str]:
    end = time.monotonic() + _LONGEST_SECONDS
    while True:
        during()
        now = alarms()
        if wanted(now) or time.monotonic() > end:
            return now
        time.sleep(_LOOK_SECONDS)


def attempt(trial: Trial, alarms: Callable[[], set[str]]) -> list[Seen]:
    """Break, wait for the alerts, mend, and wait until they are silent."""
    before = _until(alarms, lambda now: not now & trial.alerts, lambda: None)
    if before & trial.alerts:
        return [Seen(trial.name, each, None, None, tuple(sorted(before))) for each in sorted(trial.alerts)]
    fired: dict[str, float] = {}
    silent: dict[str, float] = {}
    beside: set[str] = set()
    begun = time.monotonic()
    trial.begin()

    def note(now: set[str]) -> bool:
        beside.update(now - trial.alerts - before)
        for each in now & trial.alerts:
            fired.setdefault(each, time.monotonic() - begun)
        return trial.alerts <= fired.keys()

    try:
        _until(alarms, note, trial.during)
    finally:
        trial.end()
    begun_silence = time.monotonic()

    def note_silence(now: set[str]) -> bool:
        for each in trial.alerts - now:
            silent.setdefault(each, time.monotonic() - begun_silence)
        return not now & trial.alerts

    _until(alarms, note_silence, lambda: None)
    return [
        Seen(trial.name, each, fired.get(each), silent.get(each), tuple(sorted(beside)))
        for each in sorted(trial.alerts)
    ]


@contextlib.contextmanager
def _running(var: Path, scale: float) -> Iterator[Alarms]:
    shutil.rmtree(var, ignore_errors=True)
    with Stack(var, PORT_OFFSET) as stack:
        hurry(stack)
        stack.start("mongodb", "kafka")
        stack.start("setup")
        stack.start("smtp", *OWN)
        port = 9090 + PORT_OFFSET
        with (
            Alertmanager(stack, var / "alertmanager", port + 2, scale) as alertmanager,
            Prometheus(stack, var / "prometheus", port, scale, alertmanager.address) as prometheus,
            Traffic(stack) as traffic,
        ):
            yield Alarms(stack, prometheus, alertmanager, traffic, var)


def live_alerts(only: str = "", scale: float = 60) -> int:
    """Try alerts and print what was seen; return 0 where each fired and fell silent.

    Args:
        only: names of trials, by commas; all where it is empty.
        scale: what every duration in the rules is divided by.
    """
    chosen = set(filter(None, only.split(",")))
    var = SOURCE_ROOT / "var" / "alerts"
    seen: list[Seen] = []
    with _running(var, scale) as alarms:
        for trial in trials(alarms):
            if chosen and trial.name not in chosen:
                continue
            tell(f"trying: {trial.name}")
            seen += attempt(
                trial, lambda: {name for name, how in alarms.prometheus.firing() if how == _SEVERITIES[name]}
            )
        mailed = alarms.mailed()
    _tell(seen, scale, mailed)
    return 0 if all(each.good for each in seen) and (mailed or chosen) else 1


def _tell(seen: list[Seen], scale: float, mailed: int) -> None:
    tell(
        f"\nDurations in rules divided by {scale:g}; seconds until it fired, and until it was silent after the fault.\n"
    )
    for each in seen:
        fired = "never" if each.fired is None else f"{each.fired:.0f} s"
        silent = "never" if each.silent is None else f"{each.silent:.0f} s"
        mark = "ok  " if each.good else "FAIL"
        beside = f"  (beside: {', '.join(each.beside)})" if each.beside else ""
        tell(f"{mark} {each.alert:32} {each.trial:28} {fired:>6} {silent:>6}{beside}")
    tell(f"\nmails from Alertmanager: {mailed}")
    tried = {each.alert for each in seen if each.good}
    rest = sorted({alert.name for alert in ALERTS} - tried)
    tell(f"seen firing and silent: {len(tried)}; not tried live: {', '.join(rest)}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(os.EX_TEMPFAIL))
    sys.exit(cyclopts.run(live_alerts))
