"""The HTTP routes of credentials of the caller's own issuer."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.common.arrivals import Arrivals
from libs.common.errors import NotFoundError
from libs.common.fields import Sentence
from libs.common.http import request_trace
from libs.common.problems import documented
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import RevokeCredential
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.urls import Urls

_REVOKE_WAIT_SECONDS = 5.0


class RevokeRequest(BaseModel):
    """Why the credential is revoked; the public can read it, so it names nobody."""

    model_config = ConfigDict(extra="forbid")

    reason: Sentence = Field(examples=["Issued to the wrong learner."])


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


def credential_routes(
    keys: ApiKeys,
    credentials: MongoCredentials,
    urls: Urls,
    arrivals: Arrivals,
    *,
    publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
    clock: Callable[[], datetime],
) -> APIRouter:
    """GET /v1/credentials/{id} and POST /v1/credentials/{id}/revoke."""
    router = APIRouter(tags=["credentials"])

    async def own(credential_id: UUID, caller: Caller) -> Credential:
        found = await credentials.find(credential_id, caller.issuer_id)
        if found is None:
            raise NotFoundError.for_caller()
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

            response.status_code = 200 if await arrivals.wait_until(applied, _REVOKE_WAIT_SECONDS) else 202
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
