"""What the issuer counts of deciding; label values are this service's own codes."""

from prometheus_client import Counter, Gauge

from libs.common.metrics import from_zero
from libs.contracts.events import Outcome
from services.issuer.decisions.decision import Reason

DECISIONS = Counter(
    "bowerbird_issuer_decisions", "Pieces of evidence decided, by outcome and reason", ["outcome", "reason"]
)
WAITING = Gauge(
    "bowerbird_issuer_waiting_pieces",
    "Pieces of evidence that wait for their issuer or achievement to be published, in the whole database",
)
RECORD_CONFLICTS = Counter(
    "bowerbird_issuer_record_conflicts",
    "Batches decided again because part of them was recorded, by another worker or before a crash",
)

from_zero(DECISIONS, Outcome, ["none", *Reason])
