"""What the issuer counts of deciding; label values are this service's own codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from libs.common.metrics import from_zero
from libs.contracts.events import Outcome
from services.issuer.decisions.decision import Reason

_NOT_CONFIRMED: Final = 3600.0

DECISIONS = Counter(
    "bowerbird_issuer_decisions", "Pieces of evidence decided, by outcome and reason", ["outcome", "reason"]
)
STACKED = Counter(
    "bowerbird_issuer_stacked_awards",
    "Awards that came with a decision on evidence and are not what it earned: they ask to hold what is held, or "
    "take the place of what was revoked",
)
WAITING = Gauge(
    "bowerbird_issuer_waiting_pieces",
    "Pieces of evidence that wait, for their issuer or achievement or since they are parked, in the whole database",
)
PARKED = Gauge(
    "bowerbird_issuer_parked_pieces",
    "Pieces of evidence that wait since nothing can be signed for their issuer or achievement, in the whole database; "
    "of the issuers with most, the others together as (others)",
    ["issuer", "reason"],
)
RECORD_CONFLICTS = Counter(
    "bowerbird_issuer_record_conflicts",
    "Batches decided again because part of them was recorded, by another worker or before a crash",
)
DECISION_DELAY = Histogram(
    "bowerbird_issuer_decision_delay_seconds",
    "From taking a piece of evidence in to the first decision on it, of those that did not have to wait, by whether it "
    "came in a large file (bulk) or not (ordinary)",
    ["lane"],
    # 30 and 900 are what is promised (deploy/monitoring/slos.py).
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600),
)
LANES: Final = {None: "ordinary", False: "ordinary", True: "bulk"}
ANNOUNCEMENT = Histogram(
    "bowerbird_issuer_announcement_seconds",
    "From recording a credential to the broker's confirmation of what announces it; one that failed counts as an hour",
    # 2 is what is promised (deploy/monitoring/slos.py).
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 60),
)

from_zero(DECISION_DELAY, sorted(set(LANES.values())))
from_zero(DECISIONS, Outcome, ["none", *Reason])


@contextmanager
def announcing(credentials: int) -> Iterator[None]:
    """Observe how long announcing so many credentials takes."""
    started = monotonic()
    seconds = _NOT_CONFIRMED
    try:
        yield
        seconds = monotonic() - started
    finally:
        for _ in range(credentials):
            ANNOUNCEMENT.observe(seconds)
