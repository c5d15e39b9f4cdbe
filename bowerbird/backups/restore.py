"""Restoring a backup into empty stores: looked at first, then done; what breaks off is begun again or goes on."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bson.raw_bson import RawBSONDocument

from bowerbird.backups.files import documents, require_intact
from bowerbird.backups.manifest import BackupError, DocumentsFile, Manifest
from bowerbird.backups.snapshot import RESTORING, collections_with_documents
from bowerbird.operator_log import operators_log
from bowerbird.registry import NAMES
from bowerbird.setup import indexes_of
from libs.audit.entry import Entry
from libs.common import mongo
from libs.common.fence import Fence
from libs.common.mongo import Client
from libs.contracts.rights import AUDIT
from services.issuer.recovery.adoption import leave_note

AT_ONCE: Final = 1000
AT_ONCE_BYTES: Final = 4 * 1024 * 1024
"""How much is held at once: so many documents, and so many bytes of them."""
_LOGGED: Final = "issuer"
_FENCE: Final = "fence"
# Where it stands that every collection is filled, and of which backup; in that database too.
_FILLED: Final = f"{RESTORING}filled"

Tell = Callable[[str, int], None]
"""Told the collection that is being restored, and how many documents of it are."""


@dataclass(frozen=True)
class Target:
    """The MongoDB that a backup is to be restored into, as it is now.

    Attributes:
        version: of the server.
        filled: collections with documents, DATABASE.COLLECTION.
        connected: services of ours that are connected to it.
        begun: the digest of the manifest of a backup whose restoring broke off after all of it was written.
    """

    version: str
    filled: Sequence[str]
    connected: Sequence[str]
    begun: str | None = None


async def look_at(client: Client) -> Target:
    """Return what is there.

    Raises:
        PyMongoError: MongoDB does not answer, or does not show this user who else is connected.
    """
    filled = await collections_with_documents(client, NAMES)
    services = [f"bowerbird-{name}" for name in NAMES]
    looking: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleConnections": True}},
        {"$match": {"appName": {"$in": services}}},
        {"$group": {"_id": "$appName"}},
    ]
    connected = sorted([each["_id"] async for each in mongo.aggregate(client.admin, looking)])
    version = str((await client.server_info())["version"])
    return Target(version, filled, connected, await _begun(client))


def require_free(target: Target, backup: Manifest) -> None:
    """Return if nothing is there that restoring this backup would harm.

    Raises:
        BackupError: something is; the text names it.
    """
    if target.connected:
        raise BackupError(
            f"{', '.join(target.connected)} is connected to this MongoDB. Stop every service first, so that none "
            "decides by half of the stores."
        )
    if target.begun is not None and target.begun != backup.digest:
        raise BackupError(
            f"Restoring the backup with the manifest {target.begun} broke off near its end. Restore that one again, "
            "or begin with an empty MongoDB."
        )
    if target.filled and target.begun is None:
        raise BackupError(
            f"The stores are not empty: {', '.join(target.filled[:3])}{' …' * (len(target.filled) > 3)}. "
            "A backup is restored into empty stores alone; set the old ones aside first."
        )


async def require_whole(folder: Path, backup: Manifest, tell: Tell) -> None:
    """Read every file of the backup, and return if each is the one that was written.

    Raises:
        BackupError: one is missing or damaged.
    """
    for each in backup.files:
        await asyncio.to_thread(require_intact, folder, each)
        tell(each.name, each.documents)


async def restore(client: Client, folder: Path, backup: Manifest, tell: Tell, entry: Entry) -> None:
    """Write a backup that was found whole into stores that were found free.

    1. Keep services and backups away from these databases.         Broken off: they stay away until all is done.
    2. Fill each collection under another name, with its indexes.   Broken off: the stores are empty; all of it again.
    3. Note that all are filled, and of which backup.               Broken off: on with 4.
    4. Give each its own name.                                      Broken off: some have it; on with the others.
    5. Leave word for the services that they went back.             Broken off: left again.
    6. Let services and backups come, then take the note of step 3 away.    Broken off between: the note says nothing
       any more, since nothing keeps services away.

    Args:
        client: of one who may write every database.
        folder: where the backup is.
        backup: its manifest.
        tell: is told the progress.
        entry: says in the issuer service's audit log that this is done; it stands there before any of it is to be seen.

    Raises:
        BackupError: a file does not hold what its manifest says.
        PyMongoError: MongoDB does not answer.
    """
    filled, fences = client[_LOGGED][_FILLED], _fences(client)
    if await _begun(client) is None:
        await filled.drop()
    for fence in fences:
        await fence.begin_restoring()  # 1
    if await filled.find_one({"_id": backup.digest}) is None:
        await _fill_all(client, folder, backup, tell, entry)  # 2
        await filled.insert_one({"_id": backup.digest})  # 3
    for database in NAMES:
        left = set(await client[database].list_collection_names())
        for each in backup.files:
            if each.database == database and RESTORING + each.collection in left:
                await _rename(client, each)  # 4
    for database in ("notifier", "verifier"):
        await Fence(client, client[database]).note()  # 5
    await leave_note(client["issuer"]["adoption"], datetime.now(UTC))
    for fence in fences:
        await fence.end_restoring()  # 6
    await filled.drop()


def _fences(client: Client) -> list[Fence]:
    return [Fence(client, client[database]) for database in NAMES]


async def _begun(client: Client) -> str | None:
    """Return the digest of the manifest of a backup that was written in full, and whose restoring is not done."""
    note = await client[_LOGGED][_FILLED].find_one({})
    if note is None or not any([await each.is_restoring() for each in _fences(client)]):
        return None
    return str(note["_id"])


async def _fill_all(client: Client, folder: Path, backup: Manifest, tell: Tell, entry: Entry) -> None:
    for database in NAMES:
        for name in await client[database].list_collection_names():
            if name.startswith(RESTORING):
                await client[database].drop_collection(name)
    for each in backup.files:
        await _fill(client, folder, each, tell)
        if each.collection == _FENCE:  # it takes the place of the one that keeps services away
            restored = client[each.database][RESTORING + _FENCE]
            await Fence(client, client[each.database], restoring=restored).begin_restoring()
    for database in NAMES:
        made = {each.collection for each in backup.files if each.database == database}
        indexes = [
            replace(each, collection=RESTORING + each.collection) if each.collection in made else each
            for each in indexes_of(database)
        ]
        await mongo.create_indexes(client[database], indexes)
    is_in_backup = any(each.name == f"{_LOGGED}.{AUDIT}" for each in backup.files)
    restoring = client[_LOGGED][RESTORING + AUDIT] if is_in_backup else None
    await operators_log(client[_LOGGED], restoring).record(entry)


async def _rename(client: Client, file: DocumentsFile) -> None:
    await client.admin.command(
        {
            "renameCollection": f"{file.database}.{RESTORING}{file.collection}",
            "to": f"{file.database}.{file.collection}",
            "dropTarget": True,
        }
    )


async def _fill(client: Client, folder: Path, file: DocumentsFile, tell: Tell) -> None:
    name = RESTORING + file.collection
    await client[file.database].create_collection(name)
    stored = 0
    for batch in batches(documents(folder / file.path)):
        # As they were read: not a byte of a document is looked at.
        await client[file.database][name].insert_many(map(RawBSONDocument, batch), ordered=False)
        stored += len(batch)
        tell(file.name, stored)
    tell(file.name, stored)
    if stored != file.documents:
        raise BackupError(f"{file.path} holds {stored} documents, and its manifest says {file.documents}.")


def batches(every: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield documents some at a time, within what may be held at once; a larger one alone."""
    batch: list[bytes] = []
    size = 0
    for each in every:
        if batch and (len(batch) == AT_ONCE or size + len(each) > AT_ONCE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += len(each)
    if batch:
        yield batch
