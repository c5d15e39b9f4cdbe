"""What the issuer counts of the signed list of issuers."""

from prometheus_client import Counter, Gauge

from services.issuer.renewal.metrics import RenewalMetrics

ISSUER_LIST = RenewalMetrics(
    published=Counter("bowerbird_issuer_list_published", "The signed list of issuers, as often as it was published"),
    renewed=Counter("bowerbird_issuer_list_renewed", "The list signed again because of its age, changed or not"),
    oldest_seconds=Gauge("bowerbird_issuer_list_age_seconds", "Age of the list's signature"),
    overdue_seconds=Gauge(
        "bowerbird_issuer_list_overdue_seconds",
        "How long ago it should have been signed again; 0 where it is not due",
    ),
    unpublished_seconds=Gauge(
        "bowerbird_issuer_list_unpublished_seconds", "How long a change of it has waited to be published; 0 where none"
    ),
)
