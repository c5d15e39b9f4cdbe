"""The HTTP route that lists administrators' keys, for administrators."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from libs.access.administrator_log import AdministratorLog
from libs.access.api_keys import ALL_ISSUERS, ApiKeys, Caller
from libs.access.scopes import Scope
from libs.common.errors import ForbiddenError


class AdministratorAnswer(BaseModel):
    """An administrator's key: everything but the key."""

    id: str = Field(description="the first 16 digits of its SHA-256", examples=["9f86d081884c7d65"])
    name: str = Field(description="as its line in the file has it", examples=["first"])
    last_day: date | None = Field(description="the last day on which it works, in UTC; none where it has no end")
    last_used: date | None = Field(description="the day of its last use, in UTC; none where it was never used")


class AdministratorsAnswer(BaseModel):
    """The administrators' keys that work, by their names."""

    administrators: list[AdministratorAnswer]


def administrator_routes(keys: ApiKeys, log: AdministratorLog) -> APIRouter:
    """GET /v1/administrators."""
    router = APIRouter(tags=["administrators"])

    @router.get("/v1/administrators")
    async def list_administrators(
        caller: Annotated[Caller, Depends(keys.allowed(Scope.ISSUERS_WRITE))],
    ) -> AdministratorsAnswer:
        """The administrators' keys that work, without the keys; those that came and went stand in the audit log."""
        if caller.issuer_id != ALL_ISSUERS:
            raise ForbiddenError("only an administrator's key may see who the administrators are")
        return AdministratorsAnswer(
            administrators=[
                AdministratorAnswer(id=each.key, name=each.name, last_day=each.last_day, last_used=each.last_used)
                for each in await log.known()
            ]
        )

    return router
