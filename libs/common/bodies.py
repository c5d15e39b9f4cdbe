"""Bodies: of which media types, as they were sent; JSON as an object of limited depth with no key twice."""

import codecs
import json
import re
from collections.abc import Sequence
from math import isfinite
from typing import Any

import orjson
from fastapi import Request

from libs.common.errors import InvalidRequestError, UnsupportedMediaError

JSON = "application/json"
_DEEPEST = 64
# The largest integer that every JSON reader keeps exactly (RFC 7493, section 2.2).
_LARGEST_INTEGER = 2**53 - 1
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii"})
_JSON = re.compile(r"application/(?:[\w.+-]*[\w.-]\+)?json", re.ASCII)


def is_json(media_type: str) -> bool:
    """Return whether the value of a Content-Type header says JSON (RFC 8259, RFC 6839)."""
    return _JSON.fullmatch(essence(media_type)) is not None


def essence(media_type: str) -> str:
    """Return type and subtype of the value of a Content-Type header, in small letters, without its parameters."""
    return media_type.partition(";")[0].strip().lower()


def check_media_type(media_type: str, accepted: Sequence[str]) -> None:
    """Check the Content-Type of a body of UTF-8 text.

    Args:
        media_type: the value of the header.
        accepted: what is taken; where `application/json` is among them, every type that says JSON is (RFC 6839).

    Raises:
        UnsupportedMediaError: another type, or a `charset` other than UTF-8 or its subset US-ASCII.
    """
    sent, (_, *parameters) = essence(media_type), media_type.lower().split(";")
    if sent not in accepted and not (JSON in accepted and is_json(sent)):
        raise UnsupportedMediaError.of(accepted)
    for name, _, value in (each.partition("=") for each in parameters):
        if name.strip() == "charset" and value.strip().strip('"') not in _UTF_8:
            raise UnsupportedMediaError.of(accepted, "the text must be UTF-8")


async def read_json_text(request: Request, accepted: Sequence[str] = (JSON,)) -> bytes:
    """Return the body of a JSON request as it was sent, not parsed, within the limits of its route.

    Args:
        request: of any type that says JSON, or one of `accepted`.
        accepted: the types that a refusal names.

    Raises:
        UnsupportedMediaError: another media type, or compressed.
        BowerbirdError: a limit is passed (body_limits.py).
    """
    # A reader may ignore a byte order mark (RFC 8259, section 8.1).
    return (await read_body(request, accepted)).removeprefix(codecs.BOM_UTF8)


async def read_body(request: Request, accepted: Sequence[str]) -> bytes:
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
        InvalidRequestError: not JSON, not an object, nested too deep, a key twice, a number that JSON does not keep.
        BowerbirdError: as `read_json_text` does.
    """
    return parse_json_object(await read_json_text(request, accepted))


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
