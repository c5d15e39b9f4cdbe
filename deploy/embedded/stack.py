"""The embedded stack in the hands of a test: start, kill, restart and stop each process by name."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from deploy.embedded import logs, mongodb, programs, secrets
from deploy.embedded.layout import SOURCE_ROOT, Layout
from deploy.embedded.problems import StackError
from deploy.embedded.processes import Identity, gone_within, spawn, stop
from deploy.embedded.programs import OURS, Program
from deploy.embedded.services import Broker

PATIENCE_SECONDS: Final = 180.0
"""Four seconds suffice on an idle machine; one that runs other tests beside these needs many times that."""


# Of nobody's making but the test's is what goes through the services, unless a test says otherwise.
_QUIET: Final = {"BOWERBIRD_CANARY_SECONDS": "0"}


class Child(Protocol):
    """A process that was started, as `subprocess.Popen` is one."""

    pid: int

    def poll(self) -> int | None: ...  # as `subprocess.Popen` has them

    def wait(self, timeout: float) -> int: ...

    def kill(self) -> None: ...


Spawn = Callable[[Sequence[str], Mapping[str, str], Path, Path], Child]
"""What starts a process, as `processes.spawn` does."""


class Stack:
    """Processes under the caller's control: nothing is restarted unless the caller says so.

    The calls block; in a test that runs on an event loop use `asyncio.to_thread`. Names are those of the table of
    services (`mongodb`, `kafka`, `smtp`, `setup`, `evidence`, `issuer`, `verifier`, `notifier`), with `-2`, `-3` for
    further replicas of a service of ours.
    """

    def __init__(
        self, var: Path, offset: int = 0, broker: Broker = "kafka", *, secured: bool = False, spawn: Spawn = spawn
    ) -> None:
        self.layout = Layout(var.resolve(), offset, secured)
        self.broker: Broker = broker
        self._spawn_process = spawn
        self._children: dict[str, Child] = {}
        self._programs: dict[str, Program] = {}
        self._configured: dict[str, tuple[Mapping[str, str], str]] = {}
        self.layout.create()
        secrets.prepare(self.layout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def mongo_url(self) -> str:
        """The connection string of the database, for one who may do everything."""
        return mongodb.administrators_url(self.layout)

    @property
    def kafka_bootstrap(self) -> str:
        """`host:port` of the broker."""
        return self.layout.address("kafka")

    @property
    def kafka_idempotence(self) -> bool:
        """Whether the broker takes idempotent producers; Tansu does not."""
        return self.broker == "kafka"

    @property
    def admin_key(self) -> str:
        """The API key that creates issuers."""
        return secrets.admin_key(self.layout)

    def url(self, name: str) -> str:
        """Where a service of ours answers over HTTP."""
        service, replica = programs.split(name)
        if service.port is None:
            raise ValueError(f"{name} listens nowhere")
        return f"http://{self.layout.address(service.port, replica)}"

    def metrics_url(self, name: str) -> str:
        """Where a service of ours serves its metrics."""
        service, replica = programs.split(name)
        return f"http://{self.layout.address(f'{service.port}-metrics', replica)}/metrics"

    def environment(self, name: str) -> dict[str, str]:
        """The BOWERBIRD_ variables that a service of ours gets, for tests that run it within their own process."""
        environment = self._program(name).environment
        return {variable: value for variable, value in environment.items() if variable.startswith("BOWERBIRD_")}

    def configure(self, service: str, env: Mapping[str, str], module: str = OURS) -> None:
        """For every later start of this service and its replicas: variables on top of the table's, module to run."""
        self._configured[service] = env, module

    def start(self, *names: str, env: Mapping[str, str] | None = None, wait: float = PATIENCE_SECONDS) -> None:
        """Start those that do not run, together, and wait until each is healthy; `setup` until it has ended.

        Args:
            names: of the table; in this order, not waiting for one before starting the next.
            env: variables on top of the table's.
            wait: seconds until all must be healthy; 0 does not wait.

        Raises:
            StackError: one cannot be started, ended at once, or is not healthy in time; its last lines are told.
        """
        for name in names:
            if not self.running(name):
                self._spawn(name, env or {})
        if wait:
            self.wait_ready(*names, seconds=wait)

    def _program(self, name: str) -> Program:
        if name not in self._programs:
            program = programs.build(self.layout, name, self.broker, _silent)
            self._programs[name] = replace(program, environment={**program.environment, **_QUIET})
        return self._programs[name]

    def _spawn(self, name: str, env: Mapping[str, str]) -> None:
        program = self._program(name)
        configured, module = self._configured.get(programs.split(name)[0].name, ({}, OURS))
        argv = tuple(module if each == OURS else each for each in program.argv)
        program = replace(program, argv=argv, environment={**program.environment, **configured, **env})
        child = self._spawn_process(program.argv, program.environment, self.log(name), SOURCE_ROOT)
        self._children[name] = child
        identity = Identity.of(child.pid)
        if identity is not None:
            self.layout.pid_file(name).write(identity, program.fingerprint())

    def wait_ready(self, *names: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until each process is healthy.

        Raises:
            StackError: one ended, or is not healthy in time.
        """
        end = time.monotonic() + seconds
        for name in names:
            while not self._done_or_ready(name):
                if time.monotonic() > end:
                    raise StackError(f"{name} was not healthy after {seconds:.0f} s: {self.last_lines(name)}", "")
                time.sleep(0.05)

    def _done_or_ready(self, name: str) -> bool:
        child, program = self._children[name], self._program(name)
        status = child.poll()
        if program.once and status == 0:
            return True
        if status is not None:
            raise StackError(f"{name} ended with {status}: {self.last_lines(name)}", "")
        return not program.once and program.ready()

    def running(self, name: str) -> bool:
        """Whether the process runs, healthy or not."""
        child = self._children.get(name)
        return child is not None and child.poll() is None

    def pid(self, name: str) -> int:
        """The process id of a process that was started."""
        return self._children[name].pid

    def log(self, name: str) -> Path:
        """The file with what the process wrote."""
        return self.layout.log_file(name)

    def last_lines(self, name: str, count: int = 15) -> str:
        """The end of what the process wrote."""
        return "\n".join(self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()[-count:])

    def last_words(self, count: int = 15, width: int = 300) -> dict[str, str]:
        """The end of what every process wrote that ever ran here, by name, with long lines cut."""
        ends = {path.stem: logs.last_lines(path, count) for path in sorted(self.layout.log.glob("*.log"))}
        return {name: "\n".join(line[:width] for line in lines) for name, lines in ends.items()}

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP and SIGCONT for a process that hangs."""
        os.kill(self.pid(name), number)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until the process is gone."""
        child = self._children[name]
        child.kill()
        child.wait(timeout=30)

    def lose(self, store: str) -> None:
        """SIGKILL a store and delete all that it keeps, as if its disk were lost; `start` starts it empty."""
        self.kill(store)
        shutil.rmtree({"mongodb": self.layout.mongodb, "kafka": self.layout.kafka}[store])
        self.layout.create()
        del self._children[store], self._programs[store]

    def restart(self, name: str, env: Mapping[str, str] | None = None, wait: float = PATIENCE_SECONDS) -> None:
        """SIGKILL if it runs, start, and wait until it is healthy."""
        if self.running(name):
            self.kill(name)
        self.start(name, env=env, wait=wait)

    def stop(self, *names: str) -> None:
        """Ask processes to end, kill what does not; without names all, services first and the stores last."""
        for name in names or tuple(reversed(self._children)):
            child = self._children.pop(name, None)
            if child is None:
                continue
            identity = Identity.of(child.pid) if child.poll() is None else None
            if identity is not None:
                stop(identity, self._program(name).grace)
                gone_within(identity, 1)
            child.wait(timeout=30)
            self.layout.pid_file(name).remove()


def _silent(_: str) -> None:
    """Tests want no progress."""
