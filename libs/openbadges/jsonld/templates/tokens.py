"""A document's compact JSON split at its quotes, so that comparing and substituting happen in C on whole tokens."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_BACKSLASH: Final = b"\x01"
_QUOTE: Final = b"\x02"
_BETWEEN: Final = b"\x03"
_ESCAPE: Final = 0x5C
_DELETE: Final = 0x7F
_UNUSUAL: Final = re.compile(rb'\\[^"nrt]')
"""A backslash that begins another escape than those that JSON and N-Quads share, or an escaped backslash."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a JSON text.

    Attributes:
        skeleton: all that stands outside quotes: brackets, commas, numbers, truth values.
        strings: keys and texts in order, as JSON escapes them, with two placeholders where `escaped`.
        escaped: whether a backslash or quote within a text was replaced by its placeholder.
    """

    skeleton: bytes
    strings: list[bytes]
    escaped: bool


def tokenize(text: bytes) -> Tokens | None:
    """Tokens what `orjson.dumps` wrote; None if a text holds what JSON and N-Quads escape differently.

    Both write backslash, quote, line feed, carriage return and tab alike, and all else but control characters as
    it is. JSON text holds no raw control characters, so two of them can stand in for escaped backslashes and
    quotes. An escaped backslash always begins where its first backslash is met from the left.
    """
    escaped = False
    if _ESCAPE in text:
        if _UNUSUAL.search(text):
            text = text.replace(b"\\\\", _BACKSLASH)
            if _UNUSUAL.search(text):
                return None
            escaped = True
        shorter = text.replace(b'\\"', _QUOTE)
        escaped = escaped or len(shorter) != len(text)
        text = shorter
    if _DELETE in text:
        return None
    pieces = text.split(b'"')
    return Tokens(b'"'.join(pieces[::2]), pieces[1::2], escaped)


def restore(pieces: Iterable[bytes]) -> tuple[bytes, ...]:
    """Put escaped quotes and backslashes back in place of their placeholders, in all tokens at once."""
    joined = _BETWEEN.join(pieces)
    return tuple(joined.replace(_QUOTE, b'\\"').replace(_BACKSLASH, b"\\\\").split(_BETWEEN))
