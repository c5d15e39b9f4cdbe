"""Problem documents (RFC 9457): how an error is written, and how the OpenAPI documents describe it."""

from http import HTTPStatus
from typing import Any

import orjson
from pydantic import BaseModel, Field
from starlette.responses import Response

from libs.common.errors import ERRORS, BowerbirdError, InvalidRequestError, TooManyRequestsError, UnsupportedMediaError

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:bowerbird:problem:"
_RETRY_AFTER_SECONDS = 5


class FieldError(BaseModel):
    """One part of a request that is not valid."""

    field: str = Field(description="where: names joined by dots, or a JSON Pointer", examples=["levels.0.name"])
    reason: str = Field(description="what is wrong and what to do, for people", examples=["use YYYY-MM-DD"])
    code: str = Field(default="", description="a stable code for programs, where there is one", examples=["date_form"])


class Problem(BaseModel):
    """An error, as RFC 9457 writes it. Programs go by `type`; the texts are for people and may change."""

    type: str = Field(description="the kind of error: a stable URN", examples=["urn:bowerbird:problem:not-found"])
    title: str = Field(description="the kind of error, for people", examples=["Not found"])
    status: int = Field(ge=400, le=599, description="the HTTP status", examples=[404])
    detail: str = Field(description="what went wrong this time, and what to do")
    instance: str = Field(description="the path that was asked for", examples=["/v1/batches/0"])
    errors: list[FieldError] = Field(default=[], description="which parts of the request are not valid, where known")


def problem_document(error: BowerbirdError, instance: str) -> dict[str, object]:
    """Return an error as RFC 9457 writes it; `instance` is the path of the request."""
    body: dict[str, object] = {
        "type": _TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        "instance": instance,
    }
    if isinstance(error, InvalidRequestError) and error.errors:
        body["errors"] = error.errors
    return body


def problem_of_status(status: HTTPStatus, detail: str) -> bytes:
    """Return the problem document of an answer that is given before it is known what is asked for."""
    kind = next((each for each in ERRORS if each.status == status), None)
    error = BowerbirdError(detail)
    error.status, error.code = status.value, "http" if kind is None else kind.code
    error.title = status.phrase if kind is None else kind.title
    return orjson.dumps(problem_document(error, "/"))


def problem_response(error: BowerbirdError, instance: str, headers: dict[str, str] | None = None) -> Response:
    """Return the problem document of an error as an HTTP response; `instance` is the path of the request."""
    sent = dict(headers or {})
    if error.status == HTTPStatus.UNAUTHORIZED:
        sent["WWW-Authenticate"] = "Bearer"
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        sent["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    if isinstance(error, TooManyRequestsError):
        sent["Retry-After"] = str(error.seconds)
    if isinstance(error, UnsupportedMediaError) and error.accepted:
        # RFC 9110, section 15.5.16.
        sent["Accept"] = ", ".join(error.accepted)
    return Response(orjson.dumps(problem_document(error, instance)), error.status, sent, media_type=MEDIA_TYPE)


def documented(*errors: type[BowerbirdError]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may end in these errors, by status."""
    return {error.status: _documented(error) for error in errors}


def _documented(error: type[BowerbirdError]) -> dict[str, Any]:
    meaning = (error.__doc__ or "").partition("\n")[0]
    example: dict[str, object] = {
        "type": _TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.status,
        "detail": meaning,
        "instance": "/v1/example",
    }
    response: dict[str, Any] = {
        "description": meaning,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }
    if error.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        response["headers"] = {
            "Retry-After": {"description": "seconds to wait before trying again", "schema": {"type": "integer"}}
        }
    return response
