"""Badges of before Open Badges 3.0, which are no verifiable credentials: recognised, and not verified."""

from typing import Any, Final

from libs.openbadges.model.errors import UnreadFormError
from libs.openbadges.model.members import types_of

OPEN_BADGES_2: Final = "Open Badges 2"
OPEN_BADGES_1: Final = "Open Badges 1"
BLOCKCERTS: Final = "Blockcerts"

_CONTEXTS: Final = (
    ("w3id.org/blockcerts", BLOCKCERTS),
    ("w3id.org/openbadges/v2", OPEN_BADGES_2),
    ("openbadgespec.org/v2", OPEN_BADGES_2),
    ("w3id.org/openbadges/v1", OPEN_BADGES_1),
    ("openbadgespec.org/v1", OPEN_BADGES_1),
    ("standard.openbadges.org", OPEN_BADGES_1),
)
_CODES: Final = {OPEN_BADGES_2: "open_badges_2", OPEN_BADGES_1: "open_badges_1", BLOCKCERTS: "blockcerts"}


def older_badge(document: dict[str, Any]) -> UnreadFormError | None:
    """Return that a document is a badge of an earlier edition, by its contexts or its form; None for anything else."""
    if "VerifiableCredential" in types_of(document) or "VerifiablePresentation" in types_of(document):
        return None
    contexts = document.get("@context")
    named = [one for one in (contexts if isinstance(contexts, list) else [contexts]) if isinstance(one, str)]
    for part, edition in _CONTEXTS:
        if any(part in one for one in named):
            return unread(edition)
    return unread(OPEN_BADGES_1) if contexts is None and _is_first_edition(document) else None


def unread(edition: str) -> UnreadFormError:
    """Return the error for a badge of an edition."""
    return UnreadFormError(
        _CODES[edition],
        f"This is {edition}, which is no verifiable credential and is not verified here; it may be good.",
    )


def _is_first_edition(document: dict[str, Any]) -> bool:
    """Return whether a document has the form of an assertion of Open Badges 0.5 or 1.0, which have no context."""
    badge, recipient = document.get("badge"), document.get("recipient")
    hosted = isinstance(document.get("verify"), dict) and isinstance(recipient, dict) and isinstance(badge, str)
    return hosted or (isinstance(badge, dict) and isinstance(recipient, str) and "criteria" in badge)
