"""What must be so before the stack is started; each thing that is not is one sentence and what to do about it."""

import importlib.util
import shutil
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import psutil

from deploy.embedded import kafka, mongodb, programs, secrets, tansu
from deploy.embedded.layout import HOST, SECURED, SOURCE_ROOT, Layout
from deploy.embedded.problems import StackError
from deploy.embedded.services import TABLE, Broker

_OLDEST_PYTHON: Final = (3, 11)
_MODULES: Final = ("aiokafka", "aiosmtpd", "fastapi", "faststream", "motor", "pydantic", "structlog", "uvicorn")
_LEAST_FREE_BYTES: Final = 2 * 1024**3
LEAST_FREE_TO_RUN: Final = 256 * 1024**2
_GIB: Final = 1024**3


def check(layout: Layout, wanted: str, tell: Callable[[str], None]) -> Broker:
    """Go through everything that a start needs, create the directories, fetch what is missing; the broker to start.

    Raises:
        StackError: at the first thing that is missing.
    """
    require_machine(sys.version_info[:2], sys.platform)
    require_modules(_MODULES)
    layout.create()
    secrets.prepare(layout)
    require_space(layout.var, shutil.disk_usage(layout.var).free)
    require_ports(layout)
    mongodb.find()
    broker = programs.choose_broker(wanted, tell)
    if broker == "kafka":
        kafka.require_java()
        kafka.fetch(tell)
    else:
        if layout.secured:
            raise StackError(
                "Tansu asks nobody who calls.", f"Install Java and Maven for Apache Kafka, or unset {SECURED}."
            )
        tansu.find()
    return broker


def require_machine(python: tuple[int, int], platform: str) -> None:
    """Python and the operating system must be ones that this runs on."""
    if python < _OLDEST_PYTHON:
        raise StackError(
            f"This is Python {python[0]}.{python[1]}, and Bowerbird needs 3.11 or later.",
            "Install a later Python, then run `make env`.",
        )
    if platform != "linux":
        raise StackError(
            f"The embedded stack runs on Linux, and this is {platform}.", "Use docker-compose.yml: `docker compose up`."
        )


def require_modules(names: Iterable[str]) -> None:
    """The environment must hold what the lock files name."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise StackError(
                f"The Python module {name} is missing in {sys.prefix}.", f"Run `make env` in {SOURCE_ROOT}."
            )


def require_space(directory: Path, free: int, least: int = _LEAST_FREE_BYTES) -> None:
    """MongoDB and Kafka fail badly on a full disk: refuse to begin near one."""
    if free < least:
        raise StackError(
            f"The disk that holds {directory} has {free / _GIB:.1f} GiB free, and the stack needs"
            f" {least / _GIB:g} GiB.",
            "Free some space, or name a directory on another disk in BOWERBIRD_STACK_VAR.",
        )


def require_ports(layout: Layout) -> None:
    """Every port must be free, or in use by a process of this very stack."""
    taken_over = {name for name, pid_file in layout.pid_files.items() if pid_file.read() is not None}
    for service in TABLE:
        keys = [service.port, "kafka-controller"] if service.name == "kafka" else [service.port]
        for key in keys:
            if key is not None and service.name not in taken_over and not _free(layout.port(key)):
                raise busy(layout.port(key), service.name, holder(layout.port(key)))


def busy(port: int, name: str, by: str | None) -> StackError:
    """The sentence about a port that somebody else uses."""
    return StackError(
        f"Port {port}, which {name} needs, is used by {by or 'a process of another user'}.",
        "Stop that, or move this stack to other ports: BOWERBIRD_STACK_PORT_OFFSET=100.",
    )


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str | None:
    """Who listens on a port, as far as this user may see."""
    try:
        pids = {each.pid for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port}
        for pid in pids - {None}:
            return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return None
    return None
