"""What the verifier counts of what it keeps: registries that its operator trusts, and status lists."""

from prometheus_client import Counter, Gauge

STATUS_LISTS_REFUSED = Counter(
    "bowerbird_verifier_status_lists_refused",
    "Versions of status lists that were refused, since a higher one was read before: the issuer's store went back",
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
