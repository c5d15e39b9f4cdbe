"""The HTTP route that lists issuers: the caller's own, and those below it in the tree of organisations."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.access.scopes import Scope
from libs.common.errors import NotFoundError
from libs.common.fields import SoughtText
from libs.common.problems import documented
from services.issuer.catalogue.api import IssuerAnswer, Slug
from services.issuer.organisations.finding import OrganisationsFound


class IssuerPage(BaseModel):
    """Some issuers, sorted by id."""

    issuers: list[IssuerAnswer] = Field(description="without their `look_alikes`")
    next: str | None = Field(description="the path of the next page; none where this is the last")


def issuer_list_routes(keys: ApiKeys, found: OrganisationsFound) -> APIRouter:
    """GET /v1/issuers."""
    router = APIRouter(tags=["issuers"])

    @router.get("/v1/issuers", responses=documented(NotFoundError))
    async def list_issuers(
        caller: Annotated[Caller, Depends(keys.allowed(Scope.ORGANISATIONS_READ))],
        *,
        below: Annotated[
            Slug | None, Query(description="the issuer that this organisation is, and those below it")
        ] = None,
        q: Annotated[SoughtText | None, Query(description="stands in the name, whatever its case")] = None,
        suspended: Annotated[bool | None, Query(description="whether it is suspended; left out, all")] = None,
        after: Annotated[str, Query(max_length=64, description="where a page starts: taken from `next`")] = "",
        limit: Annotated[int, Query(ge=1, le=500, description="most issuers of a page")] = 100,
    ) -> IssuerPage:
        """Your own issuer, and those below your organisation; with an administrator's key, all."""
        page = await found.issuers(caller, below, text=q, suspended=suspended, after=after, limit=limit)
        asked = {"below": below, "q": q, "suspended": None if suspended is None else str(suspended).lower()}
        query = {name: value for name, value in asked.items() if value is not None}
        following = {**query, "limit": str(limit), "after": page[-1].issuer_id if page else ""}
        return IssuerPage(
            issuers=[IssuerAnswer.of(each.issuer_id, each) for each in page],
            next=f"/v1/issuers?{urlencode(following)}" if len(page) == limit else None,
        )

    return router
