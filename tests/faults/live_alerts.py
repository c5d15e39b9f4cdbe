"""`make alerts`: breaks the running stack, one thing after the other, and sees which alert fires and falls silent.

A real Prometheus evaluates the shipped rules with every duration in them shortened, and a real Alertmanager mails what
fires. Faults that leave one another alone are tried side by side. What was seen is kept in `var/alerts-seen.json`, so
that a run that did not come to its end can be taken up (`--resume`); the table at the end has every alert there is.
"""

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final

import cyclopts
import orjson

from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Stack
from deploy.monitoring.documents import ALERTS
from tests.conftest import PORT_OFFSET
from tests.faults import live_awards, live_brokers, live_services, live_stores, live_watching
from tests.faults.hurried import hurry
from tests.faults.live_attempts import Attempt, Watch, run_lanes
from tests.faults.live_exporters import Exporters
from tests.faults.live_faults import Alarms, Traffic, Trial, nothing
from tests.faults.live_prometheus import OWN, Alertmanager, Prometheus, Target

_VAR: Final = SOURCE_ROOT / "var"
_SEEN: Final = _VAR / "alerts-seen.json"
# Of an objective trials wait for the alert that pages: the other one looks back over days, and is silent days later.
_SEVERITIES: Final = {alert.name: alert.severity for alert in reversed(ALERTS)}
_LATER: Final = {f"{alert.name} ticket": alert.name for alert in ALERTS if alert.severity != _SEVERITIES[alert.name]}
_LONGEST_LATER_SECONDS: Final = 900.0
# Each has Debian's package of the same name.
_PROGRAMS: Final = (
    "prometheus",
    "prometheus-alertmanager",
    "prometheus-node-exporter",
    "prometheus-blackbox-exporter",
    "faketime",
)
_HEARTBEAT: Final = "BowerbirdWatchdog"

Stage = Sequence[Sequence[Trial]]
"""Lanes that are tried side by side, each of trials that are tried one after the other."""


def stages(alarms: Alarms) -> Iterator[Stage]:
    """Return what is tried, one stage after the other; each leaves the stack as it found it."""
    audits = live_watching.Audits(alarms)
    clocks, lives = live_services.of_clocks(alarms), live_services.of_lives(alarms)
    crashes, stall, killed, no_target = live_services.of_processes(alarms)
    # Nothing that audits would find, and nothing that restarts a service.
    yield [
        [*live_watching.of_audits(audits)],
        [*live_watching.of_monitoring(alarms), *live_watching.of_telling(alarms)],
        [*live_watching.of_certificates(alarms)],
        [*live_services.of_disks(alarms)],
        *([trial] for trial in live_services.of_files(alarms)),
        [*live_awards.of_held_mails(alarms), *live_awards.of_mail(alarms)],
        [*live_awards.of_the_list_of_issuers(alarms), *live_awards.of_records(alarms)],
        [*live_services.of_strangers(alarms), *live_awards.of_late_decisions(alarms)],
    ]
    # Alone: revocations dated back count as late at once for an audit beside them, and bring a lost document back.
    yield [
        [
            *live_watching.of_findings(alarms, audits),
            *live_awards.of_late_revocations(alarms),
            *live_stores.of_held_lists(alarms),
        ]
    ]
    # In each lane one service.
    yield [
        [
            *live_awards.of_keys(alarms),
            *live_awards.of_unknown_credentials(alarms),
            *live_awards.of_audit_logs(alarms),
            *live_awards.of_grants(alarms),
            *live_awards.of_unknown_achievements(alarms),
            *live_awards.of_lists(alarms),
        ],
        [*live_services.of_logs(alarms), *live_services.of_workers(alarms), crashes],
        [*clocks, killed, *lives],
        [no_target, stall],
        [*live_stores.of_connections(alarms)],
    ]
    yield [[*live_stores.of_stores(alarms)]]
    # After these Kafka is another one.
    of_kafka = [*live_stores.of_topics(alarms), *live_brokers.of_brokers(alarms)]
    yield [[*live_stores.of_set_backs(alarms), *of_kafka]]


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
    canary = {"BOWERBIRD_CANARY_SECONDS": f"{live_services.CANARY_SECONDS / scale:g}"}
    with Stack(var, PORT_OFFSET) as stack:
        hurry(stack, {name: canary | (_prepared(var / "trials") if name == "verifier" else {}) for name in OWN})
        live_stores.start_mongodb(stack)
        stack.start("kafka")
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


def _quiet_night(alarms: Alarms, watch: Watch) -> Attempt:
    """See that the tickets of objectives, which the faults before have opened, are closed when nothing fails long."""
    attempt = Attempt(Trial("quiet-night", frozenset(_LATER), nothing))
    for each, name in _LATER.items():
        if (since := watch.first.get((name, "ticket"))) is not None:
            attempt.fired[each] = since
    alarms.traffic.end()
    begun = watch.clock()
    while len(attempt.silent) < len(_LATER) and watch.clock() - begun < _LONGEST_LATER_SECONDS:
        watch.pause()
        now = watch.now()
        for each, name in _LATER.items():
            if (name, "ticket") not in now:
                attempt.silent.setdefault(each, watch.clock() - begun)
    return attempt


