"""A public text as an HTTP answer: how long it may be kept, and 304 for who has it already."""

import hashlib

from fastapi import Request
from fastapi.responses import Response

READ = ["GET", "HEAD"]

# What never changes under its address may be kept; what says whether a badge is still good, only for seconds.
FOR_AN_HOUR = "public, max-age=3600"
FOR_A_MINUTE = "public, max-age=60"
FOR_SECONDS = "public, max-age=2"


def as_it_is(request: Request, text: str | bytes, media_type: str, cache: str) -> Response:
    """A text as it is, or 304 where the client has it already (RFC 9110, section 13.1.2)."""
    body = text.encode() if isinstance(text, str) else text
    headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"', "Cache-Control": cache}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers={**headers, "Content-Type": media_type})
