"""What the verifier counts of the registries that its operator trusts; labels are the names of the operator's file."""

from prometheus_client import Counter, Gauge

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
