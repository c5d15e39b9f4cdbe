"""The HTTP route of the audit log: an issuer reads what concerns it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.access.scopes import Scope
from libs.audit.entry import Action, Recorded
from libs.audit.log import AuditLog
from libs.common.errors import NotFoundError
from libs.common.problems import documented

# An entry about a batch of signatures names each credential.
_MOST = 200


class AuditEntryAnswer(BaseModel):
    """Who did what, when and why; of what concerns several issuers, the part of this one.

    Its place among all entries stays with the operators: it tells how much the other issuers do.
    """

    at: AwareDatetime
    action: Action
    principal: str = Field(
        description="who: `administrator:NAME`, `key:ISSUER/NAME` or `service:NAME`",
        examples=["key:wattle-grove/Office"],
    )
    key: str | None = Field(description="the id of the API key")
    client: str | None = Field(description="the address that the request came from")
    trace: str = Field(description="the trace id, which log lines share")
    subject: str = Field(description="what it was done to")
    reason: str | None = Field(description="why: a code")
    details: dict[str, str | int] = Field(description="more about it")
    hash: str = Field(
        description="SHA-256 over the entry, its place and the hash of the one before it: names it, to operators too"
    )


class AuditAnswer(BaseModel):
    """Entries, the newest first."""

    entries: list[AuditEntryAnswer]
    next_before: str | None = Field(description="to be sent as `before` for older entries; none where this is the end")


def audit_routes(service: str, keys: ApiKeys, log: AuditLog) -> APIRouter:
    """GET /v1/issuers/{id}/audit/SERVICE: the path names whose log it is, so that one host name can serve all."""
    router = APIRouter(tags=["audit"])

    @router.get(f"/v1/issuers/{{issuer_id}}/audit/{service}", responses=documented(NotFoundError))
    async def read_audit(
        issuer_id: Annotated[str, Path(description="the id of the issuer", examples=["wattle-grove"])],
        caller: Annotated[Caller, Depends(keys.reading_of_path(Scope.AUDIT_READ))],
        before: Annotated[
            str | None, Query(pattern="^[0-9a-f]{64}$", description="only entries before the one with this `hash`")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST, description="how many at most")] = 50,
    ) -> AuditAnswer:
        """What this service did for you, was asked to do, or refused, the newest first; each service has a log."""
        caller.must_be(issuer_id)
        found = await log.of_tenant(issuer_id, before=before, limit=limit)
        return AuditAnswer(
            entries=[_answer(each, issuer_id) for each in found],
            next_before=found[-1].hash if len(found) == limit else None,
        )

    return router


def _answer(recorded: Recorded, issuer_id: str) -> AuditEntryAnswer:
    entry = recorded.entry
    details: dict[str, str | int] = {}
    for name, value in entry.details.items():
        if isinstance(value, str | int):
            details[name] = value
        elif issuer_id in value:
            details[name] = value[issuer_id]
    return AuditEntryAnswer(
        at=recorded.at,
        action=entry.action,
        principal=entry.cause.principal,
        key=entry.cause.key,
        client=entry.cause.client,
        trace=entry.cause.trace,
        subject=entry.subject,
        reason=entry.reason,
        details=details,
        hash=recorded.hash,
    )
