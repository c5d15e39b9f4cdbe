"""Bodies of requests: of which media types, as they were sent, or read as JSON."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request

from libs.common.errors import UnsupportedMediaError
from libs.common.json_objects import parse_json_object
from libs.common.media_types import JSON, check_media_type


async def read_body(request: Request, accepted: Sequence[str] = (JSON,)) -> bytes:
    """Return the body of a request as it was sent, of whatever kind, within the limits of its route.

    Raises:
        UnsupportedMediaError: a media type that is not among `accepted`, or compressed.
        BowerbirdError: a limit is passed (body_limits.py).
    """
    check_media_type(request.headers.get("content-type", ""), accepted)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaError.of(accepted, "send the body as it is, without Content-Encoding")
    return await request.body()


async def read_json_object(request: Request, accepted: Sequence[str] = (JSON,)) -> dict[str, Any]:
    """Return the body of a request as one JSON object.

    Raises:
        InvalidRequestError: see `parse_json_object`.
        BowerbirdError: as `read_body` does.
    """
    return parse_json_object(await read_body(request, accepted))
