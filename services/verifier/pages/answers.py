"""A public text as an HTTP answer: how long it may be kept, and 304 for who has it already."""

import hashlib
from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from libs.common.errors import BowerbirdError, GoneError, NotFoundError, UnavailableError
from libs.common.media_types import is_json
from libs.common.problems import documented
from services.verifier.material.records import TakenDown

READ = ["GET", "HEAD"]

VC = "application/vc"
_CACHING = {name: {"schema": {"type": "string"}} for name in ("ETag", "Cache-Control")}

# A signed text never changes, and may be taken down: a copy is asked about after a minute.
FOR_A_MINUTE = "public, max-age=60"


def read_responses(
    *media_types: str, errors: Sequence[type[BowerbirdError]], page: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that reads a public document.

    Args:
        media_types: its representations.
        errors: what else it may end in.
        page: whether an error is a page too, for who prefers HTML.
    """
    responses = documented(*errors, UnavailableError)
    if page:
        for error in {NotFoundError, UnavailableError, GoneError} & {*errors, UnavailableError}:
            responses[error.status]["content"] |= {"text/html": {"schema": {"type": "string"}}}
    content = {
        media_type: {"schema": {"type": "object"} if is_json(media_type) or media_type == VC else {"type": "string"}}
        for media_type in media_types
    }
    return {
        200: {"description": "The document.", "headers": _CACHING, "content": content},
        304: {"description": "Not modified: what If-None-Match names is still current.", "headers": _CACHING},
        **responses,
    }


def as_it_is(request: Request, text: str | bytes, media_type: str, cache: str) -> Response:
    """A text as it is, or 304 where the client has it already (RFC 9110, section 13.1.2)."""
    body = text.encode() if isinstance(text, str) else text
    headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"', "Cache-Control": cache}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers={**headers, "Content-Type": media_type})


def gone(taken_down: TakenDown) -> GoneError:
    """Return what is raised for a badge that is not shown any more."""
    return GoneError(f"this badge was taken down for good; the reason is {taken_down.reason}")
