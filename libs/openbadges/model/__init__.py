"""What credentials, presentations and learner records are: data models, schemas, times, errors."""

from libs.openbadges.model.errors import (
    CredentialError,
    LimitError,
    UndecidedError,
    UnknownContextError,
    UnreadFormError,
)
from libs.openbadges.model.findings import Finding, Outcome, worst
from libs.openbadges.model.profile import CONFORMANCE, PRODUCTION, ProcessingProfile
from libs.openbadges.model.solo import SoloLevel

__all__ = [
    "CONFORMANCE",
    "PRODUCTION",
    "CredentialError",
    "Finding",
    "LimitError",
    "Outcome",
    "ProcessingProfile",
    "SoloLevel",
    "UndecidedError",
    "UnknownContextError",
    "UnreadFormError",
    "worst",
]
