"""Trials of alerts about processes: killed, restarted, stalled, with a wrong clock, flooded, with a full disk."""

import concurrent.futures
import contextlib
import functools
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx

from libs.access.key_text import new_key
from tests.faults.live_faults import SCHOOL, SECONDS, Alarms, Trial, free_address, nothing
from tests.faults.live_prometheus import Target, program

_AHEAD_SECONDS: Final = 8
_STALL_SECONDS: Final = 1.5
_FLOODERS: Final = 20
_AT_ONCE: Final = 10
_REQUESTS: Final = 100
_DISK_BYTES: Final = 64 * 2**20
_FILLED: Final = 0.97
_LONG: Final = timedelta(days=3650)
CANARY_SECONDS: Final = 60.0
REGISTRY: Final = "registry.json"
REGISTRIES: Final = "registries.json"


def of_processes(alarms: Alarms) -> Iterator[Trial]:
    """Faults of single processes."""
    stack, prometheus = alarms.stack, alarms.prometheus

    def crash() -> None:
        # As soon as Prometheus may have seen that it runs.
        stack.restart("verifier")
        time.sleep(2)

    def stall() -> None:
        stack.signal("evidence", signal.SIGSTOP)
        time.sleep(_STALL_SECONDS)
        stack.signal("evidence", signal.SIGCONT)

    yield Trial("crashes", frozenset({"BowerbirdCrashLoop"}), nothing, nothing, crash, labels={"service": "verifier"})
    yield Trial("stall", frozenset({"BowerbirdLoopStalls"}), stall, labels={"service": "evidence"}, settles=False)
    yield Trial(
        "killed",
        frozenset({"BowerbirdServiceDown", "BowerbirdConsumerGroupEmpty"}),
        lambda: stack.kill("notifier"),
        lambda: stack.start("notifier"),
        labels={"service": "notifier"},
    )
    yield Trial(
        "no-target",
        frozenset({"BowerbirdServiceMissing"}),
        lambda: prometheus.ask("evidence", None),
        lambda: prometheus.ask_ours("evidence"),
        labels={"service": "evidence"},
    )


def of_clocks(alarms: Alarms) -> Iterator[Trial]:
    """A service whose clock is ahead, by libfaketime."""
    stack = alarms.stack

    def advance() -> None:
        library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
        if library is None:
            raise LookupError("there is no libfaketime: apt-get install faketime")
        # Timers and intervals stay as they are: it is the date alone that is wrong.
        ahead = {"FAKETIME": f"+{_AHEAD_SECONDS}s", "DONT_FAKE_MONOTONIC": "1", "LD_PRELOAD": str(library)}
        stack.restart("notifier", env=ahead)

    off = frozenset({"BowerbirdClockOff"})
    yield Trial("clock", off, advance, lambda: stack.restart("notifier"), labels={"service": "notifier"})


def of_logs(alarms: Alarms) -> Iterator[Trial]:
    """A service that may write no more to its log, as where the disk is full."""
    stack = alarms.stack

    def limit(size: str) -> None:
        subprocess.run([program("prlimit"), f"--pid={stack.pid('verifier')}", f"--fsize={size}:"], check=True)

    def fill() -> None:
        limit(str(stack.log("verifier").stat().st_size))

    def write() -> None:
        stack.signal("verifier", signal.SIGHUP)

    lost = frozenset({"BowerbirdLogLinesLost"})
    yield Trial("log", lost, fill, lambda: limit("unlimited"), write, labels={"service": "verifier"})


def of_files(alarms: Alarms) -> Iterator[Trial]:
    """Files that are read again and are no longer what they must be."""
    stack = alarms.stack
    registries, registry = Spoilt(alarms.folder / REGISTRIES), Spoilt(alarms.folder / REGISTRY)

    def reload() -> None:
        stack.signal("verifier", signal.SIGHUP)

    def spoil() -> None:
        registries.spoil()
        reload()

    def mend() -> None:
        registries.mend()
        reload()

    fails = frozenset({"BowerbirdReloadFails"})
    yield Trial("bad-reload", fails, spoil, mend, labels={"service": "verifier"}, settles=False)
    yield Trial("bad-registry", frozenset({"BowerbirdTrustedRegistryOld"}), registry.spoil, registry.mend)


class Spoilt:
    """A file that is no longer what it must be, and is again."""

    def __init__(self, path: Path) -> None:
        """Take where it is."""
        self._path = path
        self._content = b""

    def spoil(self) -> None:
        """Write something else."""
        self._content = self._path.read_bytes()
        self._path.write_bytes(b"no JSON")

    def mend(self) -> None:
        """Write what it was."""
        self._path.write_bytes(self._content)


@functools.cache
def _from(number: int) -> httpx.Client:
    """Return a client at an address of its own, for the limits of addresses."""
    transport = httpx.HTTPTransport(local_address=f"127.0.77.{number}", verify=False, retries=0)
    return httpx.Client(transport=transport, trust_env=False, timeout=SECONDS)


