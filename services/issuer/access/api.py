"""The HTTP route that makes API keys, and what a key may give away."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from libs.access.api_keys import ALL_ISSUERS, ApiKeys, Caller, key_sha256, new_key
from libs.access.scopes import Scope
from libs.common.arrivals import Arrivals
from libs.common.errors import ForbiddenError, NotFoundError, UnavailableError
from libs.common.http import request_trace
from libs.common.problems import documented
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import ApiKeyGranted
from services.issuer.catalogue.repository import Catalogue

_WAIT_SECONDS = 10.0


class KeyRequest(BaseModel):
    """What an API key may do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)] = Field(
        examples=[["evidence:read", "evidence:write"]]
    )


class KeyAnswer(BaseModel):
    """A new API key. It is shown this once: only its digest is stored."""

    key: str = Field(description="to be sent as `Authorization: Bearer …`", examples=["bb_…"])
    issuer_id: str = Field(examples=["wattle-grove"])
    scopes: list[Scope] = Field(examples=[["evidence:read", "evidence:write"]])


def access_routes(
    keys: ApiKeys,
    catalogue: Catalogue,
    arrivals: Arrivals,
    *,
    publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
    clock: Callable[[], datetime],
) -> APIRouter:
    """POST /v1/issuers/{id}/keys."""
    router = APIRouter(tags=["issuers"])

    @router.post("/v1/issuers/{issuer_id}/keys", status_code=201, responses=documented(NotFoundError))
    async def grant_key(
        request: Request,
        issuer_id: Annotated[str, Path(description="the id of the issuer", examples=["wattle-grove"])],
        asked: KeyRequest,
        caller: Annotated[Caller, Depends(keys.allowed(Scope.KEYS_WRITE))],
    ) -> KeyAnswer:
        """Make an API key of an issuer; it works at once where this answers, and is shown this once."""
        caller.must_be(issuer_id)
        if issuer_id not in await catalogue.issuers([issuer_id]):
            raise NotFoundError.for_caller()
        scopes = grantable(caller, frozenset(asked.scopes))
        key = new_key()
        sha256 = key_sha256(key)
        grant = ApiKeyGranted(key_sha256=sha256, issuer_id=issuer_id, scopes=scopes, granted_at=clock())
        await publish([Outgoing(grant, request_trace(request))])
        if not await arrivals.wait_until(lambda: keys.has_arrived(sha256), _WAIT_SECONDS):
            raise UnavailableError("the key has not arrived in time and is not shown; ask for another one")
        return KeyAnswer(key=key, issuer_id=issuer_id, scopes=sorted(scopes))

    return router


def grantable(caller: Caller, scopes: frozenset[Scope]) -> frozenset[Scope]:
    """Return these scopes, if the caller may give all of them to a key of its issuer.

    Raises:
        ForbiddenError: the caller lacks one, or it is the administrator's alone.
    """
    may_give = frozenset(Scope) - {Scope.ISSUERS_WRITE} if caller.issuer_id == ALL_ISSUERS else caller.scopes
    if not scopes <= may_give:
        raise ForbiddenError("a key gives no rights that its maker lacks, and no issuer's key adds issuers")
    return scopes