def _heartbeat(alarms: Alarms, watch: Watch) -> Attempt:
    """See that the alert that fires always is over for Alertmanager as soon as Prometheus says nothing any more."""
    attempt = Attempt(Trial("hung-prometheus", frozenset({_HEARTBEAT}), nothing))
    begun = watch.clock()
    while not alarms.alertmanager.told(_HEARTBEAT):
        watch.pause()
    attempt.fired[_HEARTBEAT] = watch.clock() - begun
    alarms.prometheus.signal(signal.SIGSTOP)
    begun = watch.clock()
    while alarms.alertmanager.told(_HEARTBEAT):
        watch.pause()
    attempt.silent[_HEARTBEAT] = watch.clock() - begun
    alarms.prometheus.signal(signal.SIGCONT)
    return attempt


_AT_LAST: Final = {"quiet-night": _quiet_night, "hung-prometheus": _heartbeat}


def rows() -> list[str]:
    """Return the name of each alert there is, of an objective's second one with its severity."""
    names = dict.fromkeys(alert.name for alert in ALERTS)
    return [*names, *_LATER]


class Record:
    """What was seen of each alert, in a file, by the names of the alert and of the trial: one may have several."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        """Go on with what is in the file, or begin anew."""
        self._path = path
        self.seen: dict[str, dict[str, Mapping[str, str]]] = {}
        if resume and path.exists():
            self.seen = orjson.loads(path.read_bytes())

    def has(self, trial: Trial) -> bool:
        """Return whether all of the trial's alerts were seen firing and silent in it."""
        return all(trial.name in self.seen.get(each, ()) for each in trial.alerts)

    def note(self, attempt: Attempt) -> None:
        """Print what was seen, and keep what is good."""
        print("\n".join(attempt.lines()), flush=True)
        for name in filter(attempt.is_good, attempt.trial.alerts):
            fired, silent = f"{attempt.fired[name]:.0f} s", f"{attempt.silent[name]:.0f} s"
            at = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
            self.seen.setdefault(name, {})[attempt.trial.name] = {"fired": fired, "silent": silent, "at": at}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(orjson.dumps(self.seen, option=orjson.OPT_INDENT_2))

    def table(self) -> Iterator[str]:
        """Return a line for each alert there is and each trial in which it was seen."""
        yield f"{'alert':34} {'trial':20} {'fired':>6} {'silent':>6}  at"
        for name in rows():
            if name not in self.seen:
                yield f"{name:34} NOT SEEN firing and silent"
            for trial, seen in self.seen.get(name, {}).items():
                yield f"{name:34} {trial:20} {seen['fired']:>6} {seen['silent']:>6}  {seen['at']}"


def live_alerts(only: str = "", scale: float = 60, *, resume: bool = False) -> int:
    """Try alerts and print what was seen; return 0 where each that was tried fired and fell silent.

    Args:
        only: names of trials, by commas; all where it is empty.
        scale: what every duration in the rules is divided by.
        resume: leave out what an earlier run has seen, and go on with its record.
    """
    absent = [name for name in _PROGRAMS if shutil.which(name) is None]
    if absent:
        print(f"What this needs is not here: apt-get install {' '.join(absent)}", file=sys.stderr)
        return 1
    chosen = set(filter(None, only.split(",")))
    record = Record(_SEEN, resume=resume or bool(chosen))
    tried: list[Attempt] = []

    def done(attempt: Attempt) -> None:
        tried.append(attempt)
        record.note(attempt)

    with _running(_VAR / "alerts", scale) as alarms, Watch(alarms.prometheus.firing, _SEVERITIES) as watch:
        print(f"Durations in rules divided by {scale:g}; seconds until it fired, and until it was silent again.\n")
        for stage in stages(alarms):
            wanted = [
                [trial for trial in lane if (trial.name in chosen if chosen else not (resume and record.has(trial)))]
                for lane in stage
            ]
            run_lanes(filter(None, wanted), watch, done)
        for name, see in _AT_LAST.items():
            if not chosen or name in chosen:
                done(see(alarms, watch))
        mailed = alarms.mailed()
    print("", *record.table(), f"\nmails from Alertmanager: {mailed}", sep="\n")
    missing = set() if chosen else set(rows()) - record.seen.keys()
    return 0 if all(each.good for each in tried) and mailed and not missing else 1


def all_trials(alarms: Alarms) -> list[Trial]:
    """Return every trial but those at the end."""
    return [trial for stage in stages(alarms) for trial in chain.from_iterable(stage)]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(os.EX_TEMPFAIL))
    sys.exit(cyclopts.run(live_alerts))
