"""When a mail is tried again, and when no more: pure functions of what happened, the time and a draw of chance."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class State(StrEnum):
    """Where a delivery stands. The last four are final."""

    NO_ADDRESS = "no_address"
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED_PERMANENTLY = "failed_permanently"
    GAVE_UP = "gave_up"
    CANCELLED = "cancelled"


OPEN = (State.NO_ADDRESS, State.PENDING, State.SENDING)


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


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Times between attempts.

    Attributes:
        refused_first: after the first temporary refusal; greylisting wants about a minute.
        lost_first: after the first lost connection, which says nothing about the recipient.
        longest: no time between attempts grows beyond it.
        give_up_after: from the first attempt on.
    """

    refused_first: timedelta = timedelta(minutes=1)
    lost_first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=12)
    give_up_after: timedelta = timedelta(days=3)

    def wait(self, kind: FailureKind, attempts: int, draw: float) -> timedelta:
        """The time until the next attempt: doubled with each attempt, give or take a quarter.

        Args:
            kind: of the failure just met.
            attempts: made so far, at least 1.
            draw: of chance, 0 up to but not including 1; it keeps mails that failed together from returning together.
        """
        first = self.lost_first if kind is FailureKind.LOST else self.refused_first
        # 2**20 times a second is twelve days: the longest is reached before, and the power must not grow without bound.
        doublings: int = 2 ** min(attempts - 1, 20)
        return min(first * doublings, self.longest) * (0.75 + draw / 2)


@dataclass(frozen=True, slots=True)
class Next:
    """What follows a failed attempt; `due_at` is None where nothing does."""

    state: State
    due_at: datetime | None


def after_failure(
    failure: Failure, *, attempts: int, first_attempt_at: datetime, now: datetime, policy: RetryPolicy, draw: float
) -> Next:
    """What becomes of a delivery whose attempt number `attempts` just failed. The last attempt is at the deadline."""
    if failure.kind is FailureKind.PERMANENT:
        return Next(State.FAILED_PERMANENTLY, None)
    deadline = first_attempt_at + policy.give_up_after
    if now >= deadline:
        return Next(State.GAVE_UP, None)
    return Next(State.PENDING, min(now + policy.wait(failure.kind, attempts, draw), deadline))
