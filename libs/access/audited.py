"""What ties requests to the audit log: the cause of a change, refusals, and the fields of the request's log line."""

from fastapi import FastAPI, Request

from libs.access.api_keys import ALL_ISSUERS, Caller
from libs.audit.entry import Cause
from libs.audit.refusals import Refusals
from libs.common.errors import BowerbirdError, OtherTenantError
from libs.common.http import ON_REFUSAL, request_trace
from libs.common.rate_limits import CALLER
from libs.common.telemetry import trace_id


def cause_of(request: Request) -> Cause:
    """Return by whom and through what a request is made."""
    caller: Caller | None = request.scope.get(CALLER)
    trace = trace_id(request_trace(request))
    client = None if request.client is None else request.client.host
    if caller is None:
        return Cause("nobody", trace, None, client)
    return Cause(caller.principal, trace, caller.key_id, client)


def record_refusals(app: FastAPI, refusals: Refusals) -> None:
    """Have every refusal of access of this application recorded, before it is answered."""

    async def record(request: Request, error: BowerbirdError) -> None:
        caller: Caller | None = request.scope.get(CALLER)
        tenant = None if caller is None else caller.issuer_id
        if tenant == ALL_ISSUERS and isinstance(error, OtherTenantError):
            return  # an administrator may see every tenant's: it looked for a thing of one under another's path
        route = getattr(request.scope.get("route"), "path", "unmatched")
        await refusals.record(cause_of(request), tenant=tenant, route=route, reason=error.code)

    setattr(app.state, ON_REFUSAL, record)
