"""What the verifier counts of what it keeps: registries that its operator trusts, status lists, revocations."""

from prometheus_client import Counter, Gauge, Histogram

STATUS_LISTS_REFUSED = Counter(
    "bowerbird_verifier_status_lists_refused",
    "Versions of status lists that were refused, since a higher one was read before: the issuer's store went back",
)
CATCHING_UP = Gauge(
    "bowerbird_verifier_catching_up",
    "1 while nothing is served, as the database is of an earlier moment than what was published",
)
# Labels are the names of the operator's file.
REGISTRY_READS = Counter(
    "bowerbird_verifier_registry_reads",
    "Readings of trusted registries: new, same, refused (not as it must be) or unreachable",
    ["registry", "outcome"],
)
REGISTRY_GOOD_AT = Gauge(
    "bowerbird_verifier_registry_good_timestamp_seconds",
    "When a trusted registry was last read and found good, in seconds since 1970",
    ["registry"],
)
REVOCATION_SECONDS = Histogram(
    "bowerbird_verifier_revocation_seconds",
    "From asking for a revocation until it is stored where it is served from: on the badge's own page, or as the first "
    "of a version of a status list; replicas serve it within a second more",
    ["shown"],
    # 60 is what is promised (deploy/monitoring/slos.py).
    buckets=(1, 2, 5, 10, 30, 60, 300, 900, 3600),
)
for _where in ("page", "list"):
    REVOCATION_SECONDS.labels(_where)
