"""The Comprehensive Learner Record 2.0: one signed record around many credentials, and how they hang together."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from libs.openbadges.model.context_urls import CLR_V2, OPEN_BADGES_V3
from libs.openbadges.model.documents.achievement import Achievement
from libs.openbadges.model.documents.base import CompactJws, DateTime, Iri, Many, Part, Text
from libs.openbadges.model.documents.profile import EndorsementCredential, IdentityObject, Image, Profile
from libs.openbadges.model.documents.vcdm import (
    Envelope,
    EnvelopedVerifiableCredential,
    VerifiableCredential,
    VerifiableCredentialV1,
)

AssociationType = Literal[
    "exactMatchOf", "isChildOf", "isParentOf", "isPartOf", "isPeerOf", "isRelatedTo", "precedes", "replacedBy"
]


class Association(Part):
    """How two achievements of the record stand to each other (CLR 2.0, class Association)."""

    type: Literal["Association"] = "Association"
    association_type: AssociationType = Field(alias="associationType")
    source_id: Iri = Field(alias="sourceId")
    target_id: Iri = Field(alias="targetId")


class ClrSubject(Part):
    """The learner, and the credentials that the record holds together (CLR 2.0, class ClrSubject)."""

    TYPE: ClassVar[str] = "ClrSubject"

    id: Iri | None = None
    type: Many[Text] = Field(["ClrSubject"])
    identifier: Many[IdentityObject] | None = None
    achievement: Many[Achievement] | None = None
    verifiable_credential: Many[VerifiableCredential | VerifiableCredentialV1 | EnvelopedVerifiableCredential] = Field(
        alias="verifiableCredential", min_length=1
    )
    association: Many[Association] | None = None

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.id is None and not self.identifier:
            raise ValueError("A subject needs an id or an identifier.")
        return self


class ClrCredential(Envelope):
    """A learner record (CLR 2.0, class ClrCredential)."""

    id: Iri
    name: Text
    description: Text | None = None
    partial: bool | None = None
    issuer: Profile | Iri
    valid_from: DateTime = Field(alias="validFrom")
    valid_until: DateTime | None = Field(None, alias="validUntil")
    awarded_date: DateTime | None = Field(None, alias="awardedDate")
    credential_subject: ClrSubject = Field(alias="credentialSubject")
    endorsement: Many[EndorsementCredential] | None = None
    endorsement_jwt: Many[CompactJws] | None = Field(None, alias="endorsementJwt")
    image: Image | None = None
    evidence: Many[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _is_a_record(self) -> Self:
        if "ClrCredential" not in self.type:
            raise ValueError("The type does not contain ClrCredential.")
        if self.context[1:3] != [CLR_V2, OPEN_BADGES_V3]:
            raise ValueError(f"The second and third contexts are not {CLR_V2} and {OPEN_BADGES_V3}.")
        return self
