"""JSON in its canonical form (JCS, RFC 8785): by orjson where that is provably the same, else by the library."""

import re
from typing import Any, Final

import orjson
import rfc8785

from libs.openbadges.model.budget import spend
from libs.openbadges.model.errors import CredentialError

_NUMBER: Final = re.compile(rb"[:\[,]-?[0-9]++(?:[.eE]|(?<=[0-9]{16}))")
_DIGITS: Final = b"-0123456789"
_BYTES_A_UNIT: Final = 200
_SLOW_BYTES_A_UNIT: Final = 4
"""Bytes that are written for a unit of work (`budget`), by orjson and by the library."""

_HIGH: Final = re.compile(rb"[\xee-\xf4]")


def canonicalize(value: Any) -> bytes:
    """Write a JSON value canonically.

    orjson sorts keys by code point and writes integers and escapes as RFC 8785 asks. It differs in fractions, in
    integers beyond 2^53, and in the order of keys at or beyond U+D800, which RFC 8785 sorts by UTF-16. A text that
    merely holds what looks like such a number takes the slower way for nothing, and comes out the same.

    Raises:
        CredentialError: a value that is not JSON, or a number that JSON readers disagree about.
        LimitError: see `budget.spend`.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        differs = text[0] in _DIGITS or _NUMBER.search(text) or (_HIGH.search(text) and _has_high_key(value))
        spend(len(text) // (_SLOW_BYTES_A_UNIT if differs else _BYTES_A_UNIT))
        return rfc8785.dumps(value) if differs else text
    except (TypeError, rfc8785.CanonicalizationError) as error:
        raise CredentialError("not_json", f"The document has no canonical form: {error}.") from error


def _has_high_key(value: Any) -> bool:
    if isinstance(value, dict):
        return any(max(key, default="") >= "\ud800" or _has_high_key(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_has_high_key, value))
