"""When a mail is tried again, and when no more: pure functions of what happened, the time and a draw of chance."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.notifier.channels.failure import Failure, FailureKind


class State(StrEnum):
    """Where a delivery stands. The last five are final, until an address, domains or somebody's wish reopen one.

    One that may have been sent is of a database that was set back: an operator decides whether it goes.
    """

    NO_ADDRESS = "no_address"
    PENDING = "pending"
    SENDING = "sending"
    MAY_HAVE_BEEN_SENT = "may_have_been_sent"
    SENT = "sent"
    FAILED_PERMANENTLY = "failed_permanently"
    GAVE_UP = "gave_up"
    REFUSED_DOMAIN = "refused_domain"
    CANCELLED = "cancelled"


OPEN = (State.NO_ADDRESS, State.PENDING, State.SENDING)
UNDECIDED = (*OPEN, State.MAY_HAVE_BEEN_SENT)
"""Of these it is not known yet whether they go, or went."""

FAILED = (State.FAILED_PERMANENTLY, State.GAVE_UP, State.REFUSED_DOMAIN)
ENDED = (State.SENT, *FAILED, State.CANCELLED)


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
