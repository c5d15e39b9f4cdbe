"""Media types of bodies of UTF-8 text: which are JSON, and which are taken."""

import re
from collections.abc import Sequence

from libs.common.errors import UnsupportedMediaError

JSON = "application/json"
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
