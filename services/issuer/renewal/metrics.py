"""What is counted of signed documents that are published in versions."""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge


@dataclass(frozen=True, slots=True)
class RenewalMetrics:
    """The metrics of one kind of documents.

    Attributes:
        published: how often one was published.
        renewed: how often one was signed again because of its age, changed or not.
        oldest_seconds: age of the signature that was made first.
        overdue_seconds: how long ago the oldest one should have been signed again; 0 where none is due.
        unpublished_seconds: how long a change has waited to be published; 0 where none does.
    """

    published: Counter
    renewed: Counter
    oldest_seconds: Gauge
    overdue_seconds: Gauge
    unpublished_seconds: Gauge
