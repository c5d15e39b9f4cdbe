"""Credentials in PDF: the one attached file that is a credential, found without reading anything that is drawn.

Open Badges 3.0 bakes into PNG and SVG alone. A PDF with the credential attached is a view of it that people print and
keep; the attached file is what counts, and what the pages show is nobody's word.
"""

import re
import zlib
from collections.abc import Iterator
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
_ATTACHED: Final = re.compile(rb"/Type\s*/EmbeddedFile\b")
_LENGTH: Final = re.compile(rb"/Length\s+(\d{1,9})\b(?!\s+\d+\s+R\b)")
_FILTER: Final = re.compile(rb"/Filter\s*(/\w+|\[[^\]]*\])")
_PREDICTOR: Final = re.compile(rb"/Predictor\s+(?!1\b)")
_ENCRYPTED: Final = re.compile(rb"/Encrypt\s*(?:\d+\s+\d+\s+R|<<)")
_STREAM_COST: Final = 5
_BYTES_A_UNIT: Final = 400
"""Units of work (`budget`): a stream that is looked at, and bytes of one that are read."""

_TAKE: Final = " Take the attached file out of it, and hand in that."


def is_pdf(data: bytes) -> bool:
    """Return whether a file begins as a PDF does (ISO 32000-2, section 7.5.2)."""
    return _START.match(data[:1_024]) is not None


def unbake(document: bytes) -> Content:
    """Read the one attached file that is a credential; others beside it are left alone.

    An embedded file is a stream of its own (ISO 32000-2, section 7.11.4), and no stream stands within another, so
    all of them are met from the first byte to the last. One that an update of the file has replaced is met too.

    Raises:
        UndecidedError: `file_kind`, no credential is attached; `attached_many`, more than one is.
        UnreadFormError: `pdf_encrypted`, or `baked_form`, attached in an encoding that is not read.
        CredentialError: see `content.read_content`.
        LimitError: more streams or attached files than are looked at, or one that is too large.
    """
    texts = dict.fromkeys(_credentials(document))
    if not texts:
        raise UndecidedError(
            "file_kind",
            "This file is a PDF, and no credential is attached to it. Open the link in it, or ask for the badge's own"
            " file.",
        )
    if len(texts) > 1:
        raise UndecidedError(
            "attached_many",
            f"{len(texts)} credentials are attached to this PDF. Take them out of it, and check each by itself.",
        )
    (text,) = texts
    return read_content(text)


def _credentials(document: bytes) -> Iterator[str]:
    encrypted: bool | None = None
    for count, (dictionary, start, end) in enumerate(_attachments(document)):
        if count == MOST_ATTACHMENTS:
            raise LimitError("too_many_attachments", f"More than {MOST_ATTACHMENTS} files are attached to this PDF.")
        if encrypted is None:
            encrypted = _ENCRYPTED.search(document) is not None
        if encrypted:
            raise UnreadFormError("pdf_encrypted", f"This PDF is encrypted, so what is attached was not read.{_TAKE}")
        raw = _decoded(document[start:end], dictionary)
        try:
            text = raw.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            continue
        if (text.startswith("{") and '"@context"' in text) or COMPACT_JWS.match(text):
            yield text


def _attachments(document: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield of each attached file the dictionary of its stream, and where its bytes begin and end.

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
        start, end = found.end(), _end(document, dictionary, found.end())
        if b"#" in dictionary:
            dictionary = _ESCAPED.sub(lambda sign: bytes([int(sign[1], 16)]), dictionary)
        if _ATTACHED.search(dictionary):
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


def _decoded(packed: bytes, dictionary: bytes) -> bytes:
    named = _FILTER.search(dictionary)
    filters = named[1].strip(b"[]").replace(b"/", b" ").split() if named else []
    if not filters:
        raw = packed
    elif filters in ([b"FlateDecode"], [b"Fl"]) and not _PREDICTOR.search(dictionary):
        try:
            raw = zlib.decompressobj().decompress(packed, CREDENTIAL_BYTES + 1)
        except zlib.error as error:
            raise CredentialError("pdf_damaged", "A file that is attached to the PDF is damaged.") from error
    else:
        raise UnreadFormError("baked_form", f"What is attached to this PDF is packed in a way not read here.{_TAKE}")
    spend(len(raw) // _BYTES_A_UNIT)
    if len(raw) <= CREDENTIAL_BYTES:
        return raw
    if raw.lstrip().startswith(b"{"):
        raise LimitError("too_large", f"A file that is attached to the PDF has more than {CREDENTIAL_BYTES} bytes.")
    return b""
