"""What the issuer counts of its status lists."""

from prometheus_client import Counter, Gauge

STATUS_LISTS_PUBLISHED = Counter("bowerbird_issuer_status_lists_published", "Status list credentials published")
STATUS_LISTS_RENEWED = Counter(
    "bowerbird_issuer_status_lists_renewed", "Status lists signed again because of their age, changed or not"
)
OLDEST_SECONDS = Gauge(
    "bowerbird_issuer_status_list_oldest_seconds", "Age of the signature of the status list that was signed first"
)
OVERDUE_SECONDS = Gauge(
    "bowerbird_issuer_status_list_overdue_seconds",
    "How long ago the oldest status list should have been signed again; 0 where none is due",
)
