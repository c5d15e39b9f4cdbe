"""Verifying: from what was handed in to a report of named checks."""

from libs.openbadges.verify.dependencies import Dependencies, dependencies_of
from libs.openbadges.verify.opening import Opened, open_document
from libs.openbadges.verify.pipeline import CHECKS, RECIPIENT, verify, verify_all
from libs.openbadges.verify.presentations import (
    PRESENTATION_CHECKS,
    PresentationReport,
    presentation_dependencies,
    verify_presentation,
)
from libs.openbadges.verify.recipient import Recipient
from libs.openbadges.verify.report import Check, Report
from libs.openbadges.verify.run import ResolvedInputs
from libs.openbadges.verify.status import STATUS_LIST_LIMITS, status_list_signers

__all__ = [
    "CHECKS",
    "PRESENTATION_CHECKS",
    "RECIPIENT",
    "STATUS_LIST_LIMITS",
    "Check",
    "Dependencies",
    "Opened",
    "PresentationReport",
    "Recipient",
    "Report",
    "ResolvedInputs",
    "dependencies_of",
    "open_document",
    "presentation_dependencies",
    "status_list_signers",
    "verify",
    "verify_all",
    "verify_presentation",
]
