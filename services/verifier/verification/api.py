"""The route of verifying: anybody may ask, about anything."""

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common.bodies import read_body
from libs.common.body_limits import body_limit
from libs.common.errors import GoneError, NotFoundError, RequestTimeoutError
from libs.common.media_types import JSON, essence
from libs.common.openapi import file_body, json_body
from libs.common.problems import documented
from libs.common.rate_limits import charge_request
from services.verifier.material.lookup import PublicRecords
from services.verifier.material.records import TakenDown
from services.verifier.pages.answers import gone
from services.verifier.verification.jobs import submission_job
from services.verifier.verification.line_reports import LINES, MOST_LINES_BYTES, LineVerifier, read_lines
from services.verifier.verification.models import BadgeQuestion, CredentialDocument, CredentialQuestion, ReportView
from services.verifier.verification.submission import (
    FILE_TYPES,
    JSON_TYPES,
    MEDIA_TYPES,
    MOST_PICTURE_BYTES,
    MOST_QUESTION_BYTES,
    most_bytes,
    read_request,
)
from services.verifier.verification.verifier import Verifier

# Of each line that has a report; a union with another schema would be one in generated clients, for every caller.
_LINE = {"schema": {"$ref": "#/components/schemas/ReportView"}}


class VerifyApi:
    """The handler, with what it depends on."""

    def __init__(self, repository: PublicRecords, verifier: Verifier, lines: LineVerifier, *, public_base: str) -> None:
        self._repository = repository
        self._verifier = verifier
        self._lines = lines
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
                200: {
                    "description": "The report, whatever the verdict; of many, one a line.",
                    "content": {LINES: _LINE},
                },
                **documented(NotFoundError, GoneError, RequestTimeoutError),
            },
            openapi_extra=file_body(
                json_body(CredentialDocument, CredentialQuestion, BadgeQuestion, media_types=JSON_TYPES),
                (*FILE_TYPES, LINES),
            ),
            dependencies=[body_limit(MOST_PICTURE_BYTES)],
        )
        return router

    async def verify(self, request: Request) -> Response:
        """Verify what was sent; the answer is a report with a verdict of pass, fail or unknown.

        Many at once are sent as `application/x-ndjson`: what is taken as JSON, one a line, 200 lines and 2 MB at
        most. So are they answered, each by a line: its number as `line`, with the members of the report and the
        credential's `id`, or with `error`, the problem document that it would get alone. A last line counts them:
        `{"lines", "pass", "fail", "unknown", "refused"}`; an answer without it was cut off. All share the limits of
        one request: lines that are not reached are `unknown`, with the code `not_looked_at`, and are to be sent again.
        """
        body = await read_body(request, (*MEDIA_TYPES, LINES), _most_bytes)
        media_type = request.headers.get("content-type", "")
        if essence(media_type) == LINES:
            lines = read_lines(body)
            charge_request(request.scope, len(lines))
            return _answer(await self._lines.verify(body, lines, request.url.path), LINES)
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
        return _answer(orjson.dumps(report.to_dict()), JSON)


def _most_bytes(media_type: str) -> int:
    return MOST_LINES_BYTES if essence(media_type) == LINES else most_bytes(media_type)


def _answer(body: bytes, media_type: str) -> Response:
    return Response(body, media_type=media_type, headers={"Cache-Control": "no-store"})
