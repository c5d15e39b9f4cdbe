"""Reads the form of the page at / (multipart/form-data, RFC 7578) from a whole body, in memory alone."""

from dataclasses import dataclass, field
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from libs.common.errors import InvalidRequestError

FORM: Final = "multipart/form-data"
# The parser takes time for each place where a part could begin; a form of ours has three.
_MOST_BOUNDARIES: Final = 8


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent: the bytes of the file and the link; empty where they were left out."""

    file: bytes = b""
    link: str = ""


@dataclass(slots=True)
class _Parts:
    """The parts that have ended, by name; the one that goes on."""

    ended: dict[str, bytes] = field(default_factory=dict)
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    disposition: bytes = b""
    content: bytearray = field(default_factory=bytearray)

    def end_header(self) -> None:
        if self.header.lower() == b"content-disposition":
            self.disposition = bytes(self.value)
        self.header.clear()
        self.value.clear()

    def end_part(self) -> None:
        _, options = parse_options_header(self.disposition)
        self.ended.setdefault(options.get(b"name", b"").decode("latin-1"), bytes(self.content))
        self.disposition = b""
        self.content.clear()


def read_form(body: bytes, media_type: str) -> Form:
    """Return what a form holds; parts of other names, and what comes after the last boundary, are ignored.

    Args:
        body: whole.
        media_type: the value of its Content-Type.

    Raises:
        InvalidRequestError: no form of this kind, or one that does not end.
    """
    wrong = InvalidRequestError("What was sent is not this form; load the page again.")
    kind, parameters = parse_options_header(media_type)
    boundary = parameters.get(b"boundary", b"")
    if kind.decode("latin-1") != FORM or not boundary or body.count(boundary) > _MOST_BOUNDARIES:
        raise wrong
    parts = _Parts()
    ends: list[None] = []
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_header_field": lambda data, start, end: parts.header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: parts.value.extend(data[start:end]),
                "on_header_end": parts.end_header,
                "on_part_data": lambda data, start, end: parts.content.extend(data[start:end]),
                "on_part_end": parts.end_part,
                "on_end": lambda: ends.append(None),
            },
        )
        parser.write(body)
    except FormParserError:
        raise wrong from None
    if not ends:
        raise wrong
    return Form(parts.ended.get("file", b""), parts.ended.get("link", b"").decode("utf-8", "replace").strip())
