"""Prometheus metrics of the notifier; labels are our own words, never a domain or an address."""

from prometheus_client import Counter, Gauge, Histogram

from libs.common.metrics import from_zero
from services.notifier.channels.failure import FailureKind

DELIVERIES = Counter(
    "bowerbird_notifier_deliveries",
    "Outcomes of claimed deliveries: sent, temporary, lost, permanent, unbuildable, relay_unavailable, lease_ended;"
    " gave_up beside the failure that was the last",
    ["outcome"],
)
SENDING_SECONDS = Histogram(
    "bowerbird_notifier_sending_seconds",
    "Time that the mail server took for one mail, from MAIL to its last answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600),
)
OFFER_DELAY = Histogram(
    "bowerbird_notifier_offer_delay_seconds",
    "From scheduling a mail to its first offer to the mail server",
    # 3600 is what is promised (deploy/monitoring/slos.py).
    buckets=(1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400),
)
POSTPONED = Counter(
    "bowerbird_notifier_postponed",
    "Claimed deliveries put back without an attempt, by reason: rate, share, no_address, no_text,"
    " issue_in_flight, limit, relay",
    ["reason"],
)
RELAY_UNAVAILABLE = Counter(
    "bowerbird_notifier_relay_unavailable", "Times that the mail server took no mail from us at all"
)
IN_FLIGHT = Gauge("bowerbird_notifier_in_flight", "Mails being sent by this process")
HELD = Gauge(
    "bowerbird_notifier_held",
    "Deliveries that may have been sent before the database was set back, until `bowerbird deliveries` decides",
)
DUE = Gauge("bowerbird_notifier_due", "Pending deliveries that are due")
OLDEST_DUE_SECONDS = Gauge("bowerbird_notifier_oldest_due_seconds", "How long the longest due delivery has been due")

from_zero(DELIVERIES, ["sent", *FailureKind, "relay_unavailable", "lease_ended", "gave_up", "refused_domain"])
from_zero(POSTPONED, ["rate", "share", "no_address", "no_text", "issue_in_flight", "limit", "relay"])
