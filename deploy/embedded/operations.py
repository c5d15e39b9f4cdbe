"""Starting, stopping and looking at an embedded stack, as the commands do it; no printing here."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import psutil

from deploy.embedded import logs, preflight, programs, state
from deploy.embedded.layout import OFFSET, SECURED, SOURCE_ROOT, Layout
from deploy.embedded.problems import StackError
from deploy.embedded.processes import Identity, gone_within, spawn, stop
from deploy.embedded.programs import GRACE_SECONDS
from deploy.embedded.services import INFRASTRUCTURE, TABLE, Broker
from deploy.embedded.state import StackState
from deploy.embedded.supervisor import NAME as SUPERVISOR

_START_SECONDS: Final = 300
_STOP_SECONDS: Final = 90
_POLL_SECONDS: Final = 0.1
_HOPELESS: Final = 5
"""So many deaths of one process during a start, and the start is given up."""

Show = Callable[[StackState], None]


@dataclass(frozen=True, slots=True)
class Process:
    """What `status` found of one process; `since` is when it was started, seconds since the epoch."""

    name: str
    condition: str
    pid: int | None
    since: float | None
    restarts: int


def supervisor(layout: Layout) -> Identity | None:
    """The supervisor of this stack, if it runs."""
    return layout.pid_file(SUPERVISOR).read()


def broker(layout: Layout) -> Broker | None:
    """The broker of the stack that runs."""
    known = StackState.read(layout)
    return known.broker if known is not None else None


def orphans(layout: Layout) -> dict[str, Identity]:
    """Processes of this stack that run, by name, without the supervisor."""
    found = {name: pid_file.read() for name, pid_file in layout.pid_files.items() if name != SUPERVISOR}
    return {name: identity for name, identity in found.items() if identity is not None}


def running(layout: Layout) -> Layout | None:
    """Return the stack in this directory as it runs; None where none of it runs."""
    known = StackState.read(layout)
    runs = supervisor(layout) is not None or bool(orphans(layout))
    return Layout(layout.var, known.offset, known.secured) if known is not None and runs else None


def up(layout: Layout, wanted: str, tell: Callable[[str], None]) -> Broker:
    """Start the supervisor unless it runs; the broker that the stack uses. `wait_up` waits for the rest.

    Raises:
        StackError: something that the start needs is missing, or the stack runs with another broker.
    """
    running = supervisor(layout) is not None
    if running:
        require_space_to_run(layout)
    else:
        _spawn_supervisor(layout, preflight.check(layout, wanted, tell))
    deadline = time.monotonic() + _START_SECONDS
    while (known := StackState.read(layout)) is None:
        time.sleep(_POLL_SECONDS)
        if supervisor(layout) is None or time.monotonic() > deadline:
            raise explain(layout, SUPERVISOR, "did not start")
    if running and wanted not in {"auto", known.broker}:
        raise StackError(f"The stack runs with {known.broker} already.", "Stop it first: `make down`.")
    return known.broker


def require_space_to_run(layout: Layout) -> None:
    """On a full disk the stores stop, and what the supervisor noted last is out of date.

    Raises:
        StackError: the disk is full, or nearly.
    """
    preflight.require_space(layout.var, shutil.disk_usage(layout.var).free, preflight.LEAST_FREE_TO_RUN)


def _spawn_supervisor(layout: Layout, broker: Broker) -> None:
    """Start the supervisor and return when it has noted its pid."""
    state.forget(layout)
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE_ROOT),
        "BOWERBIRD_STACK_VAR": str(layout.var),
        OFFSET: str(layout.offset),
        SECURED: "true" if layout.secured else "false",
    }
    argv = [sys.executable, "-m", "deploy.embedded.supervisor", broker]
    child = spawn(argv, environment, layout.log_file(SUPERVISOR), SOURCE_ROOT)
    while supervisor(layout) is None:
        if child.poll() is not None:
            raise explain(layout, SUPERVISOR, "did not start")
        time.sleep(_POLL_SECONDS)


def wait_up(layout: Layout, show: Show) -> None:
    """Wait until every process does its work, showing how it goes.

    Raises:
        StackError: a process dies again and again, or is not healthy in time.
    """
    deadline = time.monotonic() + _START_SECONDS
    first = StackState.read(layout) or StackState()
    before = {name: each.restarts for name, each in first.processes.items()}
    while True:
        current = StackState.read(layout)
        if current is None or supervisor(layout) is None:
            raise explain(layout, SUPERVISOR, "ended while the stack was starting")
        show(current)
        if current.complete:
            return
        for name, each in current.processes.items():
            if each.condition == "restarting" and each.restarts - before.get(name, 0) >= _HOPELESS:
                raise explain(layout, name, f"does not start: it {each.problem}")
            if time.monotonic() > deadline and each.condition not in {"healthy", "done"}:
                raise explain(layout, name, f"was not healthy after {_START_SECONDS} s")
        time.sleep(_POLL_SECONDS)


def explain(layout: Layout, name: str, how: str) -> StackError:
    """The sentence about a process that fails, from what it wrote last where that says more."""
    log = layout.log_file(name)
    lines = logs.last_lines(log)
    text = "\n".join(lines)
    if "No space left on device" in text or "ENOSPC" in text:
        return StackError(
            f"{name} {how}: the disk that holds {layout.var} is full.", "Free some space and start again."
        )
    if "Address already in use" in text or "EADDRINUSE" in text:
        return StackError(f"{name} {how}: a port that it needs was taken meanwhile.", "Run `make up` again.")
    last = f" It says: {logs.cause(lines).rstrip('.')}." if lines else ""
    return StackError(f"{name} {how}.{last}", f"Its log is {log}.")


def down(layout: Layout, show: Show) -> int:
    """Stop the supervisor and its processes, and those that an earlier one left; how many processes there were."""
    keeper = supervisor(layout)
    count = len(orphans(layout))
    if keeper is not None:
        keeper.send(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while keeper.alive() and time.monotonic() < deadline:
            current = StackState.read(layout)
            if current is not None:
                show(current)
            time.sleep(_POLL_SECONDS)
        show(StackState.read(layout) or StackState())
        if keeper.alive():
            keeper.send(signal.SIGKILL)
            gone_within(keeper, 5)
    left = orphans(layout)
    for group in (set(left) - set(INFRASTRUCTURE), set(left) & set(INFRASTRUCTURE)):
        with ThreadPoolExecutor(max_workers=len(TABLE)) as pool:
            list(pool.map(lambda name: stop(left[name], GRACE_SECONDS), group))
    for pid_file in layout.pid_files.values():
        pid_file.remove()
    state.forget(layout)
    return count


def look(layout: Layout) -> list[Process]:
    """What every process does at this moment: asked now, not remembered."""
    known = StackState.read(layout) or StackState()
    names = [service.name for service in TABLE]
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        return list(pool.map(lambda name: _look_at(layout, name, known), names))


def _started(identity: Identity) -> float | None:
    try:
        return psutil.Process(identity.pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _look_at(layout: Layout, name: str, known: StackState) -> Process:
    remembered = known.processes.get(name)
    identity = layout.pid_file(name).read()
    restarts = remembered.restarts if remembered is not None else 0
    if identity is None:
        done = remembered is not None and remembered.condition == "done"
        condition = "done" if done else "not running"
        if remembered is not None and remembered.problem and not done:
            condition = f"not running: {remembered.problem}"
        return Process(name, condition, None, None, restarts)
    ready = programs.probe(layout, name)()
    condition = "healthy" if ready else programs.startup_failure(layout, name)
    return Process(name, condition, identity.pid, _started(identity), restarts)
