"""What verifying is asked and answers over HTTP, as pydantic models: the OpenAPI document is made from them."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from libs.common.openapi import without_default
from libs.openbadges.trust import Standing
from libs.openbadges.verify import CHECKS, RECIPIENT

Outcome = Literal["pass", "fail", "unknown"]

_BADGE_URL = "https://badges.example/badges/0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11"
EXAMPLE_CREDENTIAL: dict[str, Any] = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
    ],
    "id": _BADGE_URL,
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
    "issuer": {"id": "did:web:badges.example:issuers:wattle-grove", "type": ["Profile"]},
    "validFrom": "2026-03-06T09:30:00Z",
    "credentialSubject": {
        "id": "urn:uuid:5b9f1a52-6a3f-4c57-9d9e-7a3c5f0e8d11",
        "type": ["AchievementSubject"],
        "achievement": {
            "id": "https://badges.example/achievements/wattle-grove/resilience/1",
            "type": ["Achievement"],
            "name": "Resilience",
            "description": "Goes on when it is hard.",
            "criteria": {"narrative": "Shows it in Values Week."},
        },
    },
}


class CredentialDocument(BaseModel):
    """A credential by itself: any JSON object with a JSON-LD context, verified byte for byte as it is sent."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [EXAMPLE_CREDENTIAL]})

    context: list[str | dict[str, Any]] | str = Field(alias="@context")


class RecipientQuestion(BaseModel):
    """An identifier with its type, as Open Badges 3.0 has them in IdentityObject."""

    model_config = ConfigDict(extra="forbid")

    identifier: str = Field(min_length=1, max_length=1_000, examples=["zoe@school.example"])
    identifierType: Annotated[str, Field(min_length=1, max_length=1_000)] | SkipJsonSchema[None] = Field(  # noqa: N815  # as it is sent
        default=None, examples=["emailAddress"], json_schema_extra=without_default
    )


_Recipient = Annotated[
    Annotated[str, Field(min_length=1, max_length=1_000)] | RecipientQuestion | SkipJsonSchema[None],
    Field(
        description="whom it should be about: an id or identifier, or an identifier with its type; adds a check",
        json_schema_extra=without_default,
    ),
]


class CredentialQuestion(BaseModel):
    """A credential with a question about it."""

    model_config = ConfigDict(extra="forbid")

    credential: dict[str, Any] | str = Field(
        description="the credential, or a JWT in compact form", examples=[EXAMPLE_CREDENTIAL]
    )
    recipient: _Recipient = None


class BadgeQuestion(BaseModel):
    """The URL of a badge that was issued here. Nothing is fetched from elsewhere."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(examples=[_BADGE_URL])
    recipient: _Recipient = None


class CheckView(BaseModel):
    """One question about a credential, and its answer."""

    name: str = Field(description=f"one of {', '.join((*CHECKS, RECIPIENT))}", examples=["proof"])
    outcome: Outcome = Field(description="`unknown` where it could not be decided: neither a yes nor a no")
    code: str = Field(description="stable, for programs", examples=["proof_valid"])
    message: str = Field(description="for people", examples=["The signature is valid."])
    at: AwareDatetime = Field(description="the moment that the answer speaks of")


class SuspensionView(BaseModel):
    """That an organisation may issue nothing for the time being; what it issued before stands."""

    since: AwareDatetime
    reason: str = Field(
        description="a code; the codes stand in docs/reference/suspension.md", examples=["under_review"]
    )


class OrganisationView(BaseModel):
    """An organisation as its own record, or a registry, has it."""

    id: str | None = Field(description="its id here; null for one that a registry lists", examples=["wattle-grove"])
    did: str = Field(description="what credentials name as their issuer")
    name: str
    url: str | None
    suspension: SuspensionView | None = Field(
        default=None, description="while it is suspended: the credential may be good, and who signed it issues no more"
    )


class AlikeView(BaseModel):
    """A registered organisation whose name looks like the one in the credential."""

    id: str | None
    did: str
    name: str


class SignerView(BaseModel):
    """Who signed it, apart from whether it is good: `pass` says nothing about the standing of who signed."""

    standing: Standing = Field(
        description="registered here; listed, when it was issued, by a registry that is trusted here; unknown; or "
        "undetermined: our own records, or a registry, could not be reached, so it may be any of these"
    )
    proven: bool = Field(description="whether it is proven that this party signed")
    id: str | None = Field(description="whom the credential names as its issuer")
    did: str | None = Field(description="the DID whose key signed, where that is proven")
    name: str | None = Field(description="what the credential calls its issuer; anybody can write anything there")
    organisation: OrganisationView | None = Field(description="its own record, where it is registered or listed")
    registry: str | None = Field(description="the registry that lists it")
    resembles: list[AlikeView] = Field(description="registered organisations that it may be mistaken for, and is not")
    message: str = Field(examples=['an unknown party that calls itself "Banksia College"'])


class ReportView(BaseModel):
    """The report on a credential. Any check that fails: fail. Else any that is unknown: unknown. Else pass."""

    verdict: Outcome = Field(description="whether the credential is good; who signed it is another question")
    summary: str = Field(description="the verdict and who signed, in words")
    signer: SignerView | None = Field(description="who signed it; null where it could not be read")
    checks: list[CheckView]
    embedded: list["EmbeddedReportView"] = Field(
        default=[], description="of a learner record: a report on each credential in it"
    )
    endorsements: list["EndorsementReportView"] = Field(
        default=[], description="a report on each endorsement; a bad one makes the verdict unknown, not fail"
    )


class EmbeddedReportView(ReportView):
    """The report on a credential in a learner record."""

    id: str | None = Field(description="the credential's id, where it has one")


class EndorsementReportView(EmbeddedReportView):
    """The report on an endorsement."""

    pointer: str = Field(
        description="where it stands in the credential (JSON Pointer)", examples=["/issuer/endorsement/0"]
    )


for _view in (ReportView, EmbeddedReportView, EndorsementReportView):
    _view.model_rebuild()
