"""The commands `bowerbird conformance` and `conformance-down`: start, print a ready configuration, stop."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from conformance.configuration import as_json, as_local_config
from conformance.server import HOST, run
from deploy.certificate import write_private
from deploy.embedded.commands import told
from deploy.embedded.layout import SOURCE_ROOT, Layout
from deploy.embedded.problems import StackError
from deploy.embedded.processes import Identity, PidFile, spawn, stop
from libs.common.settings import SettingsError

PORT = 8443
JSON_FILE, LOCAL_CONFIG = "configuration.json", "localConfig.cjs"
_LOG = "conformance.log"
_START_SECONDS = 180.0
_GRACE_SECONDS = 10.0
_WARNING = (
    "bowerbird: these endpoints sign whatever they are sent, in anybody's name, for whoever has the key below. "
    "They are for conformance suites on this machine, never for production."
)


def conformance(
    *,
    port: Annotated[int | None, Parameter(help="HTTPS port on loopback; 8443 plus the stack's port offset")] = None,
    background: Annotated[
        bool, Parameter(negative="", help="return when it is ready; conformance-down stops it")
    ] = False,
) -> int:
    """Serve the VC API over HTTPS for conformance suites; print a ready configuration."""
    return told(lambda: _start(Layout.from_environment(), port, background=background))


def conformance_down() -> int:
    """Stop what `bowerbird conformance` started."""
    return told(lambda: _down(Layout.from_environment()))


def _start(layout: Layout, port: int | None, *, background: bool) -> int:
    chosen = PORT + layout.offset if port is None else port
    folder = _folder(layout)
    running = _pid_file(layout).read()
    if running is not None and running.pid != os.getpid():
        if not background:
            raise StackError(f"It runs already, as process {running.pid}.", "Stop it: `bowerbird conformance-down`.")
        print(f"It runs already, as process {running.pid}; `bowerbird conformance-down` stops it.", file=sys.stderr)
        _show(folder)
        return 0
    print(_WARNING, file=sys.stderr)
    return _in_background(layout, chosen) if background else _in_foreground(layout, chosen)


def _in_foreground(layout: Layout, port: int) -> int:
    folder, pid_file = _folder(layout), _pid_file(layout)

    def ready(configuration: Mapping[str, object]) -> None:
        _write(folder, dict(configuration))
        _show(folder)
        identity = Identity.of(os.getpid())
        if identity is not None:
            pid_file.write(identity, str(port))

    try:
        asyncio.run(run(folder, port, ready))
    except (SettingsError, OSError) as error:
        raise StackError(
            f"It did not start on port {port}: {error}.", "Correct that, or name another port: --port."
        ) from error
    finally:
        pid_file.remove()
    return 0


def _in_background(layout: Layout, port: int) -> int:
    folder, log = _folder(layout), _folder(layout) / _LOG
    log.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "bowerbird", "conformance", "--port", str(port)]
    child = spawn(argv, {**os.environ, "PYTHONPATH": str(SOURCE_ROOT)}, log, Path.cwd())
    deadline = time.monotonic() + _START_SECONDS
    while not (_pid_file(layout).read() and _answers(port)):
        if child.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise StackError(f"It did not start. {lines[-1] if lines else ''}", f"Its log is {log}.")
        time.sleep(0.1)
    _show(folder)
    print(f"It runs in the background, as process {child.pid}; `make conformance-down` stops it.", file=sys.stderr)
    return 0


def _down(layout: Layout) -> int:
    running = _pid_file(layout).read()
    if running is None:
        print("It was not running.")
        return 0
    stop(running, _GRACE_SECONDS)
    _pid_file(layout).remove()
    print("Stopped.")
    return 0


def _answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _write(folder: Path, configuration: dict[str, Any]) -> None:
    """Write the configuration in both forms; it holds the key, so its owner alone may read it."""
    write_private(folder / JSON_FILE, as_json(configuration).encode())
    write_private(folder / LOCAL_CONFIG, as_local_config(configuration).encode())


def _show(folder: Path) -> None:
    for name in (JSON_FILE, LOCAL_CONFIG):
        print(f"# {folder / name}")
        print((folder / name).read_text(encoding="utf-8"), flush=True)


def _folder(layout: Layout) -> Path:
    layout.create()
    folder = layout.var / "conformance"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _pid_file(layout: Layout) -> PidFile:
    # Not among the stack's own: `bowerbird down` leaves it alone.
    return PidFile(layout.var / "conformance" / "conformance.pid")
