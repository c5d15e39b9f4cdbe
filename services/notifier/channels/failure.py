"""Why telling a learner failed, whatever the channel: codes alone."""

from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """What kind of failure an attempt met; each is counted apart."""

    PERMANENT = "permanent"
    """The receiving side refused this mail permanently: 5yz (RFC 5321, section 4.2.1), or no such form of address."""
    TEMPORARY = "temporary"
    """The receiving side asked to try again later: 4yz."""
    LOST = "lost"
    """No answer: the connection dropped or timed out after the mail was begun."""
    UNBUILDABLE = "unbuildable"
    """The mail could not be written: a defect of ours, tried again because a release may fix it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed. Codes only: what servers write beside them may name the learner."""

    kind: FailureKind
    code: int | None = None
    enhanced: str | None = None

    @property
    def is_throttle(self) -> bool:
        """Whether the receiving domain asks for less mail at a time (421, 450, 451: RFC 5321, section 4.2.3)."""
        return self.code in {421, 450, 451}
