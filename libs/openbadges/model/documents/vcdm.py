"""The envelopes of the Verifiable Credentials Data Model, 2.0 and 1.1: credentials and presentations."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from libs.openbadges.model.context_urls import CREDENTIALS_V1, CREDENTIALS_V2
from libs.openbadges.model.documents.base import DateTime, Iri, Many, Part, Text


class Typed(Part):
    """Something that is known by its type and, mostly, its id (VCDM 2.0, sections 4.5 and 4.6)."""

    id: Iri | None = None
    type: Many[Text]


class CredentialSchema(Typed):
    """The schema that a credential says it follows (VCDM 2.0, section 4.11)."""


class RefreshService(Typed):
    """Where a newer credential is available (VCDM 2.0, section 5.4)."""


class TermsOfUse(Typed):
    """Under which terms a credential was issued (VCDM 2.0, section 5.5)."""


class StatusEntry(Part):
    """Where the credential's status stands (Bitstring Status List 1.0, section 2.1)."""

    id: Iri | None = None
    type: Literal["BitstringStatusListEntry"] = "BitstringStatusListEntry"
    status_purpose: Text = Field(alias="statusPurpose")
    status_list_index: Annotated[str, StringConstraints(pattern=r"^(0|[1-9]\d*)$")] = Field(alias="statusListIndex")
    status_list_credential: Iri = Field(alias="statusListCredential")


class RelatedResource(Part):
    """A file that a credential leans on, with its digest (VCDM 2.0, section 5.3)."""

    id: Iri
    media_type: Text | None = Field(None, alias="mediaType")
    digest_sri: Text | None = Field(None, alias="digestSRI")
    digest_multibase: Many[Text] | None = Field(None, alias="digestMultibase")

    @model_validator(mode="after")
    def _has_a_digest(self) -> Self:
        if self.digest_sri is None and not self.digest_multibase:
            raise ValueError("A related resource has a digestSRI or a digestMultibase.")
        return self


class Proof(Part):
    """A Data Integrity proof, or an older kind with fields of its own (Data Integrity 1.0, section 2.1)."""

    id: Iri | None = None
    type: Text
    cryptosuite: Text | None = None
    created: DateTime | None = None
    expires: DateTime | None = None
    proof_purpose: Text = Field(alias="proofPurpose")
    verification_method: Text | dict[str, Any] | None = Field(None, alias="verificationMethod")
    proof_value: Text | None = Field(None, alias="proofValue")
    previous_proof: Many[Text] | None = Field(None, alias="previousProof")
    domain: Many[Text] | None = None
    challenge: Text | None = None
    nonce: Text | None = None


class Envelope(Part):
    """What credentials of both versions of the data model have in common (VCDM 2.0, section 4)."""

    TYPE: ClassVar[str] = "VerifiableCredential"
    CONTEXT: ClassVar[str] = CREDENTIALS_V2

    context: Many[Iri | dict[str, Any]] = Field(alias="@context", min_length=1)
    id: Iri | None = None
    type: Many[Text]
    credential_status: Many[StatusEntry | Typed] | None = Field(None, alias="credentialStatus")
    credential_schema: Many[CredentialSchema] | None = Field(None, alias="credentialSchema")
    refresh_service: Many[RefreshService] | None = Field(None, alias="refreshService")
    terms_of_use: Many[TermsOfUse] | None = Field(None, alias="termsOfUse")
    proof: Many[Proof] | None = None

    @model_validator(mode="after")
    def _names_its_data_model_first(self) -> Self:
        if self.context[0] != self.CONTEXT:
            raise ValueError(f"The first context is not {self.CONTEXT}.")
        return self


class VerifiableCredential(Envelope):
    """Any credential of the Verifiable Credentials Data Model 2.0 (section 4)."""

    name: Text | dict[str, Any] | list[Any] | None = None
    description: Text | dict[str, Any] | list[Any] | None = None
    issuer: Iri | Typed | dict[str, Any]
    valid_from: DateTime | None = Field(None, alias="validFrom")
    valid_until: DateTime | None = Field(None, alias="validUntil")
    credential_subject: Many[dict[str, Any]] = Field(alias="credentialSubject", min_length=1)
    evidence: Many[dict[str, Any]] | None = None
    related_resource: Many[RelatedResource] | None = Field(None, alias="relatedResource")


class VerifiableCredentialV1(Envelope):
    """Any credential of the Verifiable Credentials Data Model 1.1 (section 4)."""

    CONTEXT: ClassVar[str] = CREDENTIALS_V1

    issuer: Iri | Typed | dict[str, Any]
    issuance_date: DateTime = Field(alias="issuanceDate")
    expiration_date: DateTime | None = Field(None, alias="expirationDate")
    credential_subject: Many[dict[str, Any]] = Field(alias="credentialSubject", min_length=1)
    evidence: Many[dict[str, Any]] | None = None


class EnvelopedVerifiableCredential(Part):
    """A credential inside a media type of its own, such as a JWT, as a data URL (VCDM 2.0, section 4.13)."""

    TYPE: ClassVar[str] = "EnvelopedVerifiableCredential"

    context: Many[Iri | dict[str, Any]] | None = Field(None, alias="@context")
    id: Annotated[str, StringConstraints(pattern=r"^data:[^,]+,.+$")]
    type: Many[Text]


class VerifiablePresentation(Part):
    """Credentials that a holder shows to somebody (VCDM 2.0, section 4.13; VCDM 1.1, section 4.10)."""

    TYPE: ClassVar[str] = "VerifiablePresentation"

    context: Many[Iri | dict[str, Any]] = Field(alias="@context", min_length=1)
    id: Iri | None = None
    type: Many[Text]
    holder: Iri | dict[str, Any] | None = None
    verifiable_credential: Many[dict[str, Any]] | None = Field(None, alias="verifiableCredential")
    proof: Many[Proof] | None = None

    @model_validator(mode="after")
    def _names_a_data_model_first(self) -> Self:
        if self.context[0] not in (CREDENTIALS_V1, CREDENTIALS_V2):
            raise ValueError("The first context is not that of verifiable credentials.")
        return self
