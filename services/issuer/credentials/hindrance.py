"""What keeps every award of an issuer, or of one achievement, from being signed, whatever the evidence says."""

from enum import Enum


class Hindrance(Enum):
    """Stable codes, which schools read as reasons for which their evidence waits."""

    KEY_MISSING = "signing_key_missing"
    KEY_CLOSED = "signing_key_closed"
    ISSUER_UNUSABLE = "issuer_unusable"
    ACHIEVEMENT_UNUSABLE = "achievement_unusable"


Pair = tuple[str, str]
"""An issuer, and an achievement's id as its sender wrote it."""
