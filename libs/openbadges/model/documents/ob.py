"""The credential of Open Badges 3.0: who holds it, what for, on which evidence."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from libs.openbadges.model.documents.achievement import Achievement, Result
from libs.openbadges.model.documents.base import CompactJws, DateTime, Iri, Many, Part, Text
from libs.openbadges.model.documents.profile import EndorsementCredential, IdentityObject, Image, Profile
from libs.openbadges.model.documents.vcdm import Envelope, RelatedResource


class Evidence(Part):
    """What the award rests on (Open Badges 3.0, class Evidence)."""

    TYPE: ClassVar[str] = "Evidence"

    type: Many[Text] = Field(["Evidence"])
    id: Iri | None = None
    name: Text | None = None
    narrative: Text | None = None
    description: Text | None = None
    genre: Text | None = None
    audience: Text | None = None


class AchievementSubject(Part):
    """Who holds the credential, and what for (Open Badges 3.0, class AchievementSubject)."""

    TYPE: ClassVar[str] = "AchievementSubject"

    id: Iri | None = None
    type: Many[Text] = Field(["AchievementSubject"])
    identifier: Many[IdentityObject] | None = None
    achievement: Achievement
    result: Many[Result] | None = None
    narrative: Text | None = None
    image: Image | None = None
    role: Text | None = None
    term: Text | None = None
    license_number: Text | None = Field(None, alias="licenseNumber")
    source: Profile | None = None
    credits_earned: float | None = Field(None, alias="creditsEarned")
    activity_start_date: DateTime | None = Field(None, alias="activityStartDate")
    activity_end_date: DateTime | None = Field(None, alias="activityEndDate")

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.id is None and not self.identifier:
            raise ValueError("A subject needs an id or an identifier.")
        return self


class AchievementCredential(Envelope):
    """An Open Badge (Open Badges 3.0, class AchievementCredential)."""

    id: Iri
    name: Text | None = None
    description: Text | None = None
    issuer: Profile | Iri
    valid_from: DateTime = Field(alias="validFrom")
    valid_until: DateTime | None = Field(None, alias="validUntil")
    awarded_date: DateTime | None = Field(None, alias="awardedDate")
    credential_subject: AchievementSubject = Field(alias="credentialSubject")
    endorsement: Many[EndorsementCredential] | None = None
    endorsement_jwt: Many[CompactJws] | None = Field(None, alias="endorsementJwt")
    evidence: Many[Evidence] | None = None
    image: Image | None = None
    related_resource: Many[RelatedResource] | None = Field(None, alias="relatedResource")

    @model_validator(mode="after")
    def _is_an_open_badge(self) -> Self:
        if not {"AchievementCredential", "OpenBadgeCredential"} & set(self.type):
            raise ValueError("The type contains neither AchievementCredential nor OpenBadgeCredential.")
        return self
