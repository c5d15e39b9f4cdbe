"""What the issuer counts beyond what every service counts; label values are this service's own codes."""

from prometheus_client import Counter, Gauge, Histogram

DECISIONS = Counter(
    "bowerbird_issuer_decisions", "Pieces of evidence decided, by outcome and reason", ["outcome", "reason"]
)
WAITING = Gauge(
    "bowerbird_issuer_waiting_pieces",
    "Pieces of evidence that wait for their issuer or achievement to be published, in the whole database",
)
SIGNING_SECONDS = Histogram(
    "bowerbird_issuer_signing_seconds",
    "Time to prepare and sign one credential",
    buckets=(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25),
)
RECORD_CONFLICTS = Counter(
    "bowerbird_issuer_record_conflicts", "Batches decided again because another worker had recorded part of them"
)
REVOCATIONS = Counter("bowerbird_issuer_revocations", "Commands to revoke, by what became of them", ["outcome"])
STATUS_LISTS_PUBLISHED = Counter("bowerbird_issuer_status_lists_published", "Status list credentials published")
