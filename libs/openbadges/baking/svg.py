"""Credentials in SVG: one element right behind the root's tag, spliced in as text so that the rest stays as it is."""

import re
from dataclasses import dataclass, field
from html import escape
from typing import Final, NoReturn
from xml.parsers import expat

from libs.openbadges.baking.content import CREDENTIAL_BYTES, Content, read_content
from libs.openbadges.model.errors import CredentialError, LimitError

MOST_ELEMENTS: Final = 200_000
MOST_CREDENTIALS: Final = 16
"""Old credentials in a picture that are looked for; the end of each is found character by character."""

MOST_ATTRIBUTES: Final = 2_000
"""Attributes of one element; the parser holds all of them at once."""

_ATTRIBUTES: Final = re.compile(rb"""<(?:[^<>="']*+=\s*+(?:"[^"]*+"|'[^']*+')){%d}""" % (MOST_ATTRIBUTES + 1))
_SVG: Final = "http://www.w3.org/2000/svg svg"
_PREFIXES: Final = {
    "openbadges": "https://purl.imsglobal.org/ob/v3p0",
    "clr": "https://purl.imsglobal.org/clr/v2p0",
}
"""By prefix, as Open Badges 3.0 (section 5.3.2) and CLR 2.0 (document formats) write them."""

_ELEMENTS: Final = frozenset(f"{namespace} credential" for namespace in _PREFIXES.values())


@dataclass(slots=True)
class _Element:
    """A credential's element as it stands in the file."""

    start: int
    end: int
    verify: str | None
    text: list[str] = field(default_factory=list)
    length: int = 0


def bake(picture: bytes, content: Content) -> bytes:
    """Put the credential's element directly behind the svg tag, and take old ones out.

    A JWS stands in the attribute `verify`; JSON is the element's text, as CDATA (Open Badges 3.0, section 5.3.2.1).

    Raises:
        CredentialError, LimitError: see `baking.bake`; `svg_prefix` if the file uses our prefix for something else.
    """
    read = _read(picture)
    prefix = "clr" if content.is_record else "openbadges"
    declared = read.prefixes.get(prefix)
    if declared not in (None, _PREFIXES[prefix]):
        raise CredentialError("svg_prefix", f"The picture uses the prefix {prefix} for something else.")
    name_end = read.root + 1
    while picture[name_end : name_end + 1] not in b" \t\r\n/>":
        name_end += 1
    tag_end = _tag_end(picture, read.root)
    empty = picture[tag_end - 2 : tag_end] == b"/>"
    parts = [picture[:name_end]]
    if declared is None:
        parts.append(f' xmlns:{prefix}="{_PREFIXES[prefix]}"'.encode())
    parts += [picture[name_end : tag_end - 2] + b">" if empty else picture[name_end:tag_end], _written(prefix, content)]
    if empty:
        parts.append(b"</" + picture[read.root + 1 : name_end] + b">")
    at = tag_end
    for old in read.found:
        parts.append(picture[at : old.start])
        at = old.end
    parts.append(picture[at:])
    return b"".join(parts)


def unbake(picture: bytes) -> Content:
    """Read the one element that holds a credential (Open Badges 3.0, section 5.3.2.2).

    Raises:
        CredentialError, LimitError: see `baking.unbake`.
    """
    found = _read(picture).found
    if not found:
        raise CredentialError("baked_none", "The picture holds no credential.")
    if len(found) > 1:
        raise CredentialError("baked_twice", f"The picture holds {len(found)} credentials; one is allowed.")
    text = "".join(found[0].text).strip()
    verify = found[0].verify
    if verify is not None and text:
        raise CredentialError("baked_twice", "The picture holds a credential as attribute and another as text.")
    content = read_content(text if verify is None else verify)
    if content.is_jws != (verify is not None):
        raise CredentialError("baked_form", "A compact JWS stands in the attribute verify, JSON in the element.")
    return content


