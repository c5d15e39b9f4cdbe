"""Credentials in PDF: the one attached file that is a credential, found without reading anything that is drawn.

Open Badges 3.0 bakes into PNG and SVG alone. A PDF with the credential attached is a view of it that people print and
keep; the attached file is what counts, and what the pages show is nobody's word.
"""

import base64
import codecs
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from libs.openbadges.baking.content import CREDENTIAL_BYTES, Content, read_content
from libs.openbadges.jose.compact import COMPACT_JWS
from libs.openbadges.model.budget import spend
from libs.openbadges.model.errors import CredentialError, LimitError, UndecidedError, UnreadFormError

MOST_STREAMS: Final = 20_000
"""Streams that are looked at: drawings, pictures and fonts among them."""

MOST_ATTACHMENTS: Final = 32

_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*%PDF-")
_STREAM: Final = re.compile(rb"\bstream(?:\r\n|\n|\r)")
_LONGEST_DICTIONARY: Final = 4_096
_ESCAPED: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_COMMENT: Final = re.compile(rb"%[^\r\n]*")
_ATTACHED: Final = re.compile(rb"/Type\s*/EmbeddedFile\b")
_WITH_PREDICTOR: Final = re.compile(rb"/Type\s*/(?:XRef|ObjStm)\b|/Subtype\s*/Image\b")
_OF_PICTURES: Final = frozenset({b"DCTDecode", b"DCT", b"JPXDecode", b"CCITTFaxDecode", b"CCF", b"JBIG2Decode"})
_BEGINNING: Final = 64
"""Bytes of a stream that tell whether it can be a credential."""
_TEXT_BEGINNING: Final = 600
_LENGTH: Final = re.compile(rb"/Length\s+(\d{1,9})\b(?!\s+\d+\s+R\b)")
_FILTER: Final = re.compile(rb"/Filter\s*(/\w+|\[[^\]]*\])")
_PREDICTOR: Final = re.compile(rb"/Predictor\s+(?!1\b)")
_ENCRYPTED: Final = re.compile(rb"/Encrypt\s*(?:\d+\s+\d+\s+R|<<)")
_STREAM_COST: Final = 5
_BYTES_A_UNIT: Final = 400
"""Units of work (`budget`): a stream that is looked at, and bytes of one that are read."""

_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HOLDER: Final = re.compile(
    rb"""\x89PNG|%PDF-|[\[{]\s*["\[{]|"\s*(?:ey|\{)|eyJ|<(?:!doctype\s+)?html\b""", re.IGNORECASE
)
"""How files begin in which a credential may stand: pictures, documents, JSON around one, JSON in another encoding.
Drawings in a page and functions, which begin with brackets too, have no quotation marks."""
_PICTURE: Final = re.compile(rb"<(?:[^\s<>/]{0,100}:)?svg\b")

_TAKE: Final = " Take the attached file out of it, and hand in that."


def is_pdf(data: bytes) -> bool:
    """Return whether a file begins as a PDF does (ISO 32000-2, section 7.5.2)."""
    return _START.match(data[:1_024]) is not None


def unbake(document: bytes) -> Content:
    """Read the one attached file that is a credential, where no other beside it can hold one.

    An embedded file is a stream of its own (ISO 32000-2, section 7.11.4), and no stream stands within another, so
    all of them are met from the first byte to the last. One that an update of the file has replaced is met too. A
    stream need not say that it is an embedded file (table 44), so each counts that holds a credential: what a viewer
    shows as attached must not be another one than what was checked. So counts a picture, a list, a text in UTF-16 or
    whatever else may hold a credential: whoever takes that out and hands it in may be shown another one.

    Raises:
        UndecidedError: `file_kind`, no credential is attached; `attached_many`, more than one is, or one
            and what may hold another.
        UnreadFormError: `pdf_encrypted`, or `baked_form`, attached in an encoding that is not read.
        CredentialError: see `content.read_content`.
        LimitError: more streams or attached files than are looked at, or one that is too large.
    """
    found = list(_credentials(document))
    texts = dict.fromkeys(text for text in found if text is not None)
    if not texts:
        raise UndecidedError(
            "file_kind",
            "This file is a PDF, and no credential is attached to it. Open the link in it, or ask for the badge's own"
            " file.",
        )
    if (count := len(texts) + found.count(None)) > 1:
        raise UndecidedError(
            "attached_many",
            f"{count} files that are credentials or may hold one are attached to this PDF. Take them out of it, and"
            " check each by itself.",
        )
    (text,) = texts
    return read_content(text)


def _credentials(document: bytes) -> Iterator[str | None]:
    """Yield the text of each credential, and None for each other stream that may hold one."""
    attached = 0
    unread: UnreadFormError | None = None
    for dictionary, start, end in _streams(document):
        said_to_be = _ATTACHED.search(dictionary) is not None
        attached += said_to_be
        if attached > MOST_ATTACHMENTS:
            raise LimitError("too_many_attachments", f"More than {MOST_ATTACHMENTS} files are attached to this PDF.")
        if attached == 1 and said_to_be and _ENCRYPTED.search(document) is not None:
            raise UnreadFormError("pdf_encrypted", f"This PDF is encrypted, so what is attached was not read.{_TAKE}")
        try:
            raw = _decoded(document[start:end], dictionary, said_to_be=said_to_be)
        except UnreadFormError as error:
            if said_to_be:
                raise
            unread = error
            continue
        text = _credential(raw)
        if text is not None or _may_hold_one(raw):
            yield text
            attached += not said_to_be
            if attached > MOST_ATTACHMENTS:
                raise LimitError("too_many_attachments", f"More than {MOST_ATTACHMENTS} files are attached to it.")
    if unread is not None and attached:
        raise unread


