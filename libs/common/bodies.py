"""Reading JSON out of a request, of limited size and time: its text as it was sent, or an object with no key twice."""

import asyncio
import re
from collections.abc import Container
from typing import Any

from fastapi import Request

from libs.common.errors import InvalidRequestError, RequestTimeoutError, TooLargeError, UnsupportedMediaError
from libs.openbadges.jsonld.parsing import Limits, parse
from libs.openbadges.model.errors import CredentialError

_LONGEST_SECONDS = 15.0
_JSON = re.compile(r"application/(?:[\w.-]+\+)?json", re.ASCII)


async def read_json_text(
    request: Request, *, most_bytes: int, seconds: float = _LONGEST_SECONDS, also: Container[str] = ()
) -> bytes:
    """The body of a JSON request as it was sent, not parsed; `also` are media types that stand for JSON too.

    Raises:
        UnsupportedMediaError: not JSON by its media type, or compressed.
        TooLargeError: more bytes than that.
        RequestTimeoutError: it takes longer than that to arrive.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON.fullmatch(media_type) and media_type not in also:
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
    return bytes(body)


async def read_json_object(request: Request, *, most_bytes: int, seconds: float = _LONGEST_SECONDS) -> dict[str, Any]:
    """The body of a request as one JSON object.

    Raises:
        InvalidRequestError: not JSON, not an object, nested too deep, a key twice.
        BowerbirdError: as `read_json_text` does.
    """
    body = await read_json_text(request, most_bytes=most_bytes, seconds=seconds)
    try:
        return parse(body, Limits(bytes=most_bytes))
    except CredentialError as error:
        sentence = str(error).replace("A credential is", "The body is").replace("The document", "The body")
        raise InvalidRequestError(sentence) from error
