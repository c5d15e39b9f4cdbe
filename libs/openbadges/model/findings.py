"""What one check found: pass, fail or unknown, with a stable code and a message."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, NamedTuple, get_args

from libs.openbadges.model.errors import CredentialError

Outcome = Literal["pass", "fail", "unknown"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


class Finding(NamedTuple):
    """What one check found.

    Attributes:
        outcome: unknown where the question could not be answered.
        code: stable, for programs.
        message: for people.
        at: the moment that it speaks of, where that is another than now.
    """

    outcome: Outcome
    code: str
    message: str
    at: datetime | None = None

    @classmethod
    def of(cls, error: CredentialError) -> "Finding":
        """Return what a check found that met an error: what the error's class makes of it, its code and message."""
        return cls(error.outcome, error.code, str(error))


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome that takes precedence over the others; of nothing at all, unknown."""
    found = set(outcomes)
    if "fail" in found:
        return "fail"
    return "pass" if found == {"pass"} else "unknown"
