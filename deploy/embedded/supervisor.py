"""The process that keeps the stack alive: starts every process, starts again what dies, stops all when asked.

Each process lives in a session of its own and writes to its own log, so that it outlives the supervisor; a supervisor
that starts later takes over what it finds by pid and start time.
"""

import argparse
import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Final, TextIO

from deploy.embedded import logs, programs
from deploy.embedded.layout import SOURCE_ROOT, Layout
from deploy.embedded.problems import StackError
from deploy.embedded.processes import Identity, spawn
from deploy.embedded.programs import Program
from deploy.embedded.services import INFRASTRUCTURE, OWN, TABLE, Broker
from deploy.embedded.state import Condition, ProcessState, StackState

NAME: Final = "supervisor"
_LOG: Final = logging.getLogger(NAME)
_PROBE_PAUSE: Final = 0.2
_HOUSEKEEPING_PAUSE: Final = 2.0
_LONGEST_BACKOFF: Final = 5.0
_FIRST_BACKOFF: Final = 0.1
_STEADY_SECONDS: Final = 20.0
"""A process that lived so long did not die of its start; its backoff begins anew."""


def backoff(failures: int) -> float:
    """Seconds to wait before the start after so many quick deaths in a row."""
    return 0.0 if failures == 0 else min(_FIRST_BACKOFF * 2.0 ** (failures - 1), _LONGEST_BACKOFF)


class Child:
    """One process under watch: started by us, or found running."""

    def __init__(self, identity: Identity, popen: subprocess.Popen[bytes] | None) -> None:
        self.identity = identity
        self._popen = popen

    async def ended(self) -> int | None:
        """Wait until it has ended; its exit status, negative for a signal, None where we were not its parent."""
        try:
            handle = os.pidfd_open(self.identity.pid)
        except ProcessLookupError:
            return self._reap()
        try:
            if self.identity.alive():
                loop, over = asyncio.get_running_loop(), asyncio.Event()
                loop.add_reader(handle, over.set)
                try:
                    await over.wait()
                finally:
                    loop.remove_reader(handle)
        finally:
            os.close(handle)
        return self._reap()

    def _reap(self) -> int | None:
        return self._popen.wait() if self._popen is not None else None


