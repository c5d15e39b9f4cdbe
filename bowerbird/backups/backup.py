"""Making a backup: every collection to one moment, streamed into files; all of it appears at the end, or nothing."""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import bson
from bson.errors import BSONError

from bowerbird import __version__
from bowerbird.backups import manifest
from bowerbird.backups.files import DocumentsWriter, documents
from bowerbird.backups.manifest import BackupError, DocumentsFile, Manifest, Places
from bowerbird.backups.snapshot import Snapshot, collections_with_documents, snapshot
from bowerbird.registry import NAMES
from libs.common.clock import now
from libs.common.fence import Fence, UnfinishedRestoreError
from libs.common.mongo import Client
from libs.contracts.rights import AUDIT

KEYS: Final = "keys"
"""The folder of what is secret: signing keys, sealed under a key-encryption key that no backup holds."""

_DATABASES: Final = "databases"
_SECRET: Final = frozenset({("issuer", "signing_keys")})
_AUTHORITY: Final = "authority"
_INCOMPLETE: Final = ".incomplete-"

Tell = Callable[[str, int], None]
"""Told the collection that is being written, and how many documents of it are."""
Unknown = Callable[[str], None]
"""Told what could not be looked at, as a sentence."""


async def make(
    client: Client, folder: Path, places: Places, *, longest_seconds: int, tell: Tell, unknown: Unknown
) -> Manifest:
    """Write a backup into `folder`, which must not be there yet, and return its manifest.

    Args:
        client: of one who may read every database.
        folder: where the backup is to stand.
        places: as Kafka gave them just before.
        longest_seconds: for so long MongoDB keeps the moment readable.
        tell: is told the progress.
        unknown: is told of each signing key that is copied as it is, and does not say what it is sealed under.

    Raises:
        BackupError: `folder` is there, another backup is written beside it, the files cannot be written, or the
            moment could not be read to its end.
        PyMongoError: MongoDB does not answer.
    """
    with _told_where(folder.parent), _appearing_whole(folder) as growing:
        begun = now()
        async with snapshot(client, NAMES, longest_seconds) as at_once:
            files = [await _write(at_once, growing, *each, tell) for each in at_once.collections]
        kek_ids = _texts(growing, files, *min(_SECRET), "kek_id", unknown=unknown)
        secret_ids = [
            each
            for name in NAMES
            for each in _texts(growing, files, name, _AUTHORITY, "secret_id", unknown=lambda _: None)
        ]
        made = Manifest(
            bowerbird=__version__,
            mongodb=str((await client.server_info())["version"]),
            created_at=begun,
            moment=at_once.moment,
            places=places,
            sealed_keys=dict(Counter(kek_ids)),
            secret_ids=tuple(sorted(set(secret_ids))),
            files=tuple(files),
        )
        _store(growing / manifest.NAME, made.text())
    return made


async def _write(at_once: Snapshot, folder: Path, database: str, collection: str, tell: Tell) -> DocumentsFile:
    below = KEYS if (database, collection) in _SECRET else _DATABASES
    path = f"{below}/{database}.{collection}.bson.gz"
    with DocumentsWriter(folder / path) as writer:
        async for batch in at_once.read(database, collection):
            # Compressing lets go of the interpreter, and the next batch is on its way meanwhile.
            await asyncio.to_thread(writer.write, batch)
            tell(f"{database}.{collection}", writer.documents)
    tell(f"{database}.{collection}", writer.documents)
    return DocumentsFile(
        path=path,
        database=database,
        collection=collection,
        documents=writer.documents,
        bytes=writer.bytes,
        sha256=writer.sha256,
    )


def _texts(
    folder: Path, files: Sequence[DocumentsFile], database: str, collection: str, field: str, *, unknown: Unknown
) -> list[str]:
    """Return this field of every document of a collection, of those where it is a text."""
    texts = []
    for file in files:
        if (file.database, file.collection) == (database, collection):
            for number, each in enumerate(documents(folder / file.path), start=1):
                found = _decoded(each)
                if isinstance(found.get(field), str):
                    texts.append(found[field])
                else:
                    name = found.get("_id", f"number {number}")
                    whose = found.get("issuer_id", "unknown")
                    unknown(f"{database}.{collection} {name}, of issuer {whose}, has no {field} that can be read")
    return texts


def _decoded(document: bytes) -> dict[str, Any]:
    """Return a document; nothing of one with a value that cannot be decoded, which is copied all the same."""
    try:
        return bson.decode(document)
    except BSONError:
        return {}


async def require_whole_stores(client: Client) -> None:
    """Return where there is something to back up, and all of it is there.

    Raises:
        BackupError: nothing is there, as after the loss of MongoDB, or a restore is not done.
        PyMongoError: MongoDB does not answer.
    """
    for name in NAMES:
        try:
            await Fence(client, client[name]).require_restored()
        except UnfinishedRestoreError as error:
            raise BackupError(f"Nothing was backed up: {error}.") from error
    if not set(await collections_with_documents(client, NAMES)) - {f"issuer.{AUDIT}"}:
        raise BackupError(
            "There is nothing to back up: this MongoDB is empty. If it was lost, restore the newest backup that is "
            "whole; if it is new, start the services first."
        )


def require_new(folder: Path) -> None:
    """Raise BackupError where `folder` is there already."""
    if folder.exists():
        raise BackupError(f"{folder} is there already, and no backup is written over another. Name a new directory.")


@contextmanager
def _told_where(parent: Path) -> Iterator[None]:
    """Raise BackupError, which says where and what to do, for a disk that is full or not to be written to."""
    try:
        yield
    except OSError as error:
        raise BackupError(
            f"{error.strerror or error}: the backup could not be written into {parent}, and nothing of it was left "
            "there. Make room, or name a directory elsewhere."
        ) from error


@contextmanager
def _appearing_whole(folder: Path) -> Iterator[Path]:
    """Give a directory beside `folder` that takes its name once all that was written into it is on the disk."""
    require_new(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder.parent):
        growing = Path(tempfile.mkdtemp(prefix=f".{folder.name}{_INCOMPLETE}", dir=folder.parent))
        try:
            for below in (_DATABASES, KEYS):
                (growing / below).mkdir(mode=0o700)
            yield growing
            for directory in (growing / _DATABASES, growing / KEYS, growing):
                _sync(directory)
            growing.rename(folder)
            _sync(folder.parent)
        except BaseException:
            shutil.rmtree(growing, ignore_errors=True)
            raise


@contextmanager
def _alone_in(parent: Path) -> Iterator[None]:
    """Let no other backup grow in this directory meanwhile, and delete what one that was killed left there."""
    handle = os.open(parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"Another backup is being written into {parent}. Wait until it is done.") from error
        except OSError:
            pass  # a file system without locks: what lies there may be growing
        else:
            for left in parent.glob(f".*{_INCOMPLETE}????????"):
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(handle)


def _store(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        path.chmod(0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
