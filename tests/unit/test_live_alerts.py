"""`make alerts`: what counts as seen firing and silent, and that there is a trial for every alert."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from unittest.mock import MagicMock

import orjson

from deploy.monitoring.documents import ALERTS
from tests.faults.live_alerts import Record, all_trials, rows
from tests.faults.live_attempts import LONGEST_SECONDS, Attempt, Labels, Watch, run_lanes
from tests.faults.live_faults import Alarms, Trial, nothing


class World:
    """A stack of which one thing is broken or not, and alerts that follow from it; each look takes a second."""

    def __init__(self, alert: Callable[["World"], list[Labels]]) -> None:
        self.broken = False
        self.now = 0.0
        self.since = 0.0
        self._alert = alert
        self.watch = Watch(
            lambda: self._alert(self), {"A": "page", "B": "ticket"}, clock=lambda: self.now, pause=self.pause
        )

    def pause(self, _seconds: float) -> None:
        self.now += 1
        self.watch.see()

    def turn(self, broken: bool) -> None:
        self.broken, self.since = broken, self.now

    def passed(self) -> float:
        return self.now - self.since

    def tried(self, begin: Callable[[], object] | None = None, labels: Labels = MappingProxyType({})) -> Attempt:
        begin = begin or (lambda: self.turn(True))
        trial = Trial("fault", frozenset("A"), begin, lambda: self.turn(False), labels=labels)
        attempt = Attempt(trial)
        self.watch.see()
        attempt.make(self.watch)
        attempt.await_silence(self.watch)
        return attempt


def alert(name: str = "A", severity: str = "page", **labels: str) -> Labels:
    return {"alertname": name, "severity": severity, **labels}


def test_an_alert_that_fires_after_the_fault_and_is_silent_after_its_end_is_seen_with_its_times() -> None:
    world = World(lambda now: [alert()] if now.broken == (now.passed() >= 5) and now.since else [])
    world.now = 1.0
    attempt = world.tried()
    assert attempt.good
    assert (attempt.fired, attempt.silent) == ({"A": 5.0}, {"A": 5.0})


def test_one_that_never_fires_never_falls_silent_or_fires_before_is_not_seen_and_the_fault_is_mended() -> None:
    never = World(lambda _: [])
    assert not never.tried().good
    assert never.now >= LONGEST_SECONDS
    assert not never.broken
    always = World(lambda now: [alert()] if now.since or now.broken else [])
    always.now = 1.0
    attempt = always.tried()
    assert attempt.fired and not attempt.silent and not attempt.good
    before = World(lambda _: [alert()]).tried()
    assert before.problem == "it fires before anything was broken"
    assert not before.good


def test_the_other_severity_of_an_objective_and_an_alert_about_something_else_are_not_what_is_meant() -> None:
    def both(now: World) -> list[Labels]:
        return [alert(severity="ticket"), alert(service="other"), alert("B", "ticket")] + (
            [alert(service="one")] if now.broken else []
        )

    attempt = World(both).tried(labels={"service": "one"})
    assert attempt.good
    assert attempt.beside == {"B"}


def test_what_fails_to_be_broken_is_told_and_mended_and_ends_no_other_trial() -> None:
    world = World(lambda now: [alert()] if now.broken else [])

    def fail() -> None:
        world.turn(True)
        raise OSError("no disk")

    attempt = world.tried(begin=fail)
    assert attempt.problem == "OSError: no disk"
    assert not world.broken
    assert not attempt.good
    assert "FAIL A" in "\n".join(attempt.lines())


def test_it_is_remembered_when_each_alert_of_each_severity_fired_first() -> None:
    world = World(lambda now: [alert()] + ([alert(severity="ticket")] if now.now > 1 else []))
    for _ in range(3):
        world.pause(0)
    assert world.watch.first == {("A", "page"): 1.0, ("A", "ticket"): 2.0}
    assert world.watch.now() == {("A", "page"), ("A", "ticket")}


def test_lanes_are_tried_to_their_end_in_order_and_whoever_asks_is_told_of_each() -> None:
    order: list[str] = []
    world = World(lambda _: [alert()] if len(order) % 2 else [])
    trials = [
        Trial(f"{number}", frozenset("A"), lambda: order.append("begin"), lambda: order.append("end"))
        for number in range(3)
    ]
    done: list[Attempt] = []
    run_lanes([trials], world.watch, done.append)
    assert [each.trial.name for each in done] == ["0", "1", "2"]
    assert all(each.good for each in done)
    assert order == ["begin", "end"] * 3


def test_a_record_is_taken_up_again_and_its_table_has_every_alert(tmp_path: Path) -> None:
    names = list(dict.fromkeys(each.name for each in ALERTS))
    trial = Trial("fault", frozenset(names[:2]), nothing)
    good = Attempt(trial, fired=dict.fromkeys(names[:2], 1.0), silent={names[0]: 2.0})
    Record(tmp_path / "seen", resume=False).note(good)
    assert orjson.loads((tmp_path / "seen").read_bytes()).keys() == {names[0]}
    again = Record(tmp_path / "seen", resume=True)
    assert again.has(Trial("fault", frozenset(names[:1]), nothing))
    assert not again.has(trial)
    _, *lines = again.table()
    assert [line[:34].strip() for line in lines] == rows()
    assert len(lines) == len(ALERTS)
    assert [line for line in lines if "NOT SEEN" not in line] == lines[:1]
    assert not Record(tmp_path / "seen", resume=False).seen


def trials(folder: Path) -> Iterator[Trial]:
    alarms = Alarms(MagicMock(), MagicMock(), MagicMock(), MagicMock(), folder, ExitStack())
    yield from all_trials(alarms)


def test_an_alert_that_two_trials_are_about_is_seen_when_it_was_in_both(tmp_path: Path) -> None:
    name = ALERTS[0].name
    trials = [Trial(each, frozenset({name}), nothing) for each in ("one", "other")]
    record = Record(tmp_path / "seen", resume=False)
    record.note(Attempt(trials[0], fired={name: 1.0}, silent={name: 2.0}))
    assert [record.has(each) for each in trials] == [True, False]
    record.note(Attempt(trials[1], fired={name: 3.0}, silent={name: 4.0}))
    again = Record(tmp_path / "seen", resume=True)
    assert all(map(again.has, trials))
    lines = [line.split()[1:6] for line in again.table() if line.startswith(name)]
    assert lines == [["one", "1", "s", "2", "s"], ["other", "3", "s", "4", "s"]]


def test_there_is_a_trial_for_every_alert_but_the_heartbeat_and_no_two_have_one_name(tmp_path: Path) -> None:
    found = list(trials(tmp_path))
    names = [each.name for each in found]
    assert len(set(names)) == len(names)
    tried = Counter(name for each in found for name in each.alerts)
    once = dict.fromkeys({each.name for each in ALERTS} - {"BowerbirdWatchdog"}, 1)
    # Of that one the issuer measures a half, and the verifier the other.
    assert tried == once | {"BowerbirdRevocationLate": 2}