def guess_keys(alarms: Alarms, service: str, path: str) -> None:
    """Ask with keys that nobody has."""
    for _ in range(3):
        with contextlib.suppress(httpx.TransportError):
            headers = {"authorization": f"Bearer {new_key()}"}
            _from(1).get(f"{alarms.stack.url(service)}{path}", headers=headers)


def of_strangers(alarms: Alarms) -> Iterator[Trial]:
    """What others do to the edge."""
    stack = alarms.stack

    def look(_: int) -> None:
        with contextlib.suppress(httpx.TransportError):
            _from(1).get(f"{stack.url('verifier')}/issuers/{SCHOOL}/did.json")

    def flood() -> None:
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(look, range(_REQUESTS)))

    yield Trial("flood", frozenset({"BowerbirdEdgeRefuses"}), nothing, nothing, flood, labels={"service": "verifier"})
    yield Trial(
        "guesses",
        frozenset({"BowerbirdAccessRefused"}),
        nothing,
        nothing,
        lambda: guess_keys(alarms, "notifier", "/v1/deliveries"),
        labels={"service": "notifier"},
    )


def _below(pid: int) -> Iterator[int]:
    """Return the processes that this one has started, and those that they have."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _below(child)


def of_workers(alarms: Alarms) -> Iterator[Trial]:
    """Workers of the verifier that hang: nobody's documents are checked, nor those of synthetic learners."""
    stack = alarms.stack
    numbers = itertools.count()
    stopped: set[int] = set()

    def submit(number: int) -> None:
        document = {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "id": f"urn:x:{next(numbers)}",
            "type": ["VerifiableCredential"],
            "credentialSubject": {"id": "urn:x"},
        }
        with contextlib.suppress(httpx.TransportError):
            _from(number).post(f"{stack.url('verifier')}/v1/verify", json=document)

    def hang() -> None:
        for pid in _below(stack.pid("verifier")):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                stopped.add(pid)
        with concurrent.futures.ThreadPoolExecutor(_FLOODERS) as pool:
            list(pool.map(submit, range(2, 2 + _FLOODERS)))

    def go_on() -> None:
        for pid in stopped & set(_below(stack.pid("verifier"))):
            os.kill(pid, signal.SIGCONT)

    yield Trial(
        "hung-workers",
        frozenset({"BowerbirdWorkersBusy", "BowerbirdCanaryMissing", "BowerbirdCanariesLost"}),
        nothing,
        go_on,
        hang,
        labels={"service": "verifier", "stage": "verified"},
    )


def of_lives(alarms: Alarms) -> Iterator[Trial]:
    """Deliveries that are kept beyond their life, since nothing removes them."""
    stack = alarms.stack

    def keep() -> None:
        with alarms.database("notifier") as database:
            sent = database["deliveries"].find_one({"state": "sent"})
            assert sent is not None, "nothing was sent yet"
            database["deliveries"].update_one(
                {"_id": sent["_id"]}, {"$set": {"changed_at": sent["changed_at"] - _LONG}}
            )
        stack.restart("notifier", env={"BOWERBIRD_RETENTION_ENFORCED": "false"})

    yield Trial("kept-long", frozenset({"BowerbirdRetentionBehind"}), keep, lambda: stack.restart("notifier"))


class Disk:
    """A disk of its own, a file that is mounted, and the exporter that sees it and the machine's own not."""

    def __init__(self, alarms: Alarms) -> None:
        """Take where its file and its mount are."""
        self._alarms = alarms
        self._place = alarms.folder / "disk"

    def fill(self) -> None:
        """Mount it, fill nearly all of it, and let Prometheus see it: as it was filled long ago."""
        image = self._place.with_suffix(".image")
        with image.open("wb") as file:
            file.truncate(_DISK_BYTES)
        self._place.mkdir()
        subprocess.run([program("mkfs.ext4"), "-q", "-m", "0", image], check=True)
        subprocess.run([program("mount"), "-o", "loop", image, self._place], check=True)
        self._alarms.at_end.callback(self._unmount)
        self._filling.write_bytes(bytes(int(_FILLED * shutil.disk_usage(self._place).total)))
        address = free_address()
        run = (
            program("prometheus-node-exporter"),
            "--collector.disable-defaults",
            "--collector.filesystem",
            "--collector.filesystem.mount-points-exclude=^/($|dev|proc|sys|mnt|run)",
            f"--web.listen-address={address}",
        )
        self._alarms.run(*run)
        self._alarms.prometheus.ask("node", Target("node", address))

    def _unmount(self) -> None:
        subprocess.run([program("umount"), "--lazy", self._place], check=True)

    def empty(self) -> None:
        """Make room again."""
        self._filling.unlink()

    @property
    def _filling(self) -> Path:
        return self._place / "filling"


def of_disks(alarms: Alarms) -> Iterator[Trial]:
    """A disk that is full."""
    disk = Disk(alarms)
    yield Trial("disk", frozenset({"BowerbirdDiskLow", "BowerbirdDiskFull"}), disk.fill, disk.empty)
