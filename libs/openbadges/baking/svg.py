"""Credentials in SVG: one element right behind the root's tag, spliced in as text so that the rest stays as it is."""

import codecs
import re
from dataclasses import dataclass, field
from html import escape
from typing import Final
from xml.parsers import expat

from libs.openbadges.baking.content import CREDENTIAL_BYTES, Content, baked_many, older_content, read_content
from libs.openbadges.model.errors import CredentialError, LimitError, UndecidedError, UnreadFormError

MOST_ELEMENTS: Final = 200_000
MOST_CREDENTIALS: Final = 16
"""Old credentials in a picture that are looked for; the end of each is found character by character."""

MOST_ATTRIBUTES: Final = 2_000
"""Attributes of one element; the parser holds all of them at once."""

MOST_NAMESPACES: Final = 1_000
LONGEST_NAMESPACE: Final = 1_000
"""The parser writes the whole namespace in front of the name of each element in it."""

_ATTRIBUTES: Final = re.compile(rb"""<(?:[^<>="']*+=\s*+(?:"[^"]*+"|'[^']*+')){%d}""" % (MOST_ATTRIBUTES + 1))
_SPACE: Final = b" \t\r\n"
_SVG: Final = "http://www.w3.org/2000/svg svg"
_PREFIXES: Final = {
    "openbadges": "https://purl.imsglobal.org/ob/v3p0",
    "clr": "https://purl.imsglobal.org/clr/v2p0",
}
"""By prefix, as Open Badges 3.0 (section 5.3.2) and CLR 2.0 (document formats) write them."""

_OLDER: Final = frozenset({"http://openbadges.org assertion", "https://openbadges.org assertion"})
"""As Open Badges 1 and 2 write it (Open Badges 2.0, baking specification)."""

