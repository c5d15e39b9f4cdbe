"""The work that one request may cost: counted where it is done, shared by all that the request brings, and ended."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

from libs.openbadges.model.errors import LimitError

WORK: Final = 300_000
"""Units of work that one request may cost: a unit takes about a microsecond, so this is well below a second."""

SIGNATURE_COST: Final = 500
"""Units that checking a signature takes, by the slowest kind of key."""

TOO_COSTLY: Final = "too_costly"
"""The code of every check that the budget did not reach."""

_MESSAGE: Final = "The document was too costly: verifying it takes more work than one request is given."


class Budget:
    """The work that is left for one request: a credential or presentation with all that is verified with it.

    Once something was refused, so is whatever comes after it, however little it asks for.

    Attributes:
        spent: units that were done so far, never more than there are; a test can count them.
        exhausted: whether something was refused.
    """

    __slots__ = ("_work", "exhausted", "spent")

    def __init__(self, work: int = WORK) -> None:
        """Set how many units there are."""
        self._work = work
        self.spent = 0
        self.exhausted = False

    def spend(self, units: int) -> None:
        """Count work that is about to be done.

        Raises:
            LimitError: `too_costly`, there is not so much left.
        """
        if self.exhausted or self.spent + units > self._work:
            self.exhausted = True
            raise LimitError(TOO_COSTLY, _MESSAGE)
        self.spent += units


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def shared_budget(budget: Budget | None = None) -> Iterator[Budget]:
    """Count all work of this block on one budget: the one given, else the one of the block around it, else a new one.

    The budget travels in the context (PEP 567) and not as an argument, since the work is done deep in modules that
    issuing shares, where nothing is counted.
    """
    shared = budget or _current.get() or Budget()
    token = _current.set(shared)
    try:
        yield shared
    finally:
        # A job that nobody waits for any more is ended wherever it is collected; that context holds no budget of it.
        with suppress(ValueError):
            _current.reset(token)


def spend(units: int) -> None:
    """Count work on the budget of the request, where there is one.

    Raises:
        LimitError: `too_costly`, there is not so much left.
    """
    budget = _current.get()
    if budget is not None:
        budget.spend(units)
