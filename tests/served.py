"""Serves an application on a loopback port from a thread, for clients that need a URL."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_server

from starlette.types import ASGIApp

from libs.common.connection_limits import ConnectionLimits
from libs.common.http_server import Server


@contextmanager
def served(app: ASGIApp, limits: ConnectionLimits | None = None) -> Iterator[str]:
    """The URL under which the application answers, without a slash at its end."""
    with create_server(("127.0.0.1", 0)) as listening:
        server = Server(app, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
