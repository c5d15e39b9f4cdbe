"""The HTTP routes of the issuer: onboarding, and credentials of the caller's own issuer."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from libs.access.api_keys import ApiKeys, Caller
from libs.common.errors import ConflictError, NotFoundError
from libs.common.http import request_trace
from libs.common.problems import documented
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import RevokeCredential
from services.issuer.catalogue.administration import (
    AchievementAnswer,
    AchievementRequest,
    Administration,
    IssuerAnswer,
    IssuerRequest,
    KeyAnswer,
    KeyRequest,
)
from services.issuer.catalogue.publications import wait_until
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.urls import Urls

_REVOKE_WAIT_SECONDS = 5.0
_EXISTING = {"description": "It exists already, with the same content."}


class RevokeRequest(BaseModel):
    """Why the credential is revoked; the public can read it, so it names nobody."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)] = Field(
        examples=["Issued to the wrong learner."]
    )


class CredentialAnswer(BaseModel):
    """A credential and its state."""

    id: UUID
    url: str = Field(
        description="its public page", examples=["https://badges.example/badges/0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11"]
    )
    issuer_id: str = Field(examples=["wattle-grove"])
    learner_id: UUID = Field(description="the learner, by an id that nobody can compute from outside")
    achievement: str = Field(description="the version of the achievement", examples=["wattle-grove/resilience/1"])
    level: str | None = Field(description="the SOLO level that was shown", examples=["relational"])
    state: str = Field(description="active or revoked", examples=["active"])
    issued_at: AwareDatetime
    revoked_at: AwareDatetime | None
    revocation_reason: str | None
    credential: dict[str, Any] = Field(description="the signed credential")


def administration_routes(keys: ApiKeys, administration: Administration) -> APIRouter:
    """POST /v1/issuers, /v1/issuers/{id}/keys and /v1/achievements."""
    router = APIRouter()

    @router.post(
        "/v1/issuers",
        status_code=201,
        tags=["issuers"],
        responses={200: {"model": IssuerAnswer, **_EXISTING}, **documented(ConflictError)},
    )
    async def add_issuer(
        request: Request,
        response: Response,
        asked: IssuerRequest,
        caller: Annotated[Caller, Depends(keys.allowed("issuers:write"))],
    ) -> IssuerAnswer:
        """Onboard an issuer: its signing key, its profile and its DID document."""
        answer, new = await administration.add_issuer(caller, asked, request_trace(request))
        response.status_code = 201 if new else 200
        return answer

    @router.post("/v1/issuers/{issuer_id}/keys", status_code=201, tags=["issuers"], responses=documented(NotFoundError))
    async def grant_key(
        request: Request,
        issuer_id: Annotated[str, Path(description="the id of the issuer", examples=["wattle-grove"])],
        asked: KeyRequest,
        caller: Annotated[Caller, Depends(keys.allowed("keys:write"))],
    ) -> KeyAnswer:
        """Make an API key of an issuer; it works at once where this answers, and is shown this once."""
        return await administration.grant_key(caller, issuer_id, asked, request_trace(request))

    @router.post(
        "/v1/achievements",
        status_code=201,
        tags=["achievements"],
        responses={200: {"model": AchievementAnswer, **_EXISTING}, **documented(ConflictError)},
    )
    async def add_achievement(
        request: Request,
        response: Response,
        asked: AchievementRequest,
        caller: Annotated[Caller, Depends(keys.allowed("catalogue:write"))],
    ) -> AchievementAnswer:
        """Publish a version of an achievement; a published version never changes."""
        answer, new = await administration.add_achievement(caller, asked, request_trace(request))
        response.status_code = 201 if new else 200
        return answer

    return router


def credential_routes(
    keys: ApiKeys,
    credentials: MongoCredentials,
    urls: Urls,
    *,
    publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
    clock: Callable[[], datetime],
) -> APIRouter:
    """GET /v1/credentials/{id} and POST /v1/credentials/{id}/revoke."""
    router = APIRouter(tags=["credentials"])

    async def own(credential_id: UUID, caller: Caller) -> Credential:
        found = await credentials.find(credential_id, caller.issuer_id)
        if found is None:
            raise NotFoundError("there is nothing under this id that your key may see")
        return found

    @router.get("/v1/credentials/{credential_id}", responses=documented(NotFoundError))
    async def read_credential(
        credential_id: UUID, caller: Annotated[Caller, Depends(keys.allowed("credentials:read"))]
    ) -> CredentialAnswer:
        """A credential of yours, and its state."""
        return _answer(await own(credential_id, caller), urls)

    @router.post(
        "/v1/credentials/{credential_id}/revoke",
        responses={
            202: {
                "model": CredentialAnswer,
                "description": "Asked for and not applied yet; read the credential again.",
            },
            **documented(NotFoundError),
        },
    )
    async def revoke_credential(
        request: Request,
        response: Response,
        credential_id: UUID,
        asked: RevokeRequest,
        caller: Annotated[Caller, Depends(keys.allowed("credentials:revoke"))],
    ) -> CredentialAnswer:
        """Revoke a credential of yours; to revoke it again changes nothing."""
        found = await own(credential_id, caller)
        if found.revocation is None:
            command = RevokeCredential(
                credential_id=credential_id, issuer_id=caller.issuer_id, reason=asked.reason, requested_at=clock()
            )
            await publish([Outgoing(command, request_trace(request))])

            async def applied() -> bool:
                return (await own(credential_id, caller)).revocation is not None

            response.status_code = 200 if await wait_until(applied, _REVOKE_WAIT_SECONDS) else 202
            found = await own(credential_id, caller)
        return _answer(found, urls)

    return router


def _answer(credential: Credential, urls: Urls) -> CredentialAnswer:
    revocation = credential.revocation
    return CredentialAnswer(
        id=credential.credential_id,
        url=urls.credential(credential.credential_id),
        issuer_id=credential.issuer_id,
        learner_id=credential.learner_id,
        achievement=credential.achievement,
        level=credential.level,
        state=credential.state,
        issued_at=credential.issued_at,
        revoked_at=None if revocation is None else revocation.at,
        revocation_reason=None if revocation is None else revocation.reason,
        credential=orjson.loads(credential.document),
    )
