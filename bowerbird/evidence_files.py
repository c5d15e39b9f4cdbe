"""A file of evidence on this machine: what form it has, by its first bytes, and that of its failed rows beside it."""

import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.evidence.sources.forms import CSV, NDJSON, XLSX, ZIP

PIECE_BYTES: Final = 256 * 1024
_START: Final = 4096
_GZIP: Final = b"\x1f\x8b"
_ARCHIVE: Final = b"PK\x03\x04"
_WORKBOOK_PARTS: Final = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/")
_BOM: Final = b"\xef\xbb\xbf"


class FileError(Exception):
    """A file cannot be read or written; the text says which and why."""


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file to send.

    Attributes:
        path: where it is.
        size: its bytes.
        media_type: its form.
        gzipped: it is compressed, and sent so.
        digest: SHA-256 of its bytes, hexadecimal.
    """

    path: Path
    size: int
    media_type: str
    gzipped: bool
    digest: str

    def pieces(self) -> Iterator[bytes]:
        """Yield its bytes.

        Raises:
            FileError: it cannot be read any more.
        """
        with _told(self.path), self.path.open("rb") as file:
            yield from iter(lambda: file.read(PIECE_BYTES), b"")


def opened(path: Path) -> EvidenceFile:
    """Return what a file is.

    Raises:
        FileError: it cannot be read, or is empty.
    """
    digest, size = hashlib.sha256(), 0
    with _told(path), path.open("rb") as file:
        start = file.read(_START)
        file.seek(0)
        for piece in iter(lambda: file.read(PIECE_BYTES), b""):
            digest.update(piece)
            size += len(piece)
    if not size:
        raise FileError(f"the file {path} is empty")
    gzipped = start.startswith(_GZIP)
    return EvidenceFile(path, size, _media_type(_plain(start) if gzipped else start), gzipped, digest.hexdigest())


def write_beside(path: Path, content: bytes) -> Path:
    """Write the failed rows of a file into a new one beside it, for its owner alone, and return which.

    One that is there already is left as it is: somebody may have begun to correct it.

    Raises:
        FileError: it cannot be written.
    """
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    stem = stem.partition(".failed")[0]
    for number in range(1, 1_000):
        beside = path.with_name(f"{stem}.failed{'' if number == 1 else f'-{number}'}.csv")
        with _told(beside):
            with suppress(FileExistsError):
                made = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                with os.fdopen(made, "wb") as file:
                    file.write(content)
                return beside
            if beside.read_bytes() == content:
                return beside
    raise FileError(f"there are very many files named {stem}.failed already: take some away")


def _plain(start: bytes) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(start, _START)
    return b""


def _media_type(start: bytes) -> str:
    if start.startswith(_ARCHIVE):
        return XLSX if any(part in start for part in _WORKBOOK_PARTS) else ZIP
    return NDJSON if start.removeprefix(_BOM).lstrip().startswith((b"{", b"[")) else CSV


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(f"the file {path}: {error.strerror or type(error).__name__}") from None
