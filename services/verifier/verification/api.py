"""The route of verifying: anybody may ask, about anything."""

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common.bodies import read_body
from libs.common.body_limits import body_limit
from libs.common.errors import GoneError, NotFoundError, RequestTimeoutError
from libs.common.openapi import file_body, json_body
from libs.common.problems import documented
from services.verifier.material.lookup import PublicRecords
from services.verifier.material.repository import TakenDown
from services.verifier.pages.answers import gone
from services.verifier.verification.jobs import submission_job
from services.verifier.verification.models import BadgeQuestion, CredentialDocument, CredentialQuestion, ReportView
from services.verifier.verification.submission import (
    FILE_TYPES,
    JSON_TYPES,
    MEDIA_TYPES,
    MOST_PICTURE_BYTES,
    MOST_QUESTION_BYTES,
    read_request,
)
from services.verifier.verification.verifier import Verifier


class VerifyApi:
    """The handler, with what it depends on."""

    def __init__(self, repository: PublicRecords, verifier: Verifier, *, public_base: str) -> None:
        self._repository = repository
        self._verifier = verifier
        self._public_base = public_base

    def router(self) -> APIRouter:
        """The one route."""
        router = APIRouter()
        router.add_api_route(
            "/v1/verify",
            self.verify,
            methods=["POST"],
            name="verify",
            tags=["verification"],
            response_model=ReportView,
            responses={
                200: {"description": "The report, whatever the verdict."},
                **documented(NotFoundError, GoneError, RequestTimeoutError),
            },
            openapi_extra=file_body(
                json_body(CredentialDocument, CredentialQuestion, BadgeQuestion, media_types=JSON_TYPES), FILE_TYPES
            ),
            dependencies=[body_limit(MOST_PICTURE_BYTES)],
        )
        return router

    async def verify(self, request: Request) -> Response:
        """Verify what was sent; the answer is a report with a verdict of pass, fail or unknown."""
        body = await read_body(request, MEDIA_TYPES)
        media_type = request.headers.get("content-type", "")
        submission = read_request(body, media_type, self._public_base) if len(body) <= MOST_QUESTION_BYTES else None
        if submission is not None and submission.badge_id is not None:
            stored = await self._repository.credential(submission.badge_id)
            if stored is None:
                raise NotFoundError("there is no badge of ours at this URL; look whether it was copied in full")
            if isinstance(stored, TakenDown):
                raise gone(stored)
            report = await self._verifier.verify_stored(stored, submission.recipient)
        else:
            _, report = await self._verifier.run_credential(submission_job, body, media_type, self._public_base)
        return Response(
            orjson.dumps(report.to_dict()), media_type="application/json", headers={"Cache-Control": "no-store"}
        )
