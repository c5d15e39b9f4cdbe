"""Why a badge was awarded by hand, revoked or taken down, or an issuer suspended: stable codes."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BeforeValidator


class Code(StrEnum):
    """One of a list of words that later versions may make longer; each list has `other`."""

    @classmethod
    def read(cls, value: object) -> Self:
        """Return the code of an event; `other` for one of a later version, and for a text, which goes no further.

        Raises:
            ValueError: this is no text.
        """
        if not isinstance(value, str):
            raise ValueError("a code is a text")  # noqa: TRY004  # pydantic answers a ValueError alone
        return cls(value) if value in cls.__members__.values() else cls("other")


class RevocationReason(Code):
    """Why a credential was revoked. A code never changes its meaning, and none of them blames a learner."""

    ISSUED_IN_ERROR = "issued_in_error"
    WRONG_LEARNER = "wrong_learner"
    EVIDENCE_WITHDRAWN = "evidence_withdrawn"
    STACKED_ON_REVOKED = "stacked_on_revoked"
    SUPERSEDED = "superseded"
    REQUESTED_BY_LEARNER = "requested_by_learner"
    TAKEN_DOWN = "taken_down"
    OTHER = "other"


class WithdrawalReason(Code):
    """Why a school takes evidence back. A code never changes its meaning, and none of them blames a learner."""

    ENTERED_IN_ERROR = "entered_in_error"
    WRONG_LEARNER = "wrong_learner"
    CORRECTED = "corrected"
    REQUESTED_BY_LEARNER = "requested_by_learner"
    OTHER = "other"


class AwardReason(Code):
    """Why a school awards a badge by hand. A code never changes its meaning."""

    PRIOR_LEARNING = "prior_learning"
    EVIDENCE_ELSEWHERE = "evidence_elsewhere"
    APPEAL = "appeal"
    CORRECTION = "correction"
    OTHER = "other"


class TakeDownReason(Code):
    """Why what a badge says is withheld from everybody. A code never changes its meaning."""

    PERSONAL_DATA = "personal_data"
    REQUESTED_BY_LEARNER = "requested_by_learner"
    SAFETY = "safety"
    RIGHTS_OF_OTHERS = "rights_of_others"
    LEGAL_ORDER = "legal_order"
    OTHER = "other"


class SuspensionReason(Code):
    """Why an issuer may issue nothing for the time being. A code never changes its meaning."""

    UNDER_REVIEW = "under_review"
    SECURITY = "security"
    REQUESTED_BY_ISSUER = "requested_by_issuer"
    CLOSED = "closed"
    OTHER = "other"


REVOCATION_MEANINGS: Final[Mapping[RevocationReason, str]] = {
    RevocationReason.ISSUED_IN_ERROR: "It should not have been issued.",
    RevocationReason.WRONG_LEARNER: "It was issued to another learner than the one who earned it.",
    RevocationReason.EVIDENCE_WITHDRAWN: "The evidence that it rests on was withdrawn or corrected.",
    RevocationReason.STACKED_ON_REVOKED: "It asks to hold another credential, which was revoked.",
    RevocationReason.SUPERSEDED: "Another credential takes its place.",
    RevocationReason.REQUESTED_BY_LEARNER: "The learner asked for it.",
    RevocationReason.TAKEN_DOWN: "It was taken down, which revokes it. Only a take-down sets this.",
    RevocationReason.OTHER: "None of these; the issuer can say more to those whom it concerns.",
}
WITHDRAWAL_MEANINGS: Final[Mapping[WithdrawalReason, str]] = {
    WithdrawalReason.ENTERED_IN_ERROR: "It should not have been sent.",
    WithdrawalReason.WRONG_LEARNER: "It is about another learner than the one for whom it was sent.",
    WithdrawalReason.CORRECTED: "It was wrong, and is sent again with what is right.",
    WithdrawalReason.REQUESTED_BY_LEARNER: "The learner asked for it.",
    WithdrawalReason.OTHER: "None of these.",
}
AWARD_MEANINGS: Final[Mapping[AwardReason, str]] = {
    AwardReason.PRIOR_LEARNING: "What was learned before, or outside the school, is recognised.",
    AwardReason.EVIDENCE_ELSEWHERE: "The evidence was assessed, and stands in records that are not sent.",
    AwardReason.APPEAL: "Somebody asked for the decision to be looked at again, and was right.",
    AwardReason.CORRECTION: "What was awarded before was wrong, or was not awarded by mistake.",
    AwardReason.OTHER: "None of these; the comment of the row can say more, to the school alone.",
}
TAKE_DOWN_MEANINGS: Final[Mapping[TakeDownReason, str]] = {
    TakeDownReason.PERSONAL_DATA: "It says something personal that should not be public.",
    TakeDownReason.REQUESTED_BY_LEARNER: "The learner, or who speaks for the learner, asked for it.",
    TakeDownReason.SAFETY: "Its page could put somebody at risk.",
    TakeDownReason.RIGHTS_OF_OTHERS: "It shows or links to what belongs to somebody else.",
    TakeDownReason.LEGAL_ORDER: "A court or an authority ordered it.",
    TakeDownReason.OTHER: "None of these; the issuer can say more to those whom it concerns.",
}
SUSPENSION_MEANINGS: Final[Mapping[SuspensionReason, str]] = {
    SuspensionReason.UNDER_REVIEW: "What it issued is being looked into.",
    SuspensionReason.SECURITY: "Somebody else may have used its systems or keys.",
    SuspensionReason.REQUESTED_BY_ISSUER: "It asked for it.",
    SuspensionReason.CLOSED: "It has closed, or has become part of another organisation.",
    SuspensionReason.OTHER: "None of these; the authority can say more to those whom it concerns.",
}

RevocationCode = Annotated[RevocationReason, BeforeValidator(RevocationReason.read)]
WithdrawalCode = Annotated[WithdrawalReason, BeforeValidator(WithdrawalReason.read)]
AwardCode = Annotated[AwardReason, BeforeValidator(AwardReason.read)]
TakeDownCode = Annotated[TakeDownReason, BeforeValidator(TakeDownReason.read)]
SuspensionCode = Annotated[SuspensionReason, BeforeValidator(SuspensionReason.read)]
"""The codes as fields of events."""
