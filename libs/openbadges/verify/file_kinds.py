"""Files in which no credential can stand: what each is, by its first bytes, and what to hand in instead."""

import codecs
import re
from typing import Final

from libs.openbadges.baking import container_of
from libs.openbadges.jose.compact import as_compact
from libs.openbadges.model.errors import UndecidedError, UnreadFormError

CODE: Final = "file_kind"
"""The code of every error made here."""

# Office programs name what is inside in the first entries of their archives.
_START: Final = 1_024
_LONGEST_LINK: Final = 2_000
_SPACE: Final = b" \t\r\n\0\xef\xbb\xbf"

_PICTURE: Final = (
    "Badges are baked into PNG and SVG alone, and a copy in another form, or a screenshot, has lost the credential."
    " Ask for the picture as it was downloaded, or for the link of the badge."
)
_PRINTED: Final = "Open the link in it, or ask for the badge's own file."
_UNPACK: Final = "Unpack it and hand in the file inside."
_ASK: Final = "Hand in the badge's file: JSON, a JWT, or a picture (PNG or SVG) with the credential in it."

_MAGIC: Final[tuple[tuple[re.Pattern[bytes], str], ...]] = tuple(
    (re.compile(pattern, re.DOTALL), f"This file is {kind}. {advice}")
    for pattern, kind, advice in (
        (rb"\xff\xd8\xff", "a JPEG picture", _PICTURE),
        (rb"GIF8[79]a", "a GIF picture", _PICTURE),
        (rb"RIFF.{4}WEBP", "a WebP picture", _PICTURE),
        (rb".{4}ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", "a HEIC picture", _PICTURE),
        (rb".{4}ftypavi[fs]", "an AVIF picture", _PICTURE),
        (rb"BM.{4}\0\0\0\0", "a BMP picture", _PICTURE),
        (rb"II\*\0|MM\0\*", "a TIFF picture", _PICTURE),
        (rb"\0\0\x01\0", "an icon", _PICTURE),
        (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL picture", _PICTURE),
        (rb"\0\0\0\x0cjP  ", "a JPEG 2000 picture", _PICTURE),
        (rb".{4}ftyp", "a video", _ASK),
        (rb"PK\x03\x04.{0,1000}(?:\[Content_Types\]|_rels/|word/|xl/|ppt/)", "an office document", _PRINTED),
        (rb"PK\x03\x04.{26}mimetypeapplication/", "an office document or a book", _PRINTED),
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a ZIP archive", _UNPACK),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document", _PRINTED),
        (rb"\{\\rtf", "a text document (RTF)", _PRINTED),
        (rb"\x1f\x8b", "compressed by gzip", _UNPACK),
        (rb"BZh|\xfd7zXZ\0|\x28\xb5\x2f\xfd|7z\xbc\xaf\x27\x1c|Rar!", "a packed file", _UNPACK),
        (rb".{257}ustar", "a TAR archive", _UNPACK),
    )
)

_PAGE: Final = re.compile(rb"<(?:!doctype html|html|head|body)[\s>]", re.IGNORECASE)
_MAIL: Final = re.compile(
    r"(?:Received|Return-Path|Delivered-To|MIME-Version|Message-ID|From|To|Subject|Date|X-[\w-]+): ?\S", re.IGNORECASE
)
_SHORTCUT: Final = re.compile(r"\[InternetShortcut\]|\[Desktop Entry\]")
_OTHER_TEXTS: Final = (
    (_MAIL, "This file is an e-mail. Check the link in it, or save what is attached and check that."),
    (re.compile("data:"), f"This file is a picture or a document written as a link (data:). {_ASK}"),
    (re.compile("-----BEGIN"), f"This file holds a key or a certificate, which is best shown to nobody. {_ASK}"),
    (re.compile(r"[^\ufffd\0-\x08]*\Z"), f"This file is text and no credential. {_ASK}"),
)


def refuse_other_kinds(data: bytes) -> None:
    """Refuse a file that can be told to hold no credential; what may be one, however damaged, goes on.

    Nothing is said of whether a credential is good: there is none to speak of.

    Raises:
        UndecidedError: `file_kind`, with what it is and what to do.
        UnreadFormError: `encoding_unread`, JSON in UTF-16.
    """
    start = data[:_START]
    wide = _utf16(start)
    text = codecs.getincrementaldecoder(wide or "utf-8")("replace").decode(start).lstrip("\ufeff \t\r\n")
    if wide and text.startswith(("{", "eyJ")):
        raise UnreadFormError("encoding_unread", "The document is written in UTF-16; save it as UTF-8.")
    if _SHORTCUT.match(text) or _is_link(data):
        raise UndecidedError(CODE, "This file holds a link and no credential. Check the link itself.")
    container = container_of(data)
    if container == "svg":
        _refuse_page(data)
        return
    if (text[:1] in {"{", "[", '"'} and not text.startswith("{\\rtf")) or container in {"png", "pdf"}:
        return
    for magic, message in _MAGIC:
        if magic.match(start):
            raise UndecidedError(CODE, message)
    if not data.strip(_SPACE):
        raise UndecidedError(CODE, f"This file is empty. {_ASK}")
    if text.startswith("eyJ") or as_compact(data) is not None:
        return
    for form, message in _OTHER_TEXTS:
        if form.match(text):
            raise UndecidedError(CODE, message)
    raise UndecidedError(CODE, f"This file is of a kind that is not known here. {_ASK}")


def _utf16(start: bytes) -> str | None:
    """Return the byte order of a text in UTF-16, told by its mark or by the zeros in its first characters."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = "".join("0" if each == 0 else "x" for each in start[:8])
    return {"x0x0x0x0": "utf-16-le", "0x0x0x0x": "utf-16-be"}.get(zeros)


def _refuse_page(data: bytes) -> None:
    """Refuse what is written with tags and is no SVG picture."""
    start = data[:_START].replace(b"\0", b"").removeprefix(codecs.BOM_UTF8).lstrip()
    if _PAGE.match(start):
        raise UndecidedError(
            CODE,
            "This file is a web page. Check the link of the page itself, or download the badge's file from it.",
        )
    if b"<plist" in start:
        raise UndecidedError(CODE, "This file holds a link or settings, and no credential. Check the link itself.")
    if b"svg" not in data.replace(b"\0", b""):
        raise UndecidedError(CODE, f"This file is XML or a piece of a web page, and no picture. {_ASK}")


def _is_link(data: bytes) -> bool:
    """Return whether a file holds one link and nothing else."""
    if len(data) > _LONGEST_LINK:
        return False
    words = data.removeprefix(codecs.BOM_UTF8).split()
    return len(words) == 1 and words[0].lower().startswith((b"https://", b"http://"))
