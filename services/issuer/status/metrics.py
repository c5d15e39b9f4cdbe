"""What the issuer counts of its status lists."""

from prometheus_client import Counter, Gauge

from services.issuer.renewal.metrics import RenewalMetrics

STATUS_LISTS = RenewalMetrics(
    published=Counter("bowerbird_issuer_status_lists_published", "Status list credentials published"),
    renewed=Counter(
        "bowerbird_issuer_status_lists_renewed", "Status lists signed again because of their age, changed or not"
    ),
    oldest_seconds=Gauge(
        "bowerbird_issuer_status_list_oldest_seconds", "Age of the signature of the status list that was signed first"
    ),
    overdue_seconds=Gauge(
        "bowerbird_issuer_status_list_overdue_seconds",
        "How long ago the oldest status list should have been signed again; 0 where none is due",
    ),
    unpublished_seconds=Gauge(
        "bowerbird_issuer_status_list_unpublished_seconds",
        "How long a revocation has waited for its status list to be published; 0 where none does",
    ),
)
