"""Connections to Kafka that are reset, as a broker that dies does to its busy clients, and the services' event loop."""

import asyncio
import select
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import uvloop

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, none; closing then sends RST instead of FIN


class Proxy(threading.Thread):
    """Stands before the broker and resets every connection at once, as a broker that dies does to its busy clients."""

    def __init__(self, broker: str) -> None:
        super().__init__(daemon=True)
        host, _, port = broker.partition(":")
        self._broker = host, int(port)
        self._door = socket.create_server((host, 0))
        self.port: int = self._door.getsockname()[1]
        self._peers: dict[socket.socket, socket.socket] = {}
        self._wanted = threading.Event()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(10)
        self._door.close()

    def reset(self) -> None:
        """Reset every connection within some milliseconds."""
        self._wanted.set()

    def run(self) -> None:
        while not self._over.is_set():
            for ready in select.select([self._door, *self._peers], [], [], 0.005)[0]:
                if ready is self._door:
                    client, broker = self._door.accept()[0], socket.create_connection(self._broker)
                    self._peers |= {client: broker, broker: client}
                elif ready in self._peers:
                    self._pass_on(ready)
            if self._wanted.is_set():
                self._wanted.clear()
                self._drop(*self._peers)
        self._drop(*self._peers)

    def _pass_on(self, ready: socket.socket) -> None:
        try:
            content = ready.recv(65536)
            self._peers[ready].sendall(content)
        except OSError:
            content = b""
        if not content:
            self._drop(ready, self._peers[ready])

    def _drop(self, *ends: socket.socket) -> None:
        for end in ends:
            self._peers.pop(end, None)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()


def as_a_service(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it on uvloop, as the services run; in a thread, since this one has the tests' own loop."""

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work())

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()