def _credential(raw: bytes) -> str | None:
    """Return the text of a stream that is a credential."""
    try:
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return None
    return text if (text.startswith("{") and '"@context"' in text) or COMPACT_JWS.match(text) else None


def _may_hold_one(raw: bytes) -> bool:
    """Return whether a file that is no credential may hold one, as a picture or a list does."""
    text = _narrow(raw)
    if _HOLDER.match(text):
        return True
    # Metadata of the PDF are XML too. Of what is larger only the beginning was read.
    return text.startswith(b"<") and (len(raw) > CREDENTIAL_BYTES or _PICTURE.search(text) is not None)


def _streams(document: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the dictionary of each stream, and where its bytes begin and end.

    Raises:
        LimitError: see `unbake`.
    """
    at = count = 0
    while (found := _STREAM.search(document, at)) is not None:
        count += 1
        if count > MOST_STREAMS:
            raise LimitError("too_many_streams", f"The PDF has more than {MOST_STREAMS} streams.")
        before = document[max(at, found.start() - _LONGEST_DICTIONARY) : found.start()]
        dictionary = before[before.rfind(b"obj") + 1 :]
        spend(_STREAM_COST + len(dictionary) // _BYTES_A_UNIT)
        if b"%" in dictionary:
            dictionary = _COMMENT.sub(b" ", dictionary)
        start, end = found.end(), _end(document, dictionary, found.end())
        if b"#" in dictionary:
            dictionary = _ESCAPED.sub(lambda sign: bytes([int(sign[1], 16)]), dictionary)
        yield dictionary, start, end
        at = end


def _end(document: bytes, dictionary: bytes, start: int) -> int:
    """Return where the bytes of a stream end: by its length, or by sight where that is wrong or stands elsewhere."""
    length = _LENGTH.search(dictionary)
    if length is not None:
        end = start + int(length[1])
        if document[end : end + 11].lstrip().startswith(b"endstream"):
            return end
    end = document.find(b"endstream", start)
    return len(document) if end < 0 else end


def _decoded(packed: bytes, dictionary: bytes, *, said_to_be: bool) -> bytes:
    """Return what a stream holds; nothing where it can be no credential.

    Raises:
        UnreadFormError: it is packed in a way not read here.
        CredentialError: it is said to be an attached file, and is damaged or too large.
    """
    named = _FILTER.search(dictionary)
    filters = named[1].strip(b"[]").replace(b"/", b" ").split() if named else []
    predicted = _PREDICTOR.search(dictionary) is not None
    if not said_to_be and (_OF_PICTURES.intersection(filters) or (predicted and _WITH_PREDICTOR.search(dictionary))):
        return b""
    if not filters:
        raw = packed
    elif filters in ([b"FlateDecode"], [b"Fl"]) and not predicted:
        try:
            # Of drawings and fonts no more is unpacked than tells that they are none.
            beginning = packed if said_to_be else zlib.decompressobj().decompress(packed, _BEGINNING)
            read = said_to_be or _may_be_credential(beginning)
            raw = zlib.decompressobj().decompress(packed, CREDENTIAL_BYTES + 1) if read else b""
        except zlib.error as error:
            if not said_to_be:
                return b""
            raise CredentialError("pdf_damaged", "A file that is attached to the PDF is damaged.") from error
    else:
        if not said_to_be and not predicted and not _may_be_credential(_beginning(packed, filters)):
            return b""
        raise UnreadFormError("baked_form", f"What is attached to this PDF is packed in a way not read here.{_TAKE}")
    if not said_to_be and not _may_be_credential(raw[:_BEGINNING]):
        return b""
    spend(len(raw) // _BYTES_A_UNIT)
    if len(raw) > CREDENTIAL_BYTES and raw.lstrip().startswith(b"{"):
        raise LimitError("too_large", f"A file that is attached to the PDF has more than {CREDENTIAL_BYTES} bytes.")
    return raw[: CREDENTIAL_BYTES + 1]


def _beginning(packed: bytes, filters: Sequence[bytes]) -> bytes:
    """Return how a stream begins that is packed as text, as programs pack drawings; nothing where that is not known."""
    data = packed[:_TEXT_BEGINNING]
    for name in filters:
        try:
            if name in {b"ASCII85Decode", b"A85"}:
                # Whole groups of five; an error in what is cut off says nothing.
                text = b"".join(data.split()).partition(b"~>")[0]
                data = base64.a85decode(text[: len(text) // 5 * 5] if b"z" not in text else text.partition(b"z")[0])
            elif name in {b"ASCIIHexDecode", b"AHx"}:
                text = b"".join(data.split()).partition(b">")[0]
                data = bytes.fromhex(text[: len(text) // 2 * 2].decode("ascii"))
            elif name in {b"FlateDecode", b"Fl"}:
                data = zlib.decompressobj().decompress(data, _BEGINNING)
            else:
                return b""
        except (ValueError, zlib.error):
            return b""
    return data


def _may_be_credential(beginning: bytes) -> bool:
    """Return whether a stream may go on from here as JSON, a compact JWS, or a file that holds one."""
    text = _narrow(beginning)
    return not text or text.startswith((b"{", b"[", b"ey", b"<", b'"')) or _HOLDER.match(text) is not None


def _narrow(raw: bytes) -> bytes:
    """Return a text without marks and space before it, one in UTF-16 as if each character had one byte."""
    wide = raw.startswith(_MARKS[1:]) or (raw[:1] == b"\0") != (raw[1:2] == b"\0")
    text = raw.replace(b"\0", b"") if wide else raw
    for mark in _MARKS:
        text = text.removeprefix(mark)
    return text.lstrip()
