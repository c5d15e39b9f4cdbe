"""Named points between numbered steps, at which a fault test kills the process; without effect unless a test arms them.

A point is named after the step that has just been done: `issuer.award.5` stands right after step 5 of awarding. No
setting arms a point, so that none can be armed in production: only `tests/faults/armed.py`, which starts a service for
a fault test, calls `obey`.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterable
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
    "issuer.superseding.1",
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
    "issuer.adopting.2",
    "issuer.adopting.3.some",
    "issuer.adopting.3",
    "issuer.adopting.4",
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
    def parse(cls, line: str) -> Self:
        """Return the order that a line states.

        Raises:
            ValueError: what stands there is no order.
        """
        name, of, passing = line.split("\t")
        found = next((each for each in NAMES if each == name), None)
        if found is None:
            raise ValueError(f"there is no point {name}")
        return cls(found, of, int(passing))

    def line(self) -> str:
        """Return the line that states it."""
        return f"{self.name}\t{self.of}\t{self.passing}\n"


def read_orders(path: Path) -> list[Order]:
    """Return the orders that stand in the file, none where there is no such file.

    Raises:
        ValueError: what stands there is no order.
    """
    try:
        return [Order.parse(line) for line in path.read_text(encoding="ascii").splitlines()]
    except FileNotFoundError:
        return []


def write_orders(path: Path, orders: Iterable[Order]) -> None:
    """Write the orders for the process that obeys this file, each to be carried out once, in whatever order.

    Atomic, so that it never reads a half; without an order there is no file.
    """
    lines = "".join(order.line() for order in orders)
    if not lines:
        path.unlink(missing_ok=True)
        return
    partial = path.with_suffix(".partial")
    partial.write_text(lines, encoding="ascii")
    partial.replace(path)


class _Obedience:
    """Counts the passings of the ordered points and kills at the n-th of one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._passed: Counter[Order] = Counter()

    def passing(self, name: Name, of: str) -> None:
        orders = read_orders(self._path)
        self._passed = Counter({order: self._passed[order] for order in orders})
        for order in orders:
            if (order.name, order.of) != (name, of):
                continue
            self._passed[order] += 1
            if self._passed[order] >= order.passing:
                # Carried out once: the process that is started next goes on. That it is gone tells the test so.
                write_orders(self._path, [each for each in orders if each != order])
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
