"""JSON objects from anybody: of limited depth, with no key twice and no number that JSON does not keep."""

import codecs
import json
from math import isfinite
from typing import Any

import orjson

from libs.common.errors import InvalidRequestError

_DEEPEST = 64
# The largest integer that every JSON reader keeps exactly (RFC 7493, section 2.2).
_LARGEST_INTEGER = 2**53 - 1


def parse_json_object(text: bytes) -> dict[str, Any]:
    """Return the one JSON object that `text` is.

    Raises:
        InvalidRequestError: not JSON, not an object, nested too deep, a key twice, a number that JSON does not keep.
    """
    # A reader may ignore a byte order mark (RFC 8259, section 8.1).
    text = text.removeprefix(codecs.BOM_UTF8)
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
