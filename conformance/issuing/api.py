"""The VC API's issuing calls: issue a credential, change its status."""

from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from conformance.gate import KeyGate
from conformance.issuing.instances import INSTANCES, Instances
from libs.common.bodies import read_json_object
from libs.common.body_limits import body_limit
from libs.common.errors import InvalidRequestError, NotFoundError

PATH = "/instances"
_MOST_BYTES = 512 * 1024
_NO_STORE = {"Cache-Control": "no-store"}


def issuing_routes(gate: KeyGate, instances: Instances) -> APIRouter:
    """POST /instances/{instance}/credentials/issue, and /credentials/status, also below each instance."""
    router = APIRouter(dependencies=[Depends(gate), body_limit(_MOST_BYTES)])

    @router.post(
        f"{PATH}/{{instance}}/credentials/issue", status_code=201, summary="Issue a credential as one instance"
    )
    async def issue(request: Request, instance: str) -> Response:
        chosen = INSTANCES.get(instance)
        if chosen is None:
            raise NotFoundError(f"there is no such instance here; there are {', '.join(INSTANCES)}")
        body = await read_json_object(request)
        credential = _object(body, "credential")
        options = _object(body, "options", {})
        signed = await instances.issue(chosen, credential, options)
        return Response(orjson.dumps({"verifiableCredential": signed}), 201, _NO_STORE, media_type="application/json")

    @router.post("/credentials/status", summary="Set or unset the status of a credential")
    @router.post(f"{PATH}/credentials/status", include_in_schema=False)
    @router.post(f"{PATH}/{{instance}}/credentials/status", include_in_schema=False)
    async def status(request: Request) -> Response:
        body = await read_json_object(request)
        credential_id = body.get("credentialId")
        if not isinstance(credential_id, str) or not credential_id:
            raise _invalid("/credentialId", "the id of a credential that was issued here")
        wanted = _object(body, "credentialStatus")
        if wanted.get("type") != "BitstringStatusListEntry":
            raise _invalid("/credentialStatus/type", "BitstringStatusListEntry, the one type that there is here")
        purpose = wanted.get("statusPurpose")
        if not isinstance(purpose, str) or purpose not in {one.purpose for one in INSTANCES.values()}:
            raise _invalid("/credentialStatus/statusPurpose", "revocation or suspension")
        await instances.set_status(credential_id, purpose, value=_value(body, wanted))
        return Response(orjson.dumps({"credentialId": credential_id}), 200, _NO_STORE, media_type="application/json")

    return router


def _value(body: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """What the status becomes; set, where the request does not say."""
    value = body.get("status", wanted.get("status", True))
    if value in ("1", "0"):
        return bool(value == "1")
    if not isinstance(value, bool):
        raise _invalid("/status", "true or false")
    return value


def _object(body: dict[str, Any], name: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
    value = body.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, dict):
        raise _invalid(f"/{name}", "an object")
    return value


def _invalid(pointer: str, expected: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{pointer} is required: {expected}", [{"field": pointer, "reason": f"expected: {expected}"}]
    )
