"""`make alerts`: breaks the running stack, one thing after the other, and sees which alert fires and falls silent.

A real Prometheus evaluates the shipped rules with every duration in them shortened, and a real Alertmanager mails what
fires. Faults that leave one another alone are tried at the same time. What cannot be broken here is named at the end.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cyclopts
import httpx
import orjson

from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Stack
from deploy.monitoring.documents import ALERTS
from tests.conftest import PORT_OFFSET
from tests.faults import live_awards, live_services, live_stores, live_watching
from tests.faults.hurried import hurry
from tests.faults.live_exporters import Exporters
from tests.faults.live_faults import Alarms, Traffic, Trial
from tests.faults.live_prometheus import OWN, Alertmanager, Prometheus, Target

_LONGEST_SECONDS: Final = 180.0
_LOOK_SECONDS: Final = 0.25
# Of an objective the alert that pages: the other one looks back over days, and is silent days later.
_SEVERITIES: Final = {alert.name: alert.severity for alert in reversed(ALERTS)}
_NOT_TRIED: Final = {
    "BowerbirdWatchdog": "it fires always; that it is mailed is looked at in the end",
    "BowerbirdKafkaOffline": "it takes a broker that loses one of its disks, and the stack has one of each",
    "BowerbirdKafkaUnderReplicated": "it takes a second broker, and the stack has one",
    "BowerbirdMongoConnections": "MongoDB takes more connections here than this machine can open",
    "BowerbirdRetentionBehind": "what ends after years cannot be shortened: lives are not in the rules",
}


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
    over: bool = False
    _since: float = 0.0
    _ended: bool = False

    def begin(self) -> None:
        """Break it."""
        self._since = time.monotonic()
        self._guarded(self.trial.begin)

    def go_on(self) -> None:
        """Add to the fault while it lasts."""
        if not self._ended and not self.over:
            self._guarded(self.trial.during)

    def note(self, now: set[str]) -> None:
        """Note what fires now; mend what has been seen to fire, and come to an end once it is silent."""
        passed = time.monotonic() - self._since
        if self.over:
            return
        self.beside |= now - self.trial.alerts - _NOT_TRIED.keys()
        if not self._ended:
            for each in now & self.trial.alerts:
                self.fired.setdefault(each, passed)
            if self.trial.alerts <= self.fired.keys() or passed > _LONGEST_SECONDS:
                self.end()
        else:
            for each in self.trial.alerts - now:
                self.silent.setdefault(each, passed)
            self.over = not now & self.trial.alerts or passed > _LONGEST_SECONDS

    def end(self) -> None:
        """Mend it."""
        self._ended = True
        self._guarded(self.trial.end)
        self._since = time.monotonic()

    @property
    def good(self) -> bool:
        """Whether each alert fired, and fell silent."""
        return not self.problem and self.trial.alerts <= self.fired.keys() & self.silent.keys()

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001  # one that cannot be tried must not end the others
            self.problem = f"{type(error).__name__}: {error}"
            if not self._ended:
                self.end()
            self.over = True

    def lines(self) -> Iterator[str]:
        """Say what was seen, a line an alert."""
        for each in sorted(self.trial.alerts):
            fired = f"{self.fired[each]:.0f} s" if each in self.fired else "never"
            silent = f"{self.silent[each]:.0f} s" if each in self.silent else "never"
            good = each in self.fired and each in self.silent and not self.problem
            yield f"{'ok  ' if good else 'FAIL'} {each:32} {self.trial.name:20} {fired:>6} {silent:>6}"
        if self.problem:
            yield f"     {self.trial.name}: {self.problem}"
        if self.beside:
            yield f"     beside: {', '.join(sorted(self.beside))}"


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def attempt(trials: Sequence[Trial], alarms: Callable[[], set[str]]) -> list[Attempt]:
    """Break all of these, wait for the alerts of each, mend it, and wait until they are silent."""
    wanted = frozenset().union(*(trial.alerts for trial in trials))
    patience = time.monotonic() + _LONGEST_SECONDS
    while (early := alarms() & wanted) and time.monotonic() < patience:
        time.sleep(_LOOK_SECONDS)
    attempts = [Attempt(trial) for trial in trials]
    for each in attempts:
        if early & each.trial.alerts:
            each.problem, each.over = "it fires before anything was broken", True
        else:
            each.begin()
    told: set[str] = set()
    while len(told) < len(attempts):
        for each in attempts:
            each.go_on()
        now = alarms()
        for each in attempts:
            each.note(now)
            if each.over and each.trial.name not in told:
                told.add(each.trial.name)
                for line in each.lines():
                    tell(line)
        time.sleep(_LOOK_SECONDS)
    return attempts


def stages(alarms: Alarms) -> Iterator[list[Trial]]:
    """Return what is tried at the same time, one stage after the other; each leaves the stack as it found it."""
    audits = live_watching.Audits(alarms)
    yield [
        *live_watching.of_audits(audits),
        *live_watching.of_certificates(alarms),
        *live_watching.of_monitoring(alarms),
        *live_services.of_disks(alarms),
        *live_services.of_files(alarms),
        *live_awards.of_the_list_of_issuers(alarms),
        *live_awards.of_held_mails(alarms),
    ]
    yield [
        *live_watching.of_findings(alarms, audits),
        *live_awards.of_records(alarms),
        *live_awards.of_waiting(alarms),
        *live_awards.of_keys(alarms),
        *live_services.of_clocks(alarms),
    ]
    yield from ([trial] for trial in live_services.of_strangers(alarms))
    yield [*live_services.of_processes(alarms), *live_awards.of_late_decisions(alarms)]
    yield list(live_services.of_logs(alarms))
    yield list(live_watching.of_telling(alarms))
    yield list(live_awards.of_lists(alarms))
    for one_by_one in (live_awards.of_mail, live_stores.of_stores, live_stores.of_set_backs):
        yield from ([trial] for trial in one_by_one(alarms))


def _prepared(folder: Path) -> dict[str, str]:
    """Return settings of the verifier by which limits are near, and a registry is read often."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / live_services.REGISTRY).write_bytes(orjson.dumps({"name": "Colleges", "issuers": []}))
    named = {"registries": [{"file": live_services.REGISTRY}]}
    (folder / live_services.REGISTRIES).write_bytes(orjson.dumps(named))
    return {
        "BOWERBIRD_RATE_PER_ADDRESS": "600",
        "BOWERBIRD_VERIFY_WAITING": "4",
        "BOWERBIRD_TRUSTED_REGISTRIES": str(folder / live_services.REGISTRIES),
        "BOWERBIRD_REGISTRY_REFRESH_SECONDS": "5",
    }


