"""The process from which workers are forked: it imports and warms up once, so that a killed worker is soon replaced.

It has one thread, no connections and no secrets: settings with passwords stay in the service. Workers that end are
reaped by the kernel. When the service ends, however it ends, its sockets close, and workers and fork server with them.
"""

import importlib
import os
import pickle
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from libs.common.errors import BowerbirdError
from libs.common.workers.frames import HEADER, write_frame
from libs.common.workers.jobs import JobLimits

# Strangers' documents take the time that nobody else has a use for.
_NICENESS = 5
# A worker that holds this share of its memory after a job, in caches and gaps, makes room for a new one.
_WORN = 0.25


def main() -> int:
    """Fork a worker for every socket that is sent; end when the service is gone."""
    module, control_fd, cpu_seconds, memory_bytes, result_bytes = sys.argv[1:]
    limits = JobLimits(float(cpu_seconds), int(memory_bytes), int(result_bytes))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The service decides when its workers end, also where a terminal signals all of them.
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.nice(_NICENESS)
    importlib.import_module(module).warm_up()
    with socket.socket(fileno=int(control_fd)) as control:
        while True:
            _, sockets, _, _ = socket.recv_fds(control, 1, 1)
            if not sockets:
                return 0
            if os.fork() == 0:
                control.close()
                with socket.socket(fileno=sockets[0]) as connection:
                    os._exit(_Worker(connection, limits).serve())
            os.close(sockets[0])


class _Worker:
    """One worker process: runs the jobs that come over its socket, one after the other."""

    def __init__(self, connection: socket.socket, limits: JobLimits) -> None:
        self._connection = connection
        self._limits = limits
        self._base = _address_space()

    def serve(self) -> int:
        """Run jobs until the service closes the socket, a job passes the limit of memory, or the worker is worn."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        most = self._base + self._limits.memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
            resource.setrlimit(nothing, (0, 0))
        try:
            self._send(("ready", os.getpid()))
            while self._serve_one():
                pass
        except (OSError, EOFError):
            return 1
        return 0

    def _serve_one(self) -> bool:
        job, arguments = self._receive()
        # Counts the CPU time of the process, in whatever code; at its end the kernel ends the process.
        signal.setitimer(signal.ITIMER_PROF, self._limits.cpu_seconds)
        try:
            told = write_frame(self._outcome(job, arguments))
            if len(told) > self._limits.result_bytes:
                told = write_frame(("ended",))
        except (MemoryError, RecursionError):
            told = write_frame(("ended",))
        signal.setitimer(signal.ITIMER_PROF, 0)
        worn = _address_space() - self._base > self._limits.memory_bytes * _WORN
        self._connection.sendall(told)
        self._send("worn" if worn else "idle")
        return not worn

    def _outcome(self, job: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        work = job(*arguments)
        try:
            question = next(work)
            while True:
                self._send(("asks", question))
                question = work.send(self._receive())
        except StopIteration as end:
            return ("done", end.value)
        except BowerbirdError as error:
            return ("refused", error)

    def _send(self, message: Any) -> None:
        self._connection.sendall(write_frame(message))

    def _receive(self) -> Any:
        (length,) = HEADER.unpack(self._exactly(HEADER.size))
        return pickle.loads(self._exactly(length))  # noqa: S301  # from the service that started this process

    def _exactly(self, length: int) -> bytes:
        read = bytearray()
        while len(read) < length:
            piece = self._connection.recv(min(length - len(read), 1 << 20))
            if not piece:
                raise EOFError
            read += piece
        return bytes(read)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main())
