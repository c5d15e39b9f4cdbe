"""Named points between numbered steps, at which a fault test kills the process; without effect unless a test arms them.

A point is named after the step that has just been done: `issuer.award.5` stands right after step 5 of awarding. No
setting arms a point, so that none can be armed in production: only `tests/faults/armed.py`, which starts a service for
a fault test, calls `obey`.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

Name = Literal[
    "consumer.3",
    "consumer.4",
    "evidence.ingestion.0",
    "evidence.ingestion.1.contacts",
    "evidence.ingestion.1",
    "evidence.ingestion.2",
    "evidence.ingestion.3",
    "issuer.award.1",
    "issuer.award.2",
    "issuer.award.3",
    "issuer.award.4.entries",
    "issuer.award.4",
    "issuer.award.5",
    "issuer.award.6",
    "issuer.waiting.1",
    "issuer.waiting.2",
    "issuer.revoking.1",
    "issuer.revoking.2",
    "issuer.revoking.3",
    "issuer.waiting_commands.1",
    "issuer.status_list.created",
    "issuer.status_list.1",
    "issuer.status_list.2",
    "issuer.signing_keys.1",
    "issuer.signing_keys.2",
    "issuer.signing_keys.3",
    "issuer.publications.1",
    "issuer.publications.2",
    "issuer.publications.3",
    "notifier.sending.1",
    "notifier.sending.2",
    "notifier.sending.3",
    "notifier.sending.4",
]
"""Every point there is. Those of the consumer loop are told apart by the name of the consumer."""

NAMES: tuple[Name, ...] = get_args(Name)


@dataclass(frozen=True, slots=True)
class Order:
    """Which passing of which point kills; `of` is the consumer's name where the point is one of the consumer loop."""

    name: Name
    of: str = ""
    passing: int = 1

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return the order that stands in the file, None where there is no such file.

        Raises:
            ValueError: what stands there is no order.
        """
        try:
            name, of, passing = path.read_text(encoding="ascii").split("\n")
        except FileNotFoundError:
            return None
        found = next((each for each in NAMES if each == name), None)
        if found is None:
            raise ValueError(f"there is no point {name}")
        return cls(found, of, int(passing))

    def write(self, path: Path) -> None:
        """Write the order for the process that obeys this file; atomic, so that it never reads a half."""
        partial = path.with_suffix(".partial")
        partial.write_text(f"{self.name}\n{self.of}\n{self.passing}", encoding="ascii")
        partial.replace(path)


class _Obedience:
    """Counts the passings of the ordered point and kills at the n-th."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._order: Order | None = None
        self._passed = 0

    def passing(self, name: Name, of: str) -> None:
        order = Order.read(self._path)
        if order != self._order:
            self._order, self._passed = order, 0
        if order is None or (order.name, order.of) != (name, of):
            return
        self._passed += 1
        if self._passed >= order.passing:
            # Carried out once: the process that is started next goes on. Its absence tells the test that it is done.
            self._path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


_obedience: _Obedience | None = None


def failpoint(name: Name, of: str = "") -> None:
    """Kill this process here where a fault test has ordered so; otherwise nothing."""
    if _obedience is not None:
        _obedience.passing(name, of)


def obey(path: Path) -> None:
    """From now on carry out the orders that a test writes to this file; only a fault test's own entry calls this."""
    global _obedience  # noqa: PLW0603  # one process, one test that orders
    _obedience = _Obedience(path)