class Supervisor:
    """Keeps the processes of one stack alive."""

    def __init__(self, layout: Layout, broker: Broker, wanted: Sequence[Program]) -> None:
        self._layout = layout
        self._broker = broker
        self._programs = wanted
        self._children: dict[str, Child] = {}
        self._state = StackState(broker, layout.offset, {each.name: ProcessState() for each in wanted}, layout.secured)
        self._topics_lost = asyncio.Event()

    async def run(self) -> None:
        """Work until asked to end, then stop every process: services first, stores last."""
        asked = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        keepers = [asyncio.create_task(self._keep(each), name=each.name) for each in self._programs]
        keepers.append(asyncio.create_task(self._run_maintenance(), name="maintenance"))
        waiting = asyncio.create_task(asked.wait(), name="asked to end")
        ended, _ = await asyncio.wait([waiting, *keepers], return_when=asyncio.FIRST_COMPLETED)
        for keeper in keepers:
            keeper.cancel()
        await asyncio.wait(keepers)
        await self._stop_all()
        for task in ended - {waiting}:
            task.result()  # a keeper never ends by itself: let its error be seen

    async def _keep(self, program: Program) -> None:
        failures = 0
        while True:
            await asyncio.sleep(backoff(failures))
            begun = time.monotonic()
            adopted = self._adopt(program)
            empty = program.name == "kafka" and self._broker == "tansu" and adopted is None
            if empty:
                await self._end_services()
            child = adopted or self._start(program)
            if child is None:
                failures += 1
                continue
            self._children[program.name] = child
            if empty:  # all that it knew went with its memory: have topics made anew
                self._topics_lost.set()
                self._topics_lost = asyncio.Event()
            needed_again = self._topics_lost
            ready = asyncio.create_task(self._until_ready(program, begun))
            status = await child.ended()
            ready.cancel()
            await asyncio.wait([ready])
            del self._children[program.name]
            self._layout.pid_file(program.name).remove()
            if program.once and status == 0:
                failures = 0
                self._state.processes[program.name].took = time.monotonic() - begun
                self._note(program.name, "done", None)
                await needed_again.wait()
                continue
            failures = 1 if time.monotonic() - begun > _STEADY_SECONDS else failures + 1
            self._died(program, status)

    async def _end_services(self) -> None:
        """End the services at once, so that none of them meets a broker that lost its topics.

        A service that stays connected asks for its topics before they are made, and Tansu then makes them itself, with
        other partitions; a consumer that goes on with those of before may read some of them only.
        """
        services = [child for name, child in self._children.items() if programs.split(name)[0].name in OWN]
        for child in services:
            child.identity.send(signal.SIGKILL)
        await asyncio.gather(*(child.ended() for child in services))

    def _adopt(self, program: Program) -> Child | None:
        """Take over the process if it runs already, as this very program; end one that runs otherwise."""
        pid_file = self._layout.pid_file(program.name)
        identity = pid_file.read()
        if identity is None:
            return None
        if pid_file.command() != program.fingerprint():
            _LOG.warning("%s (pid %d) was started otherwise: stopping it", program.name, identity.pid)
            identity.send(signal.SIGTERM)
        else:
            _LOG.info("%s (pid %d) runs already: taking it over", program.name, identity.pid)
        self._note(program.name, "starting", identity.pid)
        return Child(identity, None)

    def _start(self, program: Program) -> Child | None:
        popen: subprocess.Popen[bytes] | None = None
        try:
            popen = spawn(program.argv, program.environment, self._layout.log_file(program.name), SOURCE_ROOT)
            identity = Identity.of(popen.pid)
            if identity is None:
                self._died(program, popen.wait())
                return None
            self._layout.pid_file(program.name).write(identity, program.fingerprint())
        except (StackError, OSError) as error:
            if popen is not None:  # a process that no pid file names would be nobody's
                popen.kill()
                popen.wait()
            self._state.processes[program.name].problem = str(error)
            self._note(program.name, "restarting", None)
            _LOG.warning("%s cannot be started: %s", program.name, error)
            return None
        self._note(program.name, "starting", popen.pid)
        return Child(identity, popen)

    async def _until_ready(self, program: Program, begun: float) -> None:
        while not program.once:
            if await asyncio.to_thread(program.ready):
                self._state.processes[program.name].took = time.monotonic() - begun
                self._note(program.name, "healthy", self._children[program.name].identity.pid)
                _LOG.info("%s is healthy", program.name)
                return
            await asyncio.sleep(_PROBE_PAUSE)

    def _died(self, program: Program, status: int | None) -> None:
        state = self._state.processes[program.name]
        state.restarts += 1
        state.problem = describe_end(status)
        self._note(program.name, "restarting", None)
        _LOG.warning("%s %s: starting it again", program.name, state.problem)

    def _note(self, name: str, condition: Condition, pid: int | None) -> None:
        state = self._state.processes[name]
        state.condition, state.pid = condition, pid
        try:
            self._state.write(self._layout)
        except OSError as error:  # a full disk must not end the one that keeps the others alive
            _LOG.warning("the state cannot be written: %s", error.strerror)

    async def _run_maintenance(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_PAUSE)
            for log in self._layout.log.glob("*.log"):
                with contextlib.suppress(OSError):  # a full disk: tried again
                    await asyncio.to_thread(logs.shorten, log)

    async def _stop_all(self) -> None:
        stores = [each for each in self._programs if each.name in INFRASTRUCTURE]
        services = [each for each in self._programs if each.name not in INFRASTRUCTURE]
        for group in (services, stores):
            await asyncio.gather(*(self._stop(each) for each in group))

    async def _stop(self, program: Program) -> None:
        child = self._children.get(program.name)
        if child is not None:
            self._note(program.name, "stopping", child.identity.pid)
            child.identity.send(signal.SIGTERM)
            try:
                await asyncio.wait_for(child.ended(), program.grace)
            except TimeoutError:
                _LOG.warning("%s did not end in %.0f s: killing it", program.name, program.grace)
                child.identity.send(signal.SIGKILL)
                await child.ended()
        self._layout.pid_file(program.name).remove()
        self._note(program.name, "stopped", None)


def describe_end(status: int | None) -> str:
    """How a process ended, as the predicate of a sentence."""
    if status is None:
        return "ended"
    if status >= 0:
        return f"ended with status {status}"
    return f"was ended by {signal.Signals(-status).name}"


def lock(layout: Layout) -> TextIO | None:
    """Hold this as long as the supervisor lives; None when another one holds it."""
    file = (layout.run / f"{NAME}.lock").open("w", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def main(argv: Sequence[str] | None = None) -> int:
    """Run in the foreground: `python -m deploy.embedded.supervisor kafka|tansu`; the layout is in the environment."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("broker", choices=["kafka", "tansu"])
    broker: Broker = parser.parse_args(argv).broker
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    layout = Layout.from_environment()
    layout.create()
    held = lock(layout)
    if held is None:
        _LOG.warning("another supervisor keeps %s", layout.var)
        return 1
    with held:
        identity = Identity.of(os.getpid())
        if identity is not None:
            layout.pid_file(NAME).write(identity)
        try:
            wanted = [programs.build(layout, each.name, broker, _LOG.info) for each in TABLE]
            asyncio.run(Supervisor(layout, broker, wanted).run())
        except StackError as error:
            _LOG.error("%s", error)  # a sentence for the person at the terminal, who needs no trace
            return 1
        finally:
            layout.pid_file(NAME).remove()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
