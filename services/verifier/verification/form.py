"""Reads the form of the page at / (multipart/form-data, RFC 7578) from a whole body, in memory alone.

By hand: the parser that python-multipart has looks at every byte by itself, so that 4 MB of padding or of one header
cost seconds; what splits bytes here is the interpreter's own search.
"""

from dataclasses import dataclass
from typing import Final

from python_multipart.multipart import parse_options_header

from libs.common.errors import InvalidRequestError

FORM: Final = "multipart/form-data"
# A form of ours has two parts.
_MOST_PARTS: Final = 8
_MOST_HEADER_BYTES: Final = 2_000
# RFC 2046, section 5.1.1.
_LONGEST_BOUNDARY: Final = 70


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent: the bytes of the file and the link; empty where they were left out."""

    file: bytes = b""
    link: str = ""


def read_form(body: bytes, media_type: str) -> Form:
    """Return what a form holds; parts of other names, and what comes after the last boundary, are ignored.

    Args:
        body: whole.
        media_type: the value of its Content-Type.

    Raises:
        InvalidRequestError: no form of this kind, or one that does not end.
    """
    kind, parameters = parse_options_header(media_type)
    boundary = parameters.get(b"boundary", b"")
    if kind.decode("latin-1") != FORM or not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise _wrong()
    # A boundary stands at the beginning of a line, the first one perhaps at that of the body.
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary, _MOST_PARTS + 1)
    found: dict[str, bytes] = {}
    for part in parts:
        if part.startswith(b"--"):
            return Form(found.get("file", b""), found.get("link", b"").decode("utf-8", "replace").strip())
        header, _, content = part.partition(b"\r\n\r\n")
        if len(header) > _MOST_HEADER_BYTES:
            raise _wrong()
        found.setdefault(_name(header), content)
    raise _wrong()


def _name(header: bytes) -> str:
    """Return the name of a part; none where its header says none."""
    for line in header.split(b"\r\n"):
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"content-disposition":
            _, options = parse_options_header(value)
            return options.get(b"name", b"").decode("latin-1")
    return ""


def _wrong() -> InvalidRequestError:
    return InvalidRequestError("What was sent is not this form; load the page again.")
