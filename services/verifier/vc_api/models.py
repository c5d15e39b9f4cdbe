"""Request and response models of the VC API's verifying calls, from which the OpenAPI document is made."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.verifier.verification.models import EXAMPLE_CREDENTIAL, CheckView, Outcome, ReportView, SignerView

_Text = Annotated[str, Field(max_length=1_000)] | None


class VerifyOptions(BaseModel):
    """What a caller asks of a proof beyond being good; options that are not known are passed over."""

    model_config = ConfigDict(extra="allow")

    expectedProofPurpose: _Text = Field(default=None, examples=["assertionMethod"])  # noqa: N815  # as it is sent
    domain: _Text = Field(default=None, description="what the proof must be meant for")
    challenge: _Text = Field(default=None, description="what the holder was given to sign with")
    checks: list[str] = Field(
        default=[], description="the checks that count; a status that is unavailable counts only if it is asked for"
    )


class VerifyCredentialRequest(BaseModel):
    """A credential to be verified."""

    model_config = ConfigDict(extra="allow")

    verifiableCredential: dict[str, Any] | str = Field(  # noqa: N815  # as it is sent
        description="an object, or text in compact JWS form", examples=[EXAMPLE_CREDENTIAL]
    )
    options: VerifyOptions | None = None


class VerifyPresentationRequest(BaseModel):
    """A presentation to be verified, with each credential in it."""

    model_config = ConfigDict(extra="allow")

    verifiablePresentation: dict[str, Any] | str = Field(  # noqa: N815  # as it is sent
        description="an object, or text in compact JWS form",
        examples=[{"@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["VerifiablePresentation"]}],
    )
    options: VerifyOptions | None = None


class CheckProblem(BaseModel):
    """A check that stands against verification, with the members of RFC 9457."""

    type: str = Field(examples=["https://w3id.org/security#PROOF_VERIFICATION_ERROR"])
    title: str
    detail: str
    code: int = Field(default=0, description="as VCDM 2.0 and its companions number it, where they do", examples=[-17])
    check: str = Field(examples=["proof"])
    outcome: Outcome
    reason: str = Field(description="the check's code", examples=["proof_invalid"])
    instance: str = Field(default="", description="JSON Pointer to the document in the request; none for the whole")


class ContainedResult(ReportView):
    """The report on a credential that the document contains."""

    verified: bool


class HolderView(BaseModel):
    """Who shows the credentials in a presentation."""

    id: str | None = Field(description="its holder, else whose key signed it")
    proven: bool = Field(description="whether it is proven that this party signed")
    subject_of: list[bool | None] = Field(
        description="of each credential, whether the holder is its subject; null where it names none by id"
    )
    message: str


class VerifyAnswer(BaseModel):
    """Whether it verifies. A check that could not be decided counts as not verified, and says so."""

    verified: bool
    verdict: Outcome
    signer: SignerView | None = Field(default=None, description="of a credential: who signed it")
    holder: HolderView | None = Field(default=None, description="of a presentation: who shows it")
    checks: list[CheckView]
    warnings: list[str] = Field(
        description="what to know beside the verdict: which credentials in it were signed by somebody unknown here"
    )
    errors: list[CheckProblem] = Field(description="the same as `problemDetails`")
    problemDetails: list[CheckProblem]  # noqa: N815  # as the VC API names it
    credentialResults: list[ContainedResult] = Field(default=[], description="on each credential in it")  # noqa: N815
