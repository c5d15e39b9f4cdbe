"""What an organisation is made of: its kind, the ids that others know it by, its former names, how it closed."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from libs.contracts.reasons import Code


class OrganisationKind(Code):
    """What an organisation is. It says nothing of where it may stand in the tree."""

    AUTHORITY = "authority"
    REGION = "region"
    SCHOOL = "school"
    OTHER = "other"


class ClosingReason(Code):
    """Why an organisation takes no evidence any more. A code never changes its meaning."""

    CLOSED = "closed"
    MERGED = "merged"
    LEFT = "left"
    OTHER = "other"


CLOSING_MEANINGS: Final[Mapping[ClosingReason, str]] = {
    ClosingReason.CLOSED: "It has closed.",
    ClosingReason.MERGED: "It has become part of its successor.",
    ClosingReason.LEFT: "It goes on, and belongs to this authority no longer.",
    ClosingReason.OTHER: "None of these; the authority can say more to those whom it concerns.",
}

KindCode = Annotated[OrganisationKind, BeforeValidator(OrganisationKind.read)]
ClosingCode = Annotated[ClosingReason, BeforeValidator(ClosingReason.read)]
"""The codes as fields of events."""


class Identifier(BaseModel):
    """An id by which somebody else knows the organisation."""

    model_config = ConfigDict(frozen=True)

    scheme: str = Field(
        description="whose id it is: `acara` (Australian Curriculum, Assessment and Reporting Authority), `sif` (a "
        "RefId of the Systems Interoperability Framework), `department` (the authority's own number), or another word"
    )
    value: str

    @property
    def text(self) -> str:
        """Return `SCHEME:VALUE`."""
        return f"{self.scheme}:{self.value}"


class FormerName(BaseModel):
    """A name that the organisation had, and until when."""

    model_config = ConfigDict(frozen=True)

    name: str
    until: date = Field(description="the first day of the name that followed")


class Closing(BaseModel):
    """That an organisation takes no evidence after a day. What it issued stands."""

    model_config = ConfigDict(frozen=True)

    last_day: date = Field(description="the last day, in UTC, on which it takes evidence")
    reason: ClosingCode
    successor: str | None = Field(default=None, description="the id of the organisation that follows it")
