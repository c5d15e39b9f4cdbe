"""Credentials in PNG: one uncompressed iTXt chunk; all other chunks stay as they are."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from libs.openbadges.baking.content import CREDENTIAL_BYTES, Content, baked_many, older_content, read_content
from libs.openbadges.model.errors import CredentialError, LimitError, UndecidedError, UnreadFormError

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
KEYWORD: Final = b"openbadgecredential"
RECORD_KEYWORD: Final = b"clrcredential"
MOST_CHUNKS: Final = 16_384

_KEYWORDS: Final = frozenset({KEYWORD, RECORD_KEYWORD})
_OLDER: Final = frozenset({b"openbadges"})
"""The keyword of Open Badges 1 and 2 (Open Badges 2.0, baking specification)."""

_ALIKE: Final = _KEYWORDS | _OLDER
"""In small letters, without spaces: what another reader may take for one of these keywords."""

_TEXTUAL: Final = (b"iTXt", b"tEXt", b"zTXt")


@dataclass(frozen=True, slots=True)
class _Chunk:
    """One chunk (PNG, third edition, section 5.3): where it begins and ends, with length and CRC."""

    kind: bytes
    start: int
    end: int


def bake(picture: bytes, content: Content) -> bytes:
    """Put the credential's chunk right behind the header (Open Badges 3.0, section 5.3.1.1), and take old ones out.

    Raises:
        CredentialError, LimitError: see `baking.bake`.
    """
    chunks = list(_chunks(picture))
    keyword = RECORD_KEYWORD if content.is_record else KEYWORD
    # Keyword, NUL, not compressed, method 0, no language, NUL, no translated keyword, NUL (PNG, section 11.3.3.4).
    written = _chunk(b"iTXt", keyword + b"\0\0\0\0\0" + content.text.encode())
    parts = [picture[: chunks[0].end], written]
    at = chunks[0].end
    for chunk in chunks[1:]:
        if _may_hold(picture, chunk):
            parts.append(picture[at : chunk.start])
            at = chunk.end
    parts.append(picture[at:])
    return b"".join(parts)


def unbake(picture: bytes) -> Content:
    """Read the one chunk that holds a credential (Open Badges 3.0, section 5.3.1.2).

    Every chunk's CRC is checked, and the picture is read to its end: a second credential, of an older form or under
    a keyword written otherwise too, would let two readers see two things.

    Raises:
        CredentialError, LimitError, UndecidedError, UnreadFormError: see `baking.unbake`.
    """
    chunks = list(_chunks(picture))
    found = [chunk for chunk in chunks if _keyword(picture, chunk)]
    if not found:
        older = next((chunk for chunk in chunks if _keyword(picture, chunk, _OLDER)), None)
        if older is not None:
            raise older_content(picture[older.start + 8 : older.end - 4].rpartition(b"\0")[2])
        raise UndecidedError("baked_none", "There is no credential in this picture.")
    if len(found) > 1:
        raise CredentialError("baked_twice", f"The picture holds {len(found)} credentials; one is allowed.")
    others = sum(_may_hold(picture, chunk) for chunk in chunks) - 1
    if others:
        raise baked_many(others)
    return read_content(_text(picture, found[0]))


def _text(picture: bytes, chunk: _Chunk) -> str:
    if chunk.kind != b"iTXt":
        raise UnreadFormError(
            "baked_form",
            f"The credential stands in a {chunk.kind.decode()} chunk, where Open Badges has iTXt, and was not read."
            " Ask for the picture as it was downloaded, or for the credential itself.",
        )
    rest = picture[chunk.start + 8 : chunk.end - 4].partition(b"\0")[2]
    if len(rest) > CREDENTIAL_BYTES + 1024:
        raise LimitError("too_large", f"The credential has more than {CREDENTIAL_BYTES} bytes.")
    if rest[:1] != b"\0":
        # It is not unpacked, so a bomb in it harms nobody.
        raise UnreadFormError(
            "baked_compressed",
            "The credential in the picture is compressed, which Open Badges forbids, and was not read. A program may"
            " have saved the picture anew: ask for it as it was downloaded, or for the credential itself.",
        )
    _language, first, rest = rest[2:].partition(b"\0")
    _translated, second, text = rest.partition(b"\0")
    if not first or not second:
        raise CredentialError("png_damaged", "The chunk with the credential ends too early.")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise CredentialError("baked_form", "The credential in the picture is not UTF-8.") from error


def _keyword(picture: bytes, chunk: _Chunk, keywords: frozenset[bytes] = _KEYWORDS) -> bool:
    """Return whether a chunk holds a credential by its keyword, whatever kind of text chunk it is."""
    return _written_keyword(picture, chunk) in keywords


def _may_hold(picture: bytes, chunk: _Chunk) -> bool:
    return b"".join(_written_keyword(picture, chunk).lower().split()) in _ALIKE


def _written_keyword(picture: bytes, chunk: _Chunk) -> bytes:
    if chunk.kind not in _TEXTUAL:
        return b""
    return picture[chunk.start + 8 : min(chunk.start + 8 + 80, chunk.end - 4)].partition(b"\0")[0]


def _chunks(picture: bytes) -> Iterator[_Chunk]:
    """Walk over all chunks and check what can be checked without drawing: order, lengths, CRCs.

    Bytes behind IEND are no part of the picture (PNG, section 13.2); they are neither read nor touched.

    Raises:
        CredentialError: `png_damaged`, or `png_crc` with the place.
        LimitError: more chunks than `MOST_CHUNKS`.
    """
    if not picture.startswith(SIGNATURE):
        raise CredentialError("png_damaged", "The file does not begin as a PNG does.")
    at, count, drawn = len(SIGNATURE), 0, False
    while True:
        count += 1
        if count > MOST_CHUNKS:
            raise LimitError("too_many_chunks", f"The picture has more than {MOST_CHUNKS} chunks.")
        chunk = _read_chunk(picture, at)
        length = chunk.end - chunk.start - 12
        if (count == 1) != (chunk.kind == b"IHDR") or (count == 1 and length != 13):
            raise CredentialError("png_damaged", "The picture has no header where it belongs, or more than one.")
        drawn |= chunk.kind == b"IDAT"
        if chunk.kind == b"IEND" and (length or not drawn):
            raise CredentialError("png_damaged", "The picture ends before it has shown anything, or in a wrong way.")
        yield chunk
        if chunk.kind == b"IEND":
            return
        at = chunk.end


def _read_chunk(picture: bytes, at: int) -> _Chunk:
    if len(picture) - at < 12:
        raise CredentialError("png_damaged", f"The picture breaks off at byte {len(picture)}.")
    (length,) = struct.unpack_from(">I", picture, at)
    kind = picture[at + 4 : at + 8]
    end = at + 12 + length
    if length > 0x7FFFFFFF or end > len(picture):
        raise CredentialError("png_damaged", f"The chunk at byte {at} claims to be longer than the file.")
    if not kind.isalpha():
        raise CredentialError("png_damaged", f"The chunk at byte {at} is of no kind that PNG can have.")
    (crc,) = struct.unpack_from(">I", picture, end - 4)
    if zlib.crc32(memoryview(picture)[at + 4 : end - 4]) != crc:
        raise CredentialError("png_crc", f"The chunk at byte {at} was changed: its check sum is wrong.")
    return _Chunk(kind, at, end)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
