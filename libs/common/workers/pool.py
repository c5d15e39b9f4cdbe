"""The service's side: a few worker processes, a bounded queue before them, and whoever passes a limit is replaced."""

import asyncio
import contextlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from libs.common.client_address import CLIENT
from libs.common.errors import UnavailableError
from libs.common.telemetry import get_logger
from libs.common.workers import metrics
from libs.common.workers.frames import HEADER, read_values, write_frame
from libs.common.workers.jobs import Answer, Job, JobEndedError, JobLimits
from libs.common.workers.turns import Places, Turns

T = TypeVar("T")

_START_SECONDS = 30.0
_END_SECONDS = 5.0
_MAINTAIN_SECONDS = 1.0


class _WorkerDiedError(Exception):
    """A worker is gone: the kernel ended it at a limit, or it was killed."""


@dataclass(eq=False, slots=True)
class _Worker:
    """A connection to one worker process."""

    pid: int
    pidfd: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    most_bytes: int
    packages: tuple[str, ...]

    async def receive(self) -> Any:
        """Read its next message.

        Raises:
            _WorkerDiedError: it is gone, or it says what no worker says.
        """
        try:
            (length,) = HEADER.unpack(await self.reader.readexactly(HEADER.size))
            if length > self.most_bytes:
                raise _WorkerDiedError
            return read_values(await self.reader.readexactly(length), self.packages)
        except (asyncio.IncompleteReadError, OSError, pickle.UnpicklingError) as error:
            raise _WorkerDiedError from error

    async def send(self, message: Any) -> None:
        """Send it a job or an answer; that it is gone is seen when it is read from."""
        self.writer.write(write_frame(message))
        with contextlib.suppress(OSError):
            await self.writer.drain()

    def kill(self) -> None:
        """End it at once, whatever it does; by a handle, so that no other process can have its number by now."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        self.writer.close()
        os.close(self.pidfd)


class WorkerPool:
    """Runs jobs in worker processes; see `jobs.Runner`.

    Each job has a process for itself while it runs; clients take turns: issuers, and strangers by address. A job that
    passes a limit is killed, and no other job notices. Workers are forked from a process that imported everything
    before (`fork_server.py`), in milliseconds.
    """

    def __init__(
        self, module: str, *, packages: tuple[str, ...], workers: int, waiting: int, limits: JobLimits
    ) -> None:
        """Set what there is; processes start with the first job, or with `maintain`.

        Args:
            module: what workers import beforehand; its `warm_up()` is called once.
            packages: where classes of what jobs ask and return may stand; see `frames.read_values`.
            workers: processes, that is, jobs that run at the same time.
            waiting: most jobs that run or wait; one more is refused; see `Places` for one client's.
            limits: of each job.
        """
        self._module = module
        self._packages = packages
        self._limits = limits
        self._workers = workers
        self._places = Places(waiting)
        self._turns = Turns(workers)
        self._idle: list[_Worker] = []
        self._closed = False
        self._control: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None

    async def run(self, job: Callable[..., Job[T]], *arguments: Any, answer: Answer) -> T:
        """See `jobs.Runner`."""
        client = CLIENT.get()
        with self._places.place(client), metrics.IN_FLIGHT.track_inprogress():
            try:
                async with asyncio.timeout(self._limits.seconds), self._turns.turn(client):
                    found: T = await self._run(job, arguments, answer)
                    return found
            except TimeoutError:
                metrics.ENDED.labels("took_too_long").inc()
                raise JobEndedError("took_too_long") from None

    async def _run(self, job: Callable[..., Job[T]], arguments: tuple[Any, ...], answer: Answer) -> Any:
        worker = self._idle.pop() if self._idle else await self._start()
        usable = False
        try:
            await worker.send((job, arguments))
            while (message := await worker.receive())[0] == "asks":
                await worker.send(await answer(message[1]))
            usable = await worker.receive() == "idle"
        except _WorkerDiedError:
            if self._server is None or self._server.poll() is not None:
                # Not the job's fault: all of them are gone.
                raise UnavailableError("the workers are starting anew; try again") from None
            message = ("ended",)
        finally:
            if usable:
                self._idle.append(worker)
            else:
                worker.kill()
        if message[0] == "refused":
            raise message[1]
        if message[0] != "done":
            metrics.ENDED.labels("too_costly").inc()
            raise JobEndedError("too_costly")
        return message[1]

    async def maintain(self) -> float:
        """Start what is missing, so that nobody waits for it; return the seconds until it is worth looking again."""
        with contextlib.suppress(UnavailableError):
            while not self._places.taken and len(self._idle) < self._workers:
                self._idle.append(await self._start())
        return _MAINTAIN_SECONDS

    async def close(self) -> None:
        """End all workers and the process that they are forked from."""
        self._closed = True
        workers, self._idle = self._idle, []
        for worker in workers:
            # The process that forked them takes them from the kernel's table, so it ends last.
            handle = os.dup(worker.pidfd)
            worker.kill()
            await asyncio.to_thread(select.select, [handle], [], [], _END_SECONDS)
            os.close(handle)
        if self._control is not None:
            self._control.close()
        if self._server is not None:
            await asyncio.to_thread(self._server.wait)

    async def _start(self) -> _Worker:
        if self._closed:
            raise UnavailableError("the workers have ended here; try again")
        ours, theirs = socket.socketpair()
        # A worker ends when our socket is closed, also where who waited for it gives up before it is ready.
        with contextlib.ExitStack() as unless_ready:
            unless_ready.callback(ours.close)
            try:
                with theirs:
                    socket.send_fds(self._fork_server(), [b"+"], [theirs.fileno()])
                ours.setblocking(False)
                reader, writer = await asyncio.open_unix_connection(sock=ours)
                unless_ready.callback(writer.close)
                worker = _Worker(0, -1, reader, writer, self._limits.result_bytes, self._packages)
                async with asyncio.timeout(_START_SECONDS):
                    _, worker.pid = await worker.receive()
                worker.pidfd = os.pidfd_open(worker.pid)
            except (_WorkerDiedError, TimeoutError, OSError):
                raise UnavailableError("the workers are starting anew; try again") from None
            unless_ready.pop_all()
        metrics.STARTED.inc()
        return worker

    def _fork_server(self) -> socket.socket:
        """Return the socket to the process that forks, which is started where it is not there."""
        if self._control is not None and self._server is not None and self._server.poll() is None:
            return self._control
        if self._control is not None:
            get_logger().error("fork server ended by itself", module=self._module)
            self._control.close()
        self._idle.clear()
        ours, theirs = socket.socketpair()
        limits = (self._limits.cpu_seconds, self._limits.memory_bytes, self._limits.result_bytes)
        with theirs, contextlib.ExitStack() as unless_started:
            unless_started.callback(ours.close)
            program = (sys.executable, "-m", "libs.common.workers.fork_server")
            # Not by the event loop: uvloop's child runs Python before it executes the program, and hangs there where a
            # thread of a library was just entering Python. The service hung with it, and its child kept the port.
            self._server = subprocess.Popen(  # noqa: S603  # ours; it takes a millisecond
                [*program, self._module, str(theirs.fileno()), *map(str, limits)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=_environment(),
            )
            unless_started.pop_all()
        self._control = ours
        return ours


def _environment() -> dict[str, str]:
    """What a process needs to find Python and its modules; no setting of the service, and so no secret."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