_DECLARED: Final = re.compile(rb"""<\?xml\s[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_ENCODINGS: Final = frozenset(
    ["utf-16", "utf-16-le", "utf-16-be", "iso8859-1", "iso8859-2", "iso8859-15", "cp1250", "cp1251", "cp1252"]
)
"""What drawing programs write beside UTF-8, by Python's names."""

_ELEMENTS: Final = frozenset(f"{namespace} credential" for namespace in _PREFIXES.values())
# What another reader may take for one of them.
_ALIKE: Final = re.compile(
    r"(?:https?://)?(?:purl\.imsglobal\.org/(?:ob|clr)\b\S*|openbadges\.org/?) (?:credential|assertion)", re.IGNORECASE
)


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
    if to_utf8(picture) is not picture:
        raise CredentialError("svg_encoding", "The picture is written in another encoding than UTF-8; save it in that.")
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
        CredentialError, LimitError, UndecidedError, UnreadFormError: see `baking.unbake`.
    """
    # Strictly, nothing may stand before the declaration; some programs leave an empty line there.
    read = _read(to_utf8(picture).lstrip(_SPACE))
    found = read.found
    if not found and read.older is not None:
        raise older_content(read.older.verify or "".join(read.older.text))
    if not found:
        raise UndecidedError("baked_none", "There is no credential in this picture.")
    if len(found) > 1:
        raise CredentialError("baked_twice", f"The picture holds {len(found)} credentials; one is allowed.")
    if read.others:
        raise baked_many(read.others)
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

    A document type with declarations of its own is refused, and with it every entity that a file could define (billion
    laughs, external entities). One that only names a DTD, as drawing programs write it, is passed over: nothing is
    fetched, so an entity that the file refers to and that is not XML's own is none that can be read.
    """

    def __init__(self, picture: bytes) -> None:
        self.root = -1
        self.prefixes: dict[str | None, str] = {}
        self.found: list[_Element] = []
        self.older: _Element | None = None
        self.others = 0
        self._picture = picture
        self._count = self._declared = 0
        self._open: _Element | None = None
        self._parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.SkippedEntityHandler = self._entity
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

    def _doctype(self, _name: str, _system: str | None, _public: str | None, has_declarations: int) -> None:
        if has_declarations:
            message = (
                "The picture has a document type (DOCTYPE) with declarations, which are not read; save it without."
            )
            raise UnreadFormError("svg_doctype", message)

    def _entity(self, name: str, _is_parameter: bool) -> None:
        if self._open is not None:
            raise UnreadFormError("svg_entity", f"The credential in the picture refers to an entity {name[:60]}.")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self._declared += 1
        if self._declared > MOST_NAMESPACES or len(uri or "") > LONGEST_NAMESPACE:
            raise LimitError(
                "too_many_namespaces",
                f"The picture declares more than {MOST_NAMESPACES} namespaces, or one of more than {LONGEST_NAMESPACE}"
                " characters.",
            )
        if self.root < 0:
            self.prefixes[prefix] = uri or ""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        at = self._parser.CurrentByteIndex
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise LimitError("too_many_elements", f"The picture has more than {MOST_ELEMENTS} elements.")
        if self.root < 0:
            if name != _SVG:
                raise UndecidedError("not_svg", "The file is XML, but not an SVG picture.")
            self.root = at
        elif self._open is not None:
            raise CredentialError("baked_form", "The credential in the picture holds elements.")
        elif name in _ELEMENTS:
            if len(self.found) == MOST_CREDENTIALS:
                raise CredentialError("baked_twice", f"The picture holds more than {MOST_CREDENTIALS} credentials.")
            self._open = _Element(at, at, attributes.get("verify"))
        elif _ALIKE.fullmatch(name):
            self.others += 1
            if name in _OLDER and self.older is None:
                self.older = self._open = _Element(at, at, attributes.get("verify"))

    def _end(self, _name: str) -> None:
        if self._open is not None:
            # Of an element without content, expat reports the end at its beginning or behind it.
            tag_end = _tag_end(self._picture, self._open.start)
            empty = self._picture[tag_end - 2 : tag_end] == b"/>"
            self._open.end = tag_end if empty else _tag_end(self._picture, self._parser.CurrentByteIndex)
            if self._open is not self.older:
                self.found.append(self._open)
            self._open = None

    def _text(self, text: str) -> None:
        if self._open is not None:
            self._open.length += len(text)
            if self._open.length > CREDENTIAL_BYTES * 2:
                raise LimitError("too_large", f"The credential has more than {CREDENTIAL_BYTES} bytes.")
            self._open.text.append(text)


def is_xml(data: bytes) -> bool:
    """Return whether a file begins as XML does, in an encoding that can be told by its first bytes."""
    encoding = _encoding_by_bytes(data)
    head = data[:256].decode(encoding, "replace") if encoding else data[:256].decode("latin-1")
    return head.removeprefix("\ufeff").removeprefix("\u00ef\u00bb\u00bf").lstrip(" \t\r\n").startswith("<")


def to_utf8(picture: bytes) -> bytes:
    """Return a picture in UTF-8, the same object where it is (XML 1.0, section 4.3.3 and appendix F).

    Raises:
        UnreadFormError: `svg_encoding`, an encoding that is not read here.
        CredentialError: `svg_damaged`, it is not in the encoding that it names.
    """
    encoding = _encoding_by_bytes(picture)
    if encoding is None:
        declared = _DECLARED.match(picture[:256].removeprefix(codecs.BOM_UTF8).lstrip(_SPACE))
        encoding = declared[1].decode("latin-1") if declared else "utf-8"
    try:
        known = codecs.lookup(encoding).name
    except LookupError:
        known = ""
    mislabelled = known.startswith("utf-16") and _encoding_by_bytes(picture) is None
    if known == "utf-8" or mislabelled or (known == "ascii" and picture.isascii()):
        # A declaration that reads as ASCII is not written in UTF-16, whatever it says: texts that .NET keeps in memory
        # say so, and are saved in UTF-8.
        return picture
    if known not in _ENCODINGS:
        raise UnreadFormError("svg_encoding", f"The picture is written in {encoding[:40]}, which is not read here.")
    try:
        return picture.decode(known).removeprefix("\ufeff").encode()
    except UnicodeError as error:
        raise CredentialError("svg_damaged", f"The picture is not written in {known}, as it says.") from error


def _encoding_by_bytes(data: bytes) -> str | None:
    """Return which kind of UTF-16 a file is, by its byte order mark or the zeros in its first character."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}.get(data[:2])


def _read(picture: bytes) -> _Reader:
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