def _written(prefix: str, content: Content) -> bytes:
    if content.is_jws:
        return f'<{prefix}:credential verify="{escape(content.text)}"></{prefix}:credential>'.encode()
    # These two are JSON but not XML; as escapes they are both. CDATA cannot hold its own end, so it is cut in two.
    text = content.text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff").replace("]]>", "]]]]><![CDATA[>")
    return f"<{prefix}:credential><![CDATA[{text}]]></{prefix}:credential>".encode()


class _Reader:
    """What a strict parser sees: the root's place and prefixes, and every credential element with its place.

    A document type is refused, and with it every entity that a file could define (billion laughs, external
    entities): none is ever declared, so none can be expanded or fetched.
    """

    def __init__(self, picture: bytes) -> None:
        self.root = -1
        self.prefixes: dict[str | None, str] = {}
        self.found: list[_Element] = []
        self._picture = picture
        self._count = 0
        self._open: _Element | None = None
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartNamespaceDeclHandler = self._namespace
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def read(self) -> None:
        try:
            self._parser.Parse(self._picture, True)
        except expat.ExpatError as error:
            place = f"line {error.lineno}, column {error.offset + 1}"
            raise CredentialError(
                "svg_damaged", f"The picture is not well-formed XML ({place}): {expat.ErrorString(error.code)}."
            ) from error

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() != "UTF-8":
            raise CredentialError("svg_encoding", f"The picture is written in {encoding}; UTF-8 is read.")

    def _doctype(self, *_: object) -> NoReturn:
        raise CredentialError(
            "svg_doctype", "The picture has a document type (DOCTYPE), which can define entities; save it without one."
        )

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        if self.root < 0:
            self.prefixes[prefix] = uri or ""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        at = self._parser.CurrentByteIndex
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise LimitError("too_many_elements", f"The picture has more than {MOST_ELEMENTS} elements.")
        if self.root < 0:
            if name != _SVG:
                raise CredentialError("svg_damaged", "The file is XML, but not an SVG picture.")
            self.root = at
        elif self._open is not None:
            raise CredentialError("baked_form", "The credential in the picture holds elements.")
        elif name in _ELEMENTS:
            if len(self.found) == MOST_CREDENTIALS:
                raise CredentialError("baked_twice", f"The picture holds more than {MOST_CREDENTIALS} credentials.")
            self._open = _Element(at, at, attributes.get("verify"))

    def _end(self, _name: str) -> None:
        if self._open is not None:
            # Of an element without content, expat reports the end at its beginning or behind it.
            tag_end = _tag_end(self._picture, self._open.start)
            empty = self._picture[tag_end - 2 : tag_end] == b"/>"
            self._open.end = tag_end if empty else _tag_end(self._picture, self._parser.CurrentByteIndex)
            self.found.append(self._open)
            self._open = None

    def _text(self, text: str) -> None:
        if self._open is not None:
            self._open.length += len(text)
            if self._open.length > CREDENTIAL_BYTES * 2:
                raise LimitError("too_large", f"The credential has more than {CREDENTIAL_BYTES} bytes.")
            self._open.text.append(text)


def _read(picture: bytes) -> _Reader:
    if picture.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in picture[:64]:
        raise CredentialError("svg_encoding", "The picture is written in UTF-16; UTF-8 is read.")
    if _ATTRIBUTES.search(picture):
        raise LimitError(
            "too_many_attributes", f"An element of the picture has more than {MOST_ATTRIBUTES} attributes."
        )
    reader = _Reader(picture)
    reader.read()
    return reader


def _tag_end(picture: bytes, at: int) -> int:
    """Find the end of the tag that begins there; the text is well-formed, so only quoted values can hold a `>`."""
    while True:
        at += 1
        one = picture[at : at + 1]
        if one in {b'"', b"'"}:
            at = picture.index(one, at + 1)
        elif one in {b">", b""}:
            return at + 1
