"""Bodies of requests: of which media types, as they were sent, or read as JSON."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Request

from libs.common.errors import TooLargeError, UnsupportedMediaError
from libs.common.json_objects import parse_json_object
from libs.common.media_types import JSON, check_media_type


async def read_body(
    request: Request, accepted: Sequence[str] = (JSON,), most_bytes: Callable[[str], int] | None = None
) -> bytes:
    """Return the body of a request as it was sent, of whatever kind, within the limits of its route.

    Args:
        request: whose body was not received yet.
        accepted: media types.
        most_bytes: returns a smaller limit than that of the route, by the Content-Type; no more is received than that.

    Raises:
        UnsupportedMediaError: a media type that is not among `accepted`, or compressed.
        TooLargeError: more than `most_bytes`.
        BowerbirdError: a limit is passed (body_limits.py).
    """
    media_type = request.headers.get("content-type", "")
    check_media_type(media_type, accepted)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaError.of(accepted, "send the body as it is, without Content-Encoding")
    if most_bytes is None:
        return await request.body()
    most, body = most_bytes(media_type), bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise TooLargeError(f"send at most {most} bytes of this media type; what is more goes in another request")
    return bytes(body)


async def read_json_object(request: Request, accepted: Sequence[str] = (JSON,)) -> dict[str, Any]:
    """Return the body of a request as one JSON object.

    Raises:
        InvalidRequestError: see `parse_json_object`.
        BowerbirdError: as `read_body` does.
    """
    return parse_json_object(await read_body(request, accepted))