@contextlib.contextmanager
def _running(var: Path, scale: float) -> Iterator[Alarms]:
    shutil.rmtree(var, ignore_errors=True)
    with Stack(var, PORT_OFFSET) as stack:
        hurry(stack, {"verifier": _prepared(var / "trials")})
        stack.start("mongodb", "kafka")
        stack.start("setup")
        stack.start("smtp", *OWN)
        port = 9090 + PORT_OFFSET
        with (
            contextlib.ExitStack() as at_end,
            Alertmanager(stack, var / "alertmanager", port + 2, scale) as alertmanager,
            Prometheus(stack, var / "prometheus", port, scale, alertmanager.address) as prometheus,
            Traffic(stack) as traffic,
        ):
            exporters = Exporters(stack)
            at_end.callback(exporters.close)
            for job in ("mongodb", "kafka"):
                prometheus.ask(job, Target(job, exporters.address, path=f"/{job}"))
            yield Alarms(stack, prometheus, alertmanager, traffic, var / "trials", at_end)


def live_alerts(only: str = "", scale: float = 60) -> int:
    """Try alerts and print what was seen; return 0 where each fired and fell silent.

    Args:
        only: names of trials, by commas; all where it is empty.
        scale: what every duration in the rules is divided by.
    """
    chosen = set(filter(None, only.split(",")))
    done: list[Attempt] = []
    with _running(SOURCE_ROOT / "var" / "alerts", scale) as alarms:
        seen: set[str] = set()

        def firing() -> set[str]:
            # A machine that is busy may let it wait; what fired last fires then.
            with contextlib.suppress(httpx.TransportError):
                now = {name for name, how in alarms.prometheus.firing() if how == _SEVERITIES[name]}
                seen.clear()
                seen.update(now)
            return set(seen)

        tell(f"Durations in rules divided by {scale:g}; seconds until it fired, and until it was silent again.\n")
        for stage in stages(alarms):
            if trials := [trial for trial in stage if not chosen or trial.name in chosen]:
                done += attempt(trials, firing)
        mailed = alarms.mailed()
    return _judge(done, mailed, everything=not chosen)


def _judge(done: Sequence[Attempt], mailed: int, *, everything: bool) -> int:
    tried = {name for each in done for name in each.trial.alerts}
    good = {name for each in done for name in each.trial.alerts if each.good}
    tell(f"\nmails from Alertmanager: {mailed}\nseen firing and silent: {len(good)} of {len(tried)}")
    if not everything:
        return 0 if good == tried else 1
    missing = {alert.name for alert in ALERTS} - tried
    for name in sorted(missing):
        tell(f"not tried live: {name}: {_NOT_TRIED.get(name, 'NO REASON')}")
    return 0 if good == tried and mailed and missing == _NOT_TRIED.keys() else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(os.EX_TEMPFAIL))
    sys.exit(cyclopts.run(live_alerts))
