"""The time of day, as precise as it can be stored, and only while this machine's clock can be believed."""

from collections.abc import Callable
from datetime import UTC, datetime


class ClockError(OSError):
    """This machine's clock is further off than the settings allow: nothing is dated by it. The text says how far."""


def _unchecked() -> str | None:
    return None


_fault: Callable[[], str | None] = _unchecked


def check_with(fault: Callable[[], str | None]) -> None:
    """From now on `now` raises what `fault` returns, unless it is None; one process has one clock, and one check."""
    global _fault  # noqa: PLW0603  # as the docstring says
    _fault = fault


def uncheck() -> None:
    """Take any time that this machine tells, as a process does that nobody told otherwise."""
    check_with(_unchecked)


def now() -> datetime:
    """Return the moment in UTC, in whole milliseconds: MongoDB keeps no finer, and what is kept is what was sent.

    Raises:
        ClockError: the clock of this machine is known to be off.
    """
    fault = _fault()
    if fault is not None:
        raise ClockError(fault)
    return in_milliseconds(datetime.now(UTC))


def in_milliseconds(moment: datetime) -> datetime:
    """Return a moment as the database keeps it: in whole milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
