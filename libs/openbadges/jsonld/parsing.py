"""JSON text into a document, within limits: bytes, depth, nodes, no duplicate keys, numbers that survive."""

import codecs
import json
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import orjson

from libs.openbadges.model.budget import spend
from libs.openbadges.model.errors import CredentialError, LimitError, UnreadFormError

TYPE_NAMES: Final = {
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "a truth value",
}

LARGEST_NUMBER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 7493, section 2.2)."""


_BYTES_A_UNIT: Final = 40
"""Bytes that are read for a unit of work (`budget`)."""

_BYTES_UNCOUNTED: Final = 64 * 1024
"""A longer text has its values counted before it is written: writing takes 256 bytes for each number in a list."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may cost before it is refused unread."""

    bytes: int = 256 * 1024
    depth: int = 40
    nodes: int = 10_000


LIMITS: Final = Limits()


def parse(text: str | bytes, limits: Limits = LIMITS) -> dict[str, Any]:
    """Read one JSON object of limited size, no key twice. What it costs to walk through it, `check` tells.

    Raises:
        LimitError: too many bytes; too deep or too many values, where that already matters here.
        CredentialError: not UTF-8 JSON, not an object, a key twice.
        UnreadFormError: `encoding_unread`, UTF-16 or UTF-32 with a byte order mark.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    # A reader may ignore a byte order mark (RFC 8259, section 8.1), and programs on Windows write one.
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"{" in raw[:16]:
        raise UnreadFormError("encoding_unread", "The document is JSON in another encoding than UTF-8.")
    if len(raw) > limits.bytes:
        raise LimitError("too_large", f"The document has {len(raw)} bytes; {limits.bytes} are read at most.")
    spend(len(raw) // _BYTES_A_UNIT)
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise CredentialError("not_json", f"The document is not JSON: {error.msg}.") from error
    if not isinstance(document, dict):
        raise CredentialError(
            "not_an_object", f"A credential is a JSON object, not {TYPE_NAMES.get(type(document), 'nothing')}."
        )
    if len(raw) > _BYTES_UNCOUNTED:
        check(document, limits)
    if write(document) != raw:
        # Written by somebody else, or with a key twice: a second reader looks at every pair.
        check(document, limits)
        json.loads(raw, object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
    return document


def load(text: bytes) -> Any:
    """Read JSON that was written here, or whose writing is compared with it.

    Not by orjson, though it reads faster: what it reads with, AVX-512, lowers the clock of many processors for the next
    0.7 ms, and so slows a signature or its verification, and all between, by a sixth.

    Raises:
        ValueError, RecursionError: it was not written here.
    """
    return json.loads(text)


def write(document: dict[str, Any]) -> bytes:
    """Write a document as compact JSON.

    Raises:
        LimitError: too deep to be written.
        CredentialError: it holds what is not JSON.
    """
    try:
        return orjson.dumps(document, option=_STRICT)
    except TypeError as error:
        check(document)
        raise CredentialError("not_json", f"The document does not hold JSON alone: {error}.") from error


_STRICT: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS


def check(document: dict[str, Any], limits: Limits = LIMITS) -> int:
    """Count the values of a parsed document; refuse one that is too deep, has too many, or holds what is not JSON.

    Raises:
        LimitError: too deep, too many values.
        CredentialError: a value that is not JSON, or a number beyond 2^53.
    """
    level: list[Any] = [document]
    count = 0
    for _ in range(limits.depth):
        below: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is str or kind is bool or value is None:
                continue
            if kind is dict:
                if not all(type(key) is str for key in value):
                    raise CredentialError("not_json", "The keys of a JSON object are text.")
                below.extend(value.values())
            elif kind is list:
                below.extend(value)
            elif kind is int or kind is float:
                _check_number(value)
            else:
                raise CredentialError("not_json", f"A {kind.__name__} is not a JSON value.")
        if not below:
            return count
        count += len(below)
        if count > limits.nodes:
            raise LimitError("too_many_values", f"The document has more than {limits.nodes} values.")
        level = below
    raise LimitError("too_deep", f"The document is nested more than {limits.depth} levels deep.")


def _check_number(value: float) -> None:
    # The comparison is also false for NaN.
    if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise CredentialError("number_too_large", "A number beyond 2^53 does not survive JSON; write it as text.")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise CredentialError(
                "duplicate_key", f"The key {key!r} stands twice in one object; readers would disagree."
            )
        seen.add(key)


def _refuse_constant(name: str) -> NoReturn:
    raise CredentialError("not_json", f"{name} is not a JSON number.")
