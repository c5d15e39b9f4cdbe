"""Trials of alerts about processes: killed, restarted, stalled, with a wrong clock, flooded, with a full disk."""

import concurrent.futures
import contextlib
import itertools
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx

from libs.access.key_text import new_key
from tests.faults.live_faults import SECONDS, Alarms, Trial, free_address, nothing
from tests.faults.live_prometheus import Target, program

_AHEAD_SECONDS: Final = 8
_STALL_SECONDS: Final = 1.5
_FLOODERS: Final = 40
_AT_ONCE: Final = 10
_REQUESTS: Final = 100
_DISK_BYTES: Final = 64 * 2**20
_FILLED: Final = 0.97
REGISTRY: Final = "registry.json"
REGISTRIES: Final = "registries.json"


def of_processes(alarms: Alarms) -> Iterator[Trial]:
    """Faults of single processes, each of another one, which can be tried at the same time."""
    stack, prometheus = alarms.stack, alarms.prometheus

    def crash() -> None:
        # As soon as Prometheus may have seen that it runs.
        stack.restart("verifier")
        time.sleep(2)

    def stall() -> None:
        stack.signal("issuer", signal.SIGSTOP)
        time.sleep(_STALL_SECONDS)
        stack.signal("issuer", signal.SIGCONT)

    yield Trial("crashes", frozenset({"BowerbirdCrashLoop"}), nothing, nothing, crash)
    yield Trial("stall", frozenset({"BowerbirdLoopStalls"}), stall)
    yield Trial(
        "killed",
        frozenset({"BowerbirdServiceDown", "BowerbirdConsumerGroupEmpty"}),
        lambda: stack.kill("notifier"),
        lambda: stack.start("notifier"),
    )
    yield Trial(
        "no-target",
        frozenset({"BowerbirdServiceMissing"}),
        lambda: prometheus.ask("evidence", None),
        lambda: prometheus.ask_ours("evidence"),
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

    yield Trial("clock", frozenset({"BowerbirdClockOff"}), advance, lambda: stack.restart("notifier"))


def of_logs(alarms: Alarms) -> Iterator[Trial]:
    """A service that may write no more to its log, as where the disk is full."""
    stack = alarms.stack

    def limit(size: str) -> None:
        subprocess.run([program("prlimit"), f"--pid={stack.pid('verifier')}", f"--fsize={size}:"], check=True)

    def fill() -> None:
        limit(str(stack.log("verifier").stat().st_size))

    def write() -> None:
        stack.signal("verifier", signal.SIGHUP)

    yield Trial("log", frozenset({"BowerbirdLogLinesLost"}), fill, lambda: limit("unlimited"), write)


def of_files(alarms: Alarms) -> Iterator[Trial]:
    """Files that are read again and are no longer what they must be."""
    stack, folder = alarms.stack, alarms.folder
    registries = (folder / REGISTRIES).read_bytes()
    registry = (folder / REGISTRY).read_bytes()

    def reload(content: bytes) -> None:
        (folder / REGISTRIES).write_bytes(content)
        stack.signal("verifier", signal.SIGHUP)

    yield Trial(
        "bad-reload", frozenset({"BowerbirdReloadFails"}), lambda: reload(b"no JSON"), lambda: reload(registries)
    )
    yield Trial(
        "bad-registry",
        frozenset({"BowerbirdTrustedRegistryOld"}),
        lambda: (folder / REGISTRY).write_bytes(b"no JSON"),
        lambda: (folder / REGISTRY).write_bytes(registry),
    )


def _from(number: int) -> httpx.Client:
    """Return a client at an address of its own, for the limits of addresses."""
    transport = httpx.HTTPTransport(local_address=f"127.0.77.{number}", retries=0)
    return httpx.Client(transport=transport, trust_env=False, timeout=SECONDS)


def of_strangers(alarms: Alarms) -> Iterator[Trial]:
    """What others do to the edge."""
    stack = alarms.stack
    one = _from(1)
    many = [_from(number) for number in range(2, 2 + _FLOODERS)]
    numbers = itertools.count()

    def look(_: int) -> None:
        with contextlib.suppress(httpx.TransportError):
            one.get(f"{stack.url('verifier')}/issuers/alerts")

    def flood() -> None:
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(look, range(_REQUESTS)))

    def guess() -> None:
        for _ in range(3):
            with contextlib.suppress(httpx.TransportError):
                headers = {"authorization": f"Bearer {new_key()}"}
                one.get(f"{stack.url('notifier')}/v1/deliveries", headers=headers)

    def submit(client: httpx.Client) -> None:
        document = {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "id": f"urn:x:{next(numbers)}",
            "type": ["VerifiableCredential"],
            "credentialSubject": [{"id": f"urn:{number}"} for number in range(99)],
        }
        with contextlib.suppress(httpx.TransportError):
            client.post(f"{stack.url('verifier')}/v1/verify", json=document)

    def verify() -> None:
        with concurrent.futures.ThreadPoolExecutor(_FLOODERS) as pool:
            list(pool.map(submit, many))

    yield Trial("flood", frozenset({"BowerbirdEdgeRefuses"}), nothing, nothing, flood)
    yield Trial("guesses", frozenset({"BowerbirdAccessRefused"}), nothing, nothing, guess)
    yield Trial("many-documents", frozenset({"BowerbirdWorkersBusy"}), nothing, nothing, verify)


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
