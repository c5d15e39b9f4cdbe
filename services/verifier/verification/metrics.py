"""What the verifier counts: verdicts, outcomes of checks, and how long verifying takes."""

from prometheus_client import Counter, Histogram

from libs.common.metrics import from_zero
from libs.openbadges.model.findings import OUTCOMES
from libs.openbadges.verify import CHECKS as CHECK_NAMES
from libs.openbadges.verify import RECIPIENT, Report

VERIFICATIONS = Counter("bowerbird_verifications", "Credentials verified, by verdict", ["verdict"])
CHECKS = Counter("bowerbird_verification_checks", "Checks made, by name and outcome", ["check", "outcome"])
REMEMBERED = Counter(
    "bowerbird_verifications_remembered", "Documents answered unread, because they were too costly a short time ago"
)
SECONDS = Histogram(
    "bowerbird_verification_seconds",
    "Time to look up and verify one credential",
    # 0.3 is what is promised (deploy/monitoring/slos.py).
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 1, 2.5, 5),
)

from_zero(VERIFICATIONS, OUTCOMES)
from_zero(CHECKS, [*CHECK_NAMES, RECIPIENT], OUTCOMES)


def observe(report: Report, seconds: float) -> None:
    """Count one verification."""
    VERIFICATIONS.labels(report.verdict).inc()
    for check in report.checks:
        CHECKS.labels(check.name, check.outcome).inc()
    SECONDS.observe(seconds)
