"""By whom and through what something is done, as the audit log records it."""

from fastapi import Request

from libs.access.api_keys import ALL_ISSUERS, Caller
from libs.audit.entry import Cause
from libs.common.http import request_trace
from libs.common.telemetry import trace_id


def cause_of(request: Request, caller: Caller) -> Cause:
    """Return the cause of what a caller asks for."""
    principal = "administrator" if caller.issuer_id == ALL_ISSUERS else f"key:{caller.issuer_id}"
    client = None if request.client is None else request.client.host
    return Cause(principal, trace_id(request_trace(request)), None, client)
