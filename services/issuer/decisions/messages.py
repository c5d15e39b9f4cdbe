"""What the reasons of decisions say to people: one message each, free of personal data."""

from libs.contracts.events import Outcome
from libs.contracts.reasons import WithdrawalReason
from services.issuer.decisions.decision import Reason

_PARKED: dict[Reason, str] = {
    Reason.SIGNING_KEY_MISSING: (
        "The issuer's signing key is not there, so nothing is signed for it. The evidence waits and is decided when the"
        " key is back."
    ),
    Reason.SIGNING_KEY_CLOSED: (
        "The issuer's signing key does not open, so nothing is signed for it. The evidence waits and is decided when it"
        " does."
    ),
    Reason.ISSUER_UNUSABLE: (
        "What is stored of the issuer cannot be used, so nothing is signed for it. The evidence waits and is decided"
        " when that is put right."
    ),
    Reason.ACHIEVEMENT_UNUSABLE: (
        "No credential of this achievement can be written as it stands. The evidence waits and is decided when there is"
        " a version of which one can."
    ),
}
_WITHDRAWN: dict[WithdrawalReason, str] = {
    WithdrawalReason.ENTERED_IN_ERROR: "it should not have been sent.",
    WithdrawalReason.WRONG_LEARNER: "it is about another learner.",
    WithdrawalReason.CORRECTED: "it is corrected.",
    WithdrawalReason.REQUESTED_BY_LEARNER: "the learner asked for it.",
    WithdrawalReason.OTHER: "the school did not say why.",
}
MESSAGES: dict[Reason, str] = {
    Reason.UNKNOWN_ISSUER: "The issuer that this evidence was sent for is not known.",
    Reason.UNKNOWN_ACHIEVEMENT: "There is no achievement of this id that this issuer may award.",
    Reason.ISSUER_SUSPENDED: "The issuer is suspended, and the evidence has waited as long as it may.",
    **_PARKED,
    Reason.LEVEL_NEEDED: "This achievement is awarded by level, and the evidence gives a score.",
    Reason.SCORE_NEEDED: "This achievement is awarded by score, and the evidence gives a level.",
    Reason.CANNOT_BE_WRITTEN: "A value of this evidence, most likely its link, cannot stand in a credential.",
    Reason.SOURCE_ID_REUSED: "Other evidence was taken in under this source id before; give this one its own.",
    Reason.SENT_BEFORE: "The same evidence was taken in before.",
    Reason.BELOW_REQUIRED_LEVEL: "The level shown is below the one that this achievement asks for.",
    Reason.BELOW_REQUIRED_SCORE: "The score is below the one that this achievement asks for.",
    Reason.MORE_EVIDENCE_NEEDED: "It is kept and counts; this achievement asks for more together.",
    Reason.ALREADY_AWARDED: "The learner holds this achievement at this level already.",
    Reason.HIGHER_LEVEL_HELD: "The learner holds this achievement at a higher level already.",
    Reason.WITHDRAWN_BEFORE: (
        "This evidence was withdrawn. Send what is right instead under the same source id, or this one under another."
    ),
    Reason.SUPERSEDED_UNKNOWN: (
        "There is no badge under the id that this award is to take the place of, or it is not this learner's, or not of"
        " this issuer."
    ),
    Reason.SUPERSEDED_REVOKED: "The badge that this award is to take the place of was revoked before.",
    Reason.SUPERSEDED_BEFORE: "Another badge took the place of the one that this award is to take the place of.",
    **{Reason(reason.value): f"It was withdrawn: {why}" for reason, why in _WITHDRAWN.items()},
}
MISSING = "Still missing: "
"""What stands before the words of what a rule lacks, at the end of a message."""
WAITING_MESSAGES: dict[Reason, str] = {
    Reason.UNKNOWN_ISSUER: (
        "The issuer that this evidence was sent for is not known yet. The evidence waits and is decided when the issuer"
        " is added."
    ),
    Reason.UNKNOWN_ACHIEVEMENT: (
        "There is no achievement of this id that this issuer may award yet. The evidence waits and is decided when the"
        " achievement is published; if the id is wrong, send it again with the right one."
    ),
    **_PARKED,
    Reason.ISSUER_SUSPENDED: (
        "The issuer is suspended, so nothing is signed for it. The evidence waits and is decided when the issuer is"
        " resumed."
    ),
}


def message(outcome: Outcome, reason: Reason, missing: str | None = None) -> str:
    """Return the message for people about a decision of this outcome and reason, with what is missing in words."""
    told = WAITING_MESSAGES[reason] if outcome is Outcome.WAITING else MESSAGES[reason]
    return told if missing is None else f"{told} {MISSING}{missing}."
