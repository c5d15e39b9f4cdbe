"""What the machine gives and what the processes take: Ed25519 signatures a second, CPU seconds by process."""

import contextlib
from collections.abc import Mapping
from time import process_time

import psutil
from nacl.signing import SigningKey

from deploy.embedded.layout import Layout
from deploy.embedded.processes import PidFile

PROCESSES = ("evidence", "issuer", "verifier", "notifier", "mongodb", "kafka")
_ED25519_ROUND = 500


def ed25519_per_second(seconds: float = 2.0) -> float:
    """Signatures over 64 bytes (two SHA-256, as a Data Integrity proof signs) a second of one core, by libsodium."""
    key, message = SigningKey(bytes(range(32))), bytes(64)
    started, done = process_time(), 0
    while (spent := process_time() - started) < seconds:
        for _ in range(_ED25519_ROUND):
            key.sign(message)
        done += _ED25519_ROUND
    return done / spent


def cpu_seconds(layout: Layout) -> dict[str, float]:
    """User and system time that each process of the stack has taken so far, its children and replicas included."""
    taken = dict.fromkeys(PROCESSES, 0.0)
    for path in layout.run.glob("*.pid"):
        name = path.stem.split("-")[0]
        identity = PidFile(path).read()
        if name in taken and identity is not None:
            taken[name] += _with_children(identity.pid)
    own = psutil.Process().cpu_times()
    return {**taken, "benchmark": own.user + own.system}


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Seconds taken between two looks, rounded to hundredths."""
    return {name: round(after[name] - before[name], 2) for name in after}


def stack_seconds(taken: Mapping[str, float]) -> float:
    """Return what the stack's processes took together, without the benchmark itself."""
    return sum(seconds for name, seconds in taken.items() if name in PROCESSES)


def _with_children(pid: int) -> float:
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                total += times.user + times.system
    return total
