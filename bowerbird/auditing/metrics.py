"""What is measured of audits against the promises; label values are the names of checks."""

from typing import Final

from prometheus_client import Gauge

DIFFERENCES: Final = Gauge(
    "bowerbird_audit_differences", "What is not as promised, by check, as of the last audit; must be 0", ["check"]
)
LAST_SUCCESS: Final = Gauge(
    "bowerbird_audit_last_success_timestamp_seconds", "When an audit last came to its end, whatever it found"
)
SECONDS: Final = Gauge("bowerbird_audit_seconds", "How long the last audit took")
BACKUP_NEWEST: Final = Gauge("bowerbird_backup_newest_timestamp_seconds", "The moment that the newest backup is of")
BACKUP_VERIFIED: Final = Gauge(
    "bowerbird_backup_last_verified_timestamp_seconds", "When the newest backup was last read and found whole"
)
