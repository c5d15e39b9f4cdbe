"""Request bodies of limited size, time and depth; JSON as it was sent, or as an object with no key twice."""

import asyncio
import json
import re
from collections.abc import Container
from dataclasses import dataclass
from http import HTTPStatus
from math import isfinite
from typing import Any

import orjson
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common.errors import InvalidRequestError, RequestTimeoutError, TooLargeError, UnsupportedMediaError

MOST_BYTES = 1024 * 1024
"""The largest body that FastAPI reads by itself; a handler that reads its body sets a limit of its own."""

_LONGEST_SECONDS = 15.0
_DEEPEST = 64
# The largest integer that every JSON reader keeps exactly (RFC 7493, section 2.2).
_LARGEST_INTEGER = 2**53 - 1
_JSON = re.compile(r"application/(?:[\w.+-]*[\w.-]\+)?json", re.ASCII)
_LIMIT = "bowerbird.body_limit"


@dataclass(slots=True)
class _Limit:
    """How many bytes of one request's body are received; None where its handler counts them itself."""

    most_bytes: int | None = MOST_BYTES


class LimitedBodies:
    """ASGI middleware: refuses to receive more than `MOST_BYTES`, or for longer than `seconds`.

    Unless the handler reads the body itself. FastAPI reads it before it asks whose key the request has.
    """

    def __init__(self, app: ASGIApp, seconds: float = _LONGEST_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = scope[_LIMIT] = _Limit()
        received, ended = 0, False
        until = asyncio.get_running_loop().time() + self._seconds

        async def limited() -> Message:
            nonlocal received, ended
            # Behind the body comes only that the client is gone, which may take as long as it likes.
            timed = limit.most_bytes is not None and not ended
            try:
                async with asyncio.timeout_at(until if timed else None):
                    message = await receive()
            except TimeoutError:
                text = f"the body must arrive within {self._seconds:.0f} seconds"
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, text) from None
            ended = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if limit.most_bytes is not None and received > limit.most_bytes:
                # Of Starlette's kind: FastAPI, which is reading, lets no other error through.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {limit.most_bytes} bytes")
            return message

        await self._app(scope, limited, send)


def read_without_limit(request: Request) -> None:
    """Let the handler count the bytes of this body itself."""
    limit = request.scope.get(_LIMIT)
    if limit is not None:
        limit.most_bytes = None


def is_json(media_type: str) -> bool:
    """Return whether the value of a Content-Type header says JSON (RFC 8259, RFC 6839)."""
    return _JSON.fullmatch(_essence(media_type)) is not None


def _essence(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


async def read_json_text(
    request: Request, *, most_bytes: int, seconds: float = _LONGEST_SECONDS, also: Container[str] = ()
) -> bytes:
    """Return the body of a JSON request as it was sent, not parsed; `also` are media types that stand for JSON too.

    Raises:
        UnsupportedMediaError: not JSON by its media type, or compressed.
        TooLargeError: more than `most_bytes`.
        RequestTimeoutError: it takes longer than `seconds` to arrive.
    """
    media_type = request.headers.get("content-type", "")
    if not is_json(media_type) and _essence(media_type) not in also:
        raise UnsupportedMediaError("send JSON, with the header Content-Type: application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaError("send the body as it is, without Content-Encoding")
    read_without_limit(request)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise TooLargeError(f"send at most {most_bytes} bytes")
    except TimeoutError:
        raise RequestTimeoutError(f"the body must arrive within {seconds:.0f} seconds") from None
    return bytes(body)


async def read_json_object(request: Request, *, most_bytes: int, seconds: float = _LONGEST_SECONDS) -> dict[str, Any]:
    """Return the body of a request as one JSON object.

    Raises:
        InvalidRequestError: not JSON, not an object, nested too deep, a key twice, a number that JSON does not keep.
        BowerbirdError: as `read_json_text` does.
    """
    return parse_json_object(await read_json_text(request, most_bytes=most_bytes, seconds=seconds))


def parse_json_object(text: bytes) -> dict[str, Any]:
    """Return the one JSON object that `text` is.

    Raises:
        InvalidRequestError: as `read_json_object` does.
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"the body is not JSON: {error.msg}, line {error.lineno}") from None
    if not isinstance(document, dict):
        raise InvalidRequestError("the body is not a JSON object")
    _check_depth(document)
    # orjson keeps the last of two equal keys, silently; the standard library shows every pair.
    json.loads(text, object_pairs_hook=_each_key_once, parse_int=_integer, parse_float=_number)
    return document


def _check_depth(document: dict[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(_DEEPEST):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise InvalidRequestError(f"the body is nested more than {_DEEPEST} levels deep")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidRequestError(f"the key {key[:100]!r} stands twice in one object of the body")
        found[key] = value
    return found


def _integer(text: str) -> int:
    # By length first: converting a long text is slow.
    if len(text) > len(str(-_LARGEST_INTEGER)) or abs(int(text)) > _LARGEST_INTEGER:
        raise InvalidRequestError("the body holds a number beyond 2^53, which JSON does not keep; write it as text")
    return int(text)


def _number(text: str) -> float:
    if not isfinite(float(text)):
        raise InvalidRequestError("the body holds a number that is too large for JSON; write it as text")
    return float(text)
