"""Who issues, creates, endorses and holds, as Open Badges 3.0 describes people and organisations."""

import hashlib
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from libs.openbadges.model.documents.base import CompactJws, DateTime, Iri, Many, Part, Text, vocabulary
from libs.openbadges.model.documents.vcdm import Envelope

IdentifierType = Annotated[
    str,
    vocabulary(
        "name", "sourcedId", "systemId", "productId", "userName", "accountId", "emailAddress",
        "nationalIdentityNumber", "isbn", "issn", "lisSourcedId", "oneRosterSourcedId", "sisSourcedId", "ltiContextId",
        "ltiDeploymentId", "ltiToolId", "ltiPlatformId", "ltiUserId", "identifier",
    ),
]  # fmt: skip


class Image(Part):
    """A picture: a URL or a data URL (Open Badges 3.0, class Image)."""

    TYPE: ClassVar[str] = "Image"

    id: Iri
    type: Literal["Image"] = "Image"
    caption: Text | None = None


class IdentifierEntry(Part):
    """An identifier of something in somebody's system (Open Badges 3.0, class IdentifierEntry)."""

    type: Literal["IdentifierEntry"] = "IdentifierEntry"
    identifier: Text
    identifier_type: IdentifierType = Field(alias="identifierType")


class IdentityObject(Part):
    """An identifier of the learner, hashed or not (Open Badges 3.0, class IdentityObject)."""

    type: Literal["IdentityObject"] = "IdentityObject"
    hashed: bool
    identity_hash: Text = Field(alias="identityHash")
    identity_type: IdentifierType = Field(alias="identityType")
    salt: Text | None = None

    @classmethod
    def of(cls, identifier: str, identity_type: str, salt: str) -> Self:
        """Hash an identifier with a salt; whoever knows or guesses the identifier can tell that it is this one."""
        digest = hashlib.sha256((identifier + salt).encode()).hexdigest()
        return cls(hashed=True, identity_hash=f"sha256${digest}", identity_type=identity_type, salt=salt)


class GeoCoordinates(Part):
    """A place on earth in degrees (Open Badges 3.0, class GeoCoordinates)."""

    type: Literal["GeoCoordinates"] = "GeoCoordinates"
    latitude: float
    longitude: float


class Address(Part):
    """A postal address (Open Badges 3.0, class Address)."""

    TYPE: ClassVar[str] = "Address"

    type: Many[Text] = Field(["Address"])
    address_country: Text | None = Field(None, alias="addressCountry")
    address_country_code: Text | None = Field(None, alias="addressCountryCode")
    address_region: Text | None = Field(None, alias="addressRegion")
    address_locality: Text | None = Field(None, alias="addressLocality")
    street_address: Text | None = Field(None, alias="streetAddress")
    post_office_box_number: Text | None = Field(None, alias="postOfficeBoxNumber")
    postal_code: Text | None = Field(None, alias="postalCode")
    geo: GeoCoordinates | None = None


class Profile(Part):
    """A school, department or person that issues or created something (Open Badges 3.0, class Profile)."""

    TYPE: ClassVar[str] = "Profile"

    id: Iri
    type: Many[Text] = Field(["Profile"])
    name: Text | None = None
    url: Iri | None = None
    phone: Text | None = None
    description: Text | None = None
    endorsement: "Many[EndorsementCredential] | None" = None
    endorsement_jwt: Many[CompactJws] | None = Field(None, alias="endorsementJwt")
    image: Image | None = None
    email: Text | None = None
    address: Address | None = None
    other_identifier: Many[IdentifierEntry] | None = Field(None, alias="otherIdentifier")
    official: Text | None = None
    parent_org: "Profile | None" = Field(None, alias="parentOrg")
    family_name: Text | None = Field(None, alias="familyName")
    given_name: Text | None = Field(None, alias="givenName")
    additional_name: Text | None = Field(None, alias="additionalName")
    patronymic_name: Text | None = Field(None, alias="patronymicName")
    honorific_prefix: Text | None = Field(None, alias="honorificPrefix")
    honorific_suffix: Text | None = Field(None, alias="honorificSuffix")
    family_name_prefix: Text | None = Field(None, alias="familyNamePrefix")
    date_of_birth: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")] | None = Field(None, alias="dateOfBirth")


class EndorsementSubject(Part):
    """What is endorsed, and in which words (Open Badges 3.0, class EndorsementSubject)."""

    TYPE: ClassVar[str] = "EndorsementSubject"

    id: Iri
    type: Many[Text] = Field(["EndorsementSubject"])
    endorsement_comment: Text | None = Field(None, alias="endorsementComment")


class EndorsementCredential(Envelope):
    """Somebody's signed word for something (Open Badges 3.0, class EndorsementCredential)."""

    id: Iri
    name: Text
    description: Text | None = None
    issuer: Profile | Iri
    valid_from: DateTime = Field(alias="validFrom")
    valid_until: DateTime | None = Field(None, alias="validUntil")
    awarded_date: DateTime | None = Field(None, alias="awardedDate")
    credential_subject: EndorsementSubject = Field(alias="credentialSubject")


Profile.model_rebuild()
