"""The HTTP routes of credentials of the caller's own issuer."""

from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.scopes import Scope
from libs.common.errors import NotFoundError
from libs.common.fields import Sentence
from libs.common.http import request_trace
from libs.common.problems import documented
from libs.contracts.reasons import RevocationReason, TakeDownReason
from services.issuer.credentials.closing import Closings, KnownCredential
from services.issuer.credentials.credential import CredentialState, Revocation, TakeDown
from services.issuer.urls import Urls

_CODES = "the codes stand in docs/reference/revocation.md"
_NOTE = Field(
    default=None,
    description="more about it, for the issuer's own records: it is shown to nobody else, and removed in time",
    examples=["The teacher picked the row above. Asked for by the year coordinator."],
)


class RevokeRequest(BaseModel):
    """Why the credential is revoked: a code, which the public and partners can read, and your own words beside it."""

    model_config = ConfigDict(extra="forbid")

    # A take-down revokes too, under a code of its own.
    reason: Literal[
        RevocationReason.ISSUED_IN_ERROR,
        RevocationReason.WRONG_LEARNER,
        RevocationReason.EVIDENCE_WITHDRAWN,
        RevocationReason.SUPERSEDED,
        RevocationReason.REQUESTED_BY_LEARNER,
        RevocationReason.OTHER,
    ] = Field(description=f"a public code; {_CODES}", examples=["wrong_learner"])
    note: Sentence | None = _NOTE


class TakeDownRequest(BaseModel):
    """Why the badge is withheld from everybody: a public code, and your own words beside it."""

    model_config = ConfigDict(extra="forbid")

    reason: TakeDownReason = Field(description=f"a public code; {_CODES}", examples=["personal_data"])
    note: Sentence | None = _NOTE


class ClosingAnswer(BaseModel):
    """When and why a credential was revoked or taken down, and at whose request."""

    at: AwareDatetime
    reason: str = Field(description=f"a public code; {_CODES}", examples=["wrong_learner"])
    note: str | None = Field(default=None, description="what was written beside it, until its life ends")
    requested_by: str | None = Field(
        default=None,
        description="who asked: `key:ISSUER/NAME` by the name of the API key, or `administrator:NAME`",
        examples=["key:wattle-grove/office"],
    )
    requested_with: str | None = Field(
        default=None, description="the id of the API key that asked", examples=["3f1c0a9b7d2e4c58"]
    )


class CredentialSummary(BaseModel):
    """What a credential is, and its state."""

    id: UUID
    url: str = Field(
        description="its public page", examples=["https://badges.example/badges/0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11"]
    )
    issuer_id: str = Field(examples=["wattle-grove"])
    learner_id: UUID = Field(description="the learner, by an id that nobody can compute from outside")
    achievement: str = Field(description="the version of the achievement", examples=["wattle-grove/resilience/1"])
    level: str | None = Field(description="the SOLO level that was shown", examples=["relational"])
    state: CredentialState = Field(examples=["active"])
    issued_at: AwareDatetime
    supersedes: UUID | None = Field(default=None, description="the credential in whose place it was awarded, if any")
    superseded_by: UUID | None = Field(default=None, description="the credential that was awarded in its place, if any")


class CredentialAnswer(CredentialSummary):
    """A credential and its state."""

    revocation: ClosingAnswer | None
    take_down: ClosingAnswer | None
    credential: dict[str, Any] | None = Field(description="the signed credential; null once it was taken down")


def credential_routes(keys: ApiKeys, closings: Closings, urls: Urls) -> APIRouter:
    """GET /v1/credentials/{id}, POST /v1/credentials/{id}/revoke and POST /v1/credentials/{id}/take-down."""
    router = APIRouter(tags=["credentials"])
    later: dict[str, Any] = {
        "model": CredentialAnswer,
        "description": "Asked for and not applied yet; read the credential again.",
    }

    @router.get("/v1/credentials/{credential_id}", responses=documented(NotFoundError))
    async def read_credential(
        credential_id: UUID, caller: Annotated[Caller, Depends(keys.reading(Scope.CREDENTIALS_READ))]
    ) -> CredentialAnswer:
        """A credential of yours, and its state."""
        return _answer(await closings.read(credential_id, caller), urls)

    @router.post("/v1/credentials/{credential_id}/revoke", responses={202: later, **documented(NotFoundError)})
    async def revoke_credential(
        request: Request,
        response: Response,
        credential_id: UUID,
        asked: RevokeRequest,
        caller: Annotated[Caller, Depends(keys.allowed(Scope.CREDENTIALS_REVOKE))],
    ) -> CredentialAnswer:
        """Revoke a credential of yours; to revoke it again changes nothing. Its learner is told, if told of the award.

        What was shown stays on the badge's page, with a word that it holds no longer. To withhold it, take it down.
        """
        cause, trace = cause_of(request), request_trace(request)
        done = await closings.revoke(credential_id, caller, asked.reason, asked.note, cause=cause, trace=trace)
        response.status_code = 200 if done else 202
        return _answer(await closings.read(credential_id, caller), urls)

    @router.post("/v1/credentials/{credential_id}/take-down", responses={202: later, **documented(NotFoundError)})
    async def take_down_credential(
        request: Request,
        response: Response,
        credential_id: UUID,
        asked: TakeDownRequest,
        caller: Annotated[Caller, Depends(keys.allowed(Scope.CREDENTIALS_TAKE_DOWN))],
    ) -> CredentialAnswer:
        """Take a badge of yours down, for good: nobody can read what it says any more, and it is revoked too.

        Its page, document and picture answer 410 with the code of the reason, partners are told to delete their
        copies, and so is its learner. The administrator may take down the badge of any issuer.
        """
        cause, trace = cause_of(request), request_trace(request)
        done = await closings.take_down(credential_id, caller, asked.reason, asked.note, cause=cause, trace=trace)
        response.status_code = 200 if done else 202
        return _answer(await closings.read(credential_id, caller), urls)

    return router


def _answer(known: KnownCredential, urls: Urls) -> CredentialAnswer:
    credential = known.credential
    return CredentialAnswer(
        id=credential.credential_id,
        url=urls.credential(credential.credential_id),
        issuer_id=credential.issuer_id,
        learner_id=credential.learner_id,
        achievement=credential.achievement,
        level=credential.level,
        state=credential.state,
        issued_at=credential.issued_at,
        supersedes=credential.supersedes,
        superseded_by=credential.superseded_by,
        revocation=_closing(known, credential.revocation),
        take_down=_closing(known, credential.take_down),
        credential=None if credential.document is None else orjson.loads(credential.document),
    )


def _closing(known: KnownCredential, closed: Revocation | TakeDown | None) -> ClosingAnswer | None:
    if closed is None:
        return None
    request = None if closed.request_id is None else known.requests.get(closed.request_id)
    return ClosingAnswer(
        at=closed.at,
        reason=closed.reason.value,
        note=None if request is None else request.note,
        requested_by=None if request is None else request.principal,
        requested_with=None if request is None else request.key,
    )
