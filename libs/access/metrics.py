"""Metrics of access."""

from prometheus_client import Counter, Gauge

FORGED = Counter("bowerbird_access_forged", "Records about access without a valid signature, which were refused")
KEYS = Gauge("bowerbird_access_keys", "API keys that this process knows and that have not ended")
