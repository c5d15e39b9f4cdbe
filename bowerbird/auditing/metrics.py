"""What is measured of audits against the promises, and where it is read; label values are the names of checks."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Gauge

from libs.common.http import metrics_app
from libs.common.http_server import Server

DIFFERENCES: Final = Gauge(
    "bowerbird_audit_differences", "What is not as promised, by check, as of the last audit; must be 0", ["check"]
)
LAST_SUCCESS: Final = Gauge(
    "bowerbird_audit_last_success_timestamp_seconds", "When an audit last came to its end, whatever it found"
)
SECONDS: Final = Gauge("bowerbird_audit_seconds", "How long the last audit took")
BACKUP_NEWEST: Final = Gauge("bowerbird_backup_newest_timestamp_seconds", "The moment that the newest backup is of")
BACKUP_VERIFIED: Final = Gauge(
    "bowerbird_backup_last_verified_timestamp_seconds", "When the newest backup was last read and found whole"
)


@contextmanager
def served(host: str, port: int) -> Iterator[int]:
    """Serve metrics as a service does, from a thread, until the end of the block; yields the port.

    Raises:
        OSError: somebody else listens there.
    """
    with socket.create_server((host, port)) as listening:
        server = Server(metrics_app())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="metrics", daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
