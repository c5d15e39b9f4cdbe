"""Reading a JSON object out of a request: of limited size and time, no key twice."""

import asyncio
from typing import Any

from fastapi import Request

from libs.common.errors import InvalidRequestError, RequestTimeoutError, TooLargeError, UnsupportedMediaError
from libs.openbadges.errors import CredentialError
from libs.openbadges.parsing import Limits, parse

_LONGEST_SECONDS = 15.0


async def read_json_object(request: Request, *, most_bytes: int, seconds: float = _LONGEST_SECONDS) -> dict[str, Any]:
    """The body of a request as one JSON object.

    Raises:
        UnsupportedMediaError: not JSON by its media type, or compressed.
        TooLargeError: more bytes than that.
        RequestTimeoutError: it takes longer than that to arrive.
        InvalidRequestError: not JSON, not an object, nested too deep, a key twice.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaError("send JSON, with the header Content-Type: application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaError("send the body as it is, without Content-Encoding")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise TooLargeError(f"a request of this kind has {most_bytes} bytes at most")
    except TimeoutError:
        raise RequestTimeoutError(f"the body must arrive within {seconds:.0f} seconds") from None
    try:
        return parse(bytes(body), Limits(bytes=most_bytes))
    except CredentialError as error:
        sentence = str(error).replace("A credential is", "The body is").replace("The document", "The body")
        raise InvalidRequestError(sentence) from error
