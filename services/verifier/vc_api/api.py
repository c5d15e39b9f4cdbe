"""The VC API's verifying calls, open to anybody: a credential, a presentation."""

from collections.abc import Callable
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common.bodies import read_body
from libs.common.body_limits import body_limit
from libs.common.errors import InvalidRequestError, RequestTimeoutError
from libs.common.media_types import JSON
from libs.common.openapi import json_body
from libs.common.problems import documented
from libs.openbadges.verify import Report
from services.verifier.vc_api.answer import IN_RECORD, answer_of
from services.verifier.vc_api.jobs import credential_request_job, presentation_request_job
from services.verifier.vc_api.models import VerifyAnswer, VerifyCredentialRequest, VerifyPresentationRequest
from services.verifier.vc_api.options import Options, hold_to, with_purpose, without_status
from services.verifier.verification.verifier import Verifier

_MOST_BYTES = 512 * 1024
_CREDENTIAL_TYPES = (JSON, "application/ld+json", "application/vc+ld+json", "application/vc")
_PRESENTATION_TYPES = (JSON, "application/ld+json", "application/vp+ld+json", "application/vp")
_INVALID = documented(InvalidRequestError)[400]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "It verifies."},
    400: {
        "model": VerifyAnswer,
        "description": "It does not verify, or that could not be decided; or the request is not valid.",
        "content": _INVALID["content"],
    },
    **documented(RequestTimeoutError),
}


Policy = Callable[[Report, Options], Report]
"""Which checks of a credential's report count, given the caller's options."""


def _every_check(report: Report, _options: Options) -> Report:
    return report


def vc_routes(verifier: Verifier, policy: Policy = _every_check) -> APIRouter:
    """POST /credentials/verify and /presentations/verify: 200 where it verifies, 400 where it does not.

    Args:
        verifier: comes to the verdict.
        policy: which checks count; all of them, unless told otherwise.
    """
    router = APIRouter(tags=["VC API"])

    @router.post(
        "/credentials/verify",
        response_model=VerifyAnswer,
        responses=_RESPONSES,
        openapi_extra=json_body(VerifyCredentialRequest, media_types=_CREDENTIAL_TYPES),
        dependencies=[body_limit(_MOST_BYTES)],
    )
    async def verify_credential(request: Request) -> Response:
        """Verify a credential (VC API)."""
        body = await read_body(request, _CREDENTIAL_TYPES)
        told, report = await verifier.run_credential(credential_request_job, body)
        options = told or Options()
        report = policy(hold_to(report, options), options)
        signer = None if report.signer is None else report.signer.to_dict()
        return _answer(answer_of(report.checks, report.embedded, IN_RECORD, about={"signer": signer}))

    @router.post(
        "/presentations/verify",
        response_model=VerifyAnswer,
        responses=_RESPONSES,
        openapi_extra=json_body(VerifyPresentationRequest, media_types=_PRESENTATION_TYPES),
        dependencies=[body_limit(_MOST_BYTES)],
    )
    async def verify_presentation(request: Request) -> Response:
        """Verify a presentation and the credentials in it (VC API)."""
        body = await read_body(request, _PRESENTATION_TYPES)
        told, report = await verifier.run_presentation(presentation_request_job, body)
        options = told or Options()
        checks = [with_purpose(check, options, "authentication") for check in report.checks]
        held = [policy(without_status(one, options), options) for one in report.credentials]
        holder = None if report.holder is None else report.holder.to_dict()
        return _answer(answer_of(checks, held, about={"holder": holder}))

    return router


def _answer(answer: dict[str, Any]) -> Response:
    status = 200 if answer["verified"] else 400
    return Response(orjson.dumps(answer), status, {"Cache-Control": "no-store"}, media_type="application/json")
