"""What is counted of the audit log; label values are our own codes."""

from prometheus_client import Counter, Gauge

from libs.audit.entry import Action
from libs.common.metrics import from_zero

ENTRIES = Counter("bowerbird_audit_entries", "Entries that this process added to the audit log", ["action"])
HEAD = Gauge("bowerbird_audit_head_sequence", "The sequence of the last entry that this process added")
FAILURES = Counter("bowerbird_audit_failures", "Entries that could not be added, so that nothing was done")
REFUSALS = Counter("bowerbird_access_refused", "Refusals of access, also those that the log only counts", ["reason"])

from_zero(ENTRIES, Action)
