"""`make bench-stores`: the memory of backup, restore, republish and audit, with credentials and with ten times so many.

On an embedded stack of its own, which is removed at the end. Stores are filled with copies of issued credentials; the
topics by `republish`, whose records they then have.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Final

from cyclopts import App, Parameter
from pymongo import MongoClient
from rich.console import Console

from benchmarks import tenant
from benchmarks.fill import PIECES, copy, issue, settled
from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Stack

_SERVICES: Final = ("evidence", "issuer", "verifier", "notifier")
_TIMES: Final = 10
# What grows by less is what a program takes that has seen more, not what it holds.
_FLAT: Final = 1.5

app = App(name="store-commands", help="Measure the memory of the commands that read whole stores.")
_OUT = Console(highlight=False)


@dataclass(frozen=True)
class Run:
    """What one command took.

    Attributes:
        command: its words.
        credentials: that were stored.
        seconds: from its start to its end.
        peak_mb: the most memory that it held at once (resident, in 10^6 bytes).
        status: that it ended with.
    """

    command: str
    credentials: int
    seconds: float
    peak_mb: float
    status: int


@app.default
def main(
    *,
    credentials: Annotated[int, Parameter(help="of the first measurement; the second has ten times so many")] = 20_000,
    port_offset: Annotated[int, Parameter(help="added to every port of the stack")] = 700,
) -> int:
    """Measure, print, write VAR/bench/store-commands.json; 1 where memory grows or a command fails."""
    folder = SOURCE_ROOT / "var" / "bench"
    place = folder / "stores"
    shutil.rmtree(place, ignore_errors=True)
    with Stack(place, port_offset) as stack:
        stack.start("mongodb", "kafka", "setup")
        stack.start(*_SERVICES, "smtp")
        found, issued = asyncio.run(_issue(stack))
        runs: list[Run] = []
        for size in (credentials, credentials * _TIMES):
            with _database(stack) as client:
                copies = -(-(size - issued) // _EARNED)
                copy(client, found, copies)
            issued += copies * _EARNED
            runs += _measure(stack, place / f"backup-{size}", issued)
    shutil.rmtree(place)
    (folder / "store-commands.json").write_text(json.dumps([asdict(each) for each in runs], indent=2) + "\n", "utf-8")
    few, many = runs[: len(runs) // 2], runs[len(runs) // 2 :]
    for small, large in zip(few, many, strict=True):
        times = f"x {large.peak_mb / small.peak_mb:.2f}, {large.seconds / small.seconds:.1f} times as long"
        _OUT.print(f"{small.command:28} {small.peak_mb:6.0f} MB -> {large.peak_mb:6.0f} MB: {times}", soft_wrap=True)
    flat = all(large.peak_mb < _FLAT * small.peak_mb for small, large in zip(few, many, strict=True))
    # Copies stand in no status list, and the audit says so.
    return 0 if flat and not any(each.status for each in runs if not each.command.startswith("audit ")) else 1


_EARNED: Final = tenant.credentials_of(0, PIECES)


async def _issue(stack: Stack) -> tuple[dict[tuple[str, str], list[dict[str, Any]]], int]:
    """Return what a few credentials left in the stores, and how many they are."""
    issuer_id = await issue(stack.layout)
    with _database(stack) as client:
        return await asyncio.to_thread(settled, client, issuer_id), _EARNED


def _database(stack: Stack) -> MongoClient[dict[str, Any]]:
    return MongoClient(stack.mongo_url, uuidRepresentation="standard", tz_aware=True)


def _measure(stack: Stack, backup: Path, credentials: int) -> list[Run]:
    runs = [
        _run(stack, credentials, "republish", "--yes"),
        _run(stack, credentials, "backup", str(backup)),
        _run(stack, credentials, "audit", "promises", "--grace", "0"),
    ]
    stack.stop(*_SERVICES)
    stack.lose("mongodb")
    stack.start("mongodb")
    runs.append(_run(stack, credentials, "restore", str(backup), "--yes"))
    stack.start("setup")
    stack.start(*_SERVICES)
    return runs


def _run(stack: Stack, credentials: int, *words: str) -> Run:
    environment = {**os.environ, **stack.environment("issuer"), "PYTHONPATH": str(SOURCE_ROOT)}
    started = monotonic()
    with (stack.layout.var / f"{words[0]}-{credentials}.log").open("w", encoding="utf-8") as log:
        argv = (sys.executable, "-m", "bowerbird", *words)
        child = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)  # noqa: S603  # our own command
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    command = " ".join(each for each in words if "/" not in each)
    seconds, peak = round(monotonic() - started, 1), round(usage.ru_maxrss * 1024 / 1e6, 1)
    run = Run(command, credentials, seconds, peak, child.returncode)
    _OUT.print(f"{command}: {credentials:,} credentials, {run.seconds} s, {run.peak_mb} MB, exit {child.returncode}")
    return run


if __name__ == "__main__":
    sys.exit(app())
