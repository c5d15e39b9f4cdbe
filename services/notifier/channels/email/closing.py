"""Why a badge was revoked or taken down, as its learner is told: kindly, by the code alone."""

from collections.abc import Mapping
from typing import Final

from libs.contracts.reasons import RevocationReason, TakeDownReason
from services.notifier.occasion import Occasion

_ASKED: Final = "You asked for it, or somebody did so for you."

REVOKED: Final[Mapping[RevocationReason, str]] = {
    RevocationReason.ISSUED_IN_ERROR: "It was given by mistake, and the mistake was not yours.",
    RevocationReason.WRONG_LEARNER: "It was meant for somebody else.",
    RevocationReason.EVIDENCE_WITHDRAWN: "What it was given for has been corrected.",
    RevocationReason.STACKED_ON_REVOKED: "A badge that it builds on was revoked.",
    RevocationReason.SUPERSEDED: "Another badge takes its place.",
    RevocationReason.REQUESTED_BY_LEARNER: _ASKED,
    RevocationReason.TAKEN_DOWN: "",
    RevocationReason.OTHER: "",
}
TAKEN_DOWN: Final[Mapping[TakeDownReason, str]] = {
    TakeDownReason.PERSONAL_DATA: "It said something that should stay private.",
    TakeDownReason.REQUESTED_BY_LEARNER: _ASKED,
    TakeDownReason.SAFETY: "",
    TakeDownReason.RIGHTS_OF_OTHERS: "It showed something that belongs to somebody else.",
    TakeDownReason.LEGAL_ORDER: "",
    TakeDownReason.OTHER: "",
}


def why(occasion: Occasion, reason: str | None) -> str:
    """Return a sentence for the learner; empty where the code says nothing that helps, or is not known here."""
    if occasion is Occasion.REVOKED:
        return REVOKED[RevocationReason.read(reason or "")]
    if occasion is Occasion.TAKEN_DOWN:
        return TAKEN_DOWN[TakeDownReason.read(reason or "")]
    return ""
