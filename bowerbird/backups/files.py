"""Files of BSON documents: written with their digests, read back document by document; memory stays flat."""

import os
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bowerbird.backups.manifest import BackupError, DocumentsFile

_READ_BYTES: Final = 1024 * 1024
# gzip's header around deflate, in zlib's numbering.
_GZIP: Final = 31
# A backup is written against the clock and read seldom: the quickest level.
_LEVEL: Final = 1
_LENGTH_BYTES: Final = 4
_SMALLEST: Final = 5
_LARGEST: Final = 16 * 1024 * 1024 + 16 * 1024


class DocumentsWriter:
    """Writes documents into a new file, private to this user, and on to the disk before it is closed."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._digest = sha256()
        self.documents = 0
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self._put(self._squeeze.flush())
                self._file.flush()
                os.fsync(self._file.fileno())

    def write(self, documents: bytes) -> None:
        """Append whole BSON documents, one behind the other."""
        self.documents += _count(documents)
        self._put(self._squeeze.compress(documents))

    @property
    def sha256(self) -> str:
        """The digest of the file, once it is closed."""
        return self._digest.hexdigest()

    def _put(self, squeezed: bytes) -> None:
        self._digest.update(squeezed)
        self.bytes += len(squeezed)
        self._file.write(squeezed)


def _count(documents: bytes) -> int:
    count, place = 0, 0
    while place < len(documents):
        place += int.from_bytes(documents[place : place + _LENGTH_BYTES], "little")
        count += 1
    return count


def require_intact(folder: Path, expected: DocumentsFile) -> None:
    """Return if the file is, byte for byte, the one that was written.

    Raises:
        BackupError: it is missing, or another one.
    """
    path = folder / expected.path
    digest = sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
    except OSError as error:
        raise BackupError(f"The backup is not whole: {path} cannot be read ({error.strerror}).") from error
    if digest.hexdigest() != expected.sha256:
        raise BackupError(f"The backup is damaged: {path} has another SHA-256 than its manifest says.")


def documents(path: Path) -> Iterator[bytes]:
    """Yield the BSON documents of a file.

    Raises:
        BackupError: it does not end with a whole document, or is none of ours.
    """
    unsqueeze = zlib.decompressobj(_GZIP)
    rest = bytearray()
    try:
        with path.open("rb") as file:
            while piece := file.read(_READ_BYTES):
                while piece:
                    rest += unsqueeze.decompress(piece, _READ_BYTES)
                    piece = unsqueeze.unconsumed_tail
                    yield from _whole(rest)
        rest += unsqueeze.flush()
    except zlib.error as error:
        raise BackupError(f"{path} cannot be unpacked.") from error
    yield from _whole(rest)
    if rest or not unsqueeze.eof:
        raise BackupError(f"{path} ends in the middle of a document.")


def _whole(rest: bytearray) -> Iterator[bytes]:
    """Take whole documents off the front."""
    place = 0
    while len(rest) - place >= _LENGTH_BYTES:
        length = int.from_bytes(rest[place : place + _LENGTH_BYTES], "little")
        if not _SMALLEST <= length <= _LARGEST:
            raise BackupError(f"A document of {length} bytes cannot be one of MongoDB's.")
        if len(rest) - place < length:
            break
        yield bytes(rest[place : place + length])
        place += length
    del rest[:place]
