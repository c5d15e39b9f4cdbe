"""What SIGHUP does: read anew what settings name and operators exchange while services run, such as certificates."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from cryptography import x509

from libs.common import metrics
from libs.common.settings import Settings, SettingsError
from libs.common.telemetry import get_logger

Reload = Callable[[], Awaitable[None]]


class Reloads:
    """What is read anew; each on its own, so that one that cannot be used leaves all others, and itself, as it was."""

    def __init__(self) -> None:
        self._works: dict[str, Reload] = {}
        self._running: set[asyncio.Task[None]] = set()

    def add(self, name: str, work: Reload) -> None:
        """Do this too from now on; `work` raises SettingsError or OSError where what it reads cannot be used."""
        self._works[name] = work

    def on_hangup(self) -> None:
        """Read everything anew whenever this process gets SIGHUP from now on."""

        def begin() -> None:
            task = asyncio.ensure_future(self.run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, begin)

    async def run(self) -> None:
        """Read everything anew."""
        for name, work in self._works.items():
            try:
                await work()
            except Exception as error:  # noqa: BLE001  # whatever one part meets, the others are read
                metrics.RELOADS.labels("failed").inc()
                told = isinstance(error, SettingsError | OSError)
                get_logger().error("not reloaded", part=name, problem=str(error) if told else type(error).__name__)
            else:
                metrics.RELOADS.labels("done").inc()
                get_logger().info("reloaded", part=name)


def certificate_files(settings: Settings) -> Mapping[str, Path | None]:
    """Return the files of certificates that every service's settings name, by what they are for."""
    return {"https": settings.tls_cert_file, "kafka": settings.kafka_ca_file, "mongodb": settings.mongo_ca_file}


def observe_certificates(files: Mapping[str, Path | None]) -> None:
    """Show when the first certificate of each file ends.

    Raises:
        OSError: a file cannot be read.
        SettingsError: a file holds no certificates in PEM.
    """
    for name, path in files.items():
        if path is None:
            continue
        try:
            found = x509.load_pem_x509_certificates(path.read_bytes())
        except ValueError as error:
            raise SettingsError(f"{path} holds no certificates in PEM") from error
        ends = min(each.not_valid_after_utc for each in found)
        metrics.CERTIFICATE_ENDS.labels(name).set(ends.timestamp())
