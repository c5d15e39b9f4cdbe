"""Backup and restore on a real replica set: one moment of all databases, and stores as they were."""

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import redirect_stderr
from io import StringIO
from operator import itemgetter
from pathlib import Path
from uuid import uuid4

import bson
import pytest

from bowerbird.authority import Authority
from bowerbird.backups import manifest
from bowerbird.backups import restore as restoring
from bowerbird.backups.files import documents
from bowerbird.cli import app
from bowerbird.registry import NAMES
from deploy.embedded.stack import Stack
from libs.audit.log import AuditLog
from libs.common import mongo
from libs.common.fence import Fence, UnfinishedRestoreError
from libs.common.mongo import Client
from services.issuer.settings import ServiceSettings
from tests.conftest import PORT_OFFSET

pytestmark = pytest.mark.integration
PAIRS = 100
NOTE = "went-back"
"""What a restore adds: word for the notifier that its database was set back."""


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def empty(infrastructure: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A second MongoDB, with nothing in it."""
    with Stack(Path(tmp_path_factory.mktemp("empty")), PORT_OFFSET + 200) as stack:
        stack.start("mongodb")
        yield stack


@pytest.fixture
async def source(infrastructure: Stack) -> AsyncIterator[Client]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    yield client
    for database in NAMES:
        await client[database]["pairs"].drop()
    await mongo.close(client)


async def run(stack: Stack, kafka: Stack, *words: str) -> int:
    """Run a command against these stores; returns its exit status."""
    stores = {"BOWERBIRD_MONGO_URL": stack.mongo_url, "BOWERBIRD_KAFKA_BOOTSTRAP": kafka.kafka_bootstrap}
    with pytest.MonkeyPatch.context() as environment:
        for variable, value in stores.items():
            environment.setenv(variable, value)
        command = functools.partial(app, list(words), exit_on_error=False, result_action="return_value")
        status: int = await asyncio.to_thread(command)
        return status


async def write_pairs(client: Client, enough: asyncio.Event, ended: asyncio.Event) -> None:
    """Store a document in each database in one transaction, again and again."""
    for number in itertools.count():
        if number == PAIRS:
            enough.set()
        if ended.is_set():
            return
        assert await mongo.insert_together(client, [(client[each]["pairs"], [{"_id": number}]) for each in NAMES])


async def test_a_backup_is_one_moment_of_all_databases_and_a_restore_gives_it_back(
    infrastructure: Stack, empty: Stack, source: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Others may have made backups of these stores before, and restored them.
    folder, enough, ended = tmp_path / f"backup-{uuid4().hex}", asyncio.Event(), asyncio.Event()
    writing = asyncio.create_task(write_pairs(source, enough, ended))
    await enough.wait()
    # As a backup that was killed left them.
    await source.admin.command({"setParameter": 1, "minSnapshotHistoryWindowInSeconds": 43200})
    (left := tmp_path / ".backup.incomplete-abcd1234").mkdir()
    assert await run(infrastructure, infrastructure, "backup", str(folder)) == 0
    assert not left.exists()
    ended.set()
    await writing

    subject = f"backup {folder.name}"
    (entry,) = await source["issuer"]["audit"].find({"subject": subject}).to_list(None)
    assert (entry["action"], entry["principal"].partition(":")[0]) == ("databases.backed-up", "operator")
    made = manifest.read(folder)
    audited = next(each for each in made.files if each.name == "issuer.audit")
    assert entry["_id"] in [bson.decode(one)["_id"] for one in documents(folder / audited.path)], "written down first"
    counts = {each.database: each.documents for each in made.files if each.collection == "pairs"}
    assert set(counts) == set(NAMES)
    assert len(set(counts.values())) == 1
    assert counts["issuer"] >= PAIRS
    assert await source["issuer"]["pairs"].count_documents({}) > counts["issuer"]
    assert made.places is not None
    assert "catalogue.v1" in made.places.ends
    kept = await source.admin.command({"getParameter": 1, "minSnapshotHistoryWindowInSeconds": 1})
    assert kept["minSnapshotHistoryWindowInSeconds"] == 300

    assert await run(infrastructure, infrastructure, "backup", str(folder)) == 1
    assert "no backup is written over another" in capsys.readouterr().err
    assert await run(empty, infrastructure, "restore", str(folder)) == 0
    assert "Nothing was done" in capsys.readouterr().out
    await _break_off_between_names(empty, infrastructure, folder)
    assert "restored into this MongoDB" in await _refuse_half_restored(empty, infrastructure, tmp_path / "half")
    assert await run(empty, infrastructure, "restore", str(folder), "--yes") == 0
    assert await run(empty, infrastructure, "restore", str(folder), "--yes") == 1
    assert "not empty" in capsys.readouterr().err

    target = mongo.connect(empty.mongo_url, "test")
    assert await target["notifier"]["fence"].find_one({"_id": NOTE}) is not None
    assert await target["issuer"]["adoption"].find_one_and_delete({"_id": "adoption"}) is not None
    for each in made.files:
        stored = await target[each.database][each.collection].find({"_id": {"$ne": NOTE}}).to_list(None)
        backed_up = [bson.decode(one, source.codec_options) for one in documents(folder / each.path)]
        expected = [one for one in backed_up if one["_id"] != NOTE]
        if each.name == "issuer.audit":
            *stored, restored = sorted(stored, key=itemgetter("_id"))
            assert (restored["action"], restored["subject"]) == ("databases.restored", subject)
            assert restored["reason"] == "a drill"
        assert sorted(stored, key=repr) == sorted(expected, key=repr), each.name
        assert await target[each.database][each.collection].index_information() == (
            await source[each.database][each.collection].index_information()
        ), each.name
    assert (await AuditLog(target["issuer"]).check()).broken_at is None
    await mongo.close(target)


async def test_a_note_that_outlived_its_restore_lets_none_seem_done(
    infrastructure: Stack, empty: Stack, source: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await source["issuer"]["pairs"].insert_one({"_id": "one"})
    folder = tmp_path / "backup"
    assert await run(infrastructure, infrastructure, "backup", str(folder)) == 0
    target = mongo.connect(empty.mongo_url, "test")
    for database in NAMES:
        await target.drop_database(database)
    # As a restore leaves it that was killed before its last step.
    note = target["issuer"][restoring._FILLED]
    await note.insert_one({"_id": manifest.read(folder).digest})
    assert await run(empty, infrastructure, "restore", str(folder), "--yes") == 0
    assert await target["issuer"]["pairs"].find_one({"_id": "one"}) is not None
    assert note.name not in await target["issuer"].list_collection_names()
    await note.insert_one({"_id": manifest.read(folder).digest})
    assert await run(empty, infrastructure, "restore", str(folder), "--yes") == 1
    assert "not empty" in capsys.readouterr().err
    for database in NAMES:
        await target.drop_database(database)
    await mongo.close(target)


async def test_a_damaged_signing_key_is_copied_as_it_is_and_named(
    infrastructure: Stack, source: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, folder = source["issuer"]["signing_keys"], tmp_path / "backup"
    damaged: list[dict[str, object]] = [
        {"_id": "z6MkLost", "issuer_id": "north"},
        {"_id": "z6MkOther", "issuer_id": "south", "kek_id": 7},
    ]
    await keys.insert_many([*damaged, {"_id": "z6MkGood", "issuer_id": "north", "kek_id": "kek-of-test"}])
    try:
        assert await run(infrastructure, infrastructure, "backup", str(folder)) == 0
    finally:
        await keys.delete_many({"_id": {"$in": ["z6MkLost", "z6MkOther", "z6MkGood"]}})
    told = capsys.readouterr().err
    assert "issuer.signing_keys z6MkLost, of issuer north, has no kek_id" in told
    assert "issuer.signing_keys z6MkOther, of issuer south, has no kek_id" in told
    made = manifest.read(folder)
    assert made.sealed_keys["kek-of-test"] == 1
    (file,) = (each for each in made.files if each.name == "issuer.signing_keys")
    copied = [bson.decode(each) for each in documents(folder / file.path)]
    assert all(each in copied for each in damaged)


async def _break_off_between_names(empty: Stack, infrastructure: Stack, folder: Path) -> None:
    """Restore, killed after half of the collections have their names."""
    rename, given = restoring._rename, itertools.count()

    async def killed(client: Client, file: manifest.DocumentsFile) -> None:
        if next(given) == 20:
            raise KilledError
        await rename(client, file)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(restoring, "_rename", killed)
        await run(empty, infrastructure, "restore", str(folder), "--yes", "--reason", "a drill")


async def _refuse_half_restored(empty: Stack, infrastructure: Stack, folder: Path) -> str:
    """Show that neither service nor command begins on these stores, and return what a backup of them says."""
    client = mongo.connect(empty.mongo_url, "test")
    for database in NAMES:
        with pytest.raises(UnfinishedRestoreError, match="run the same `bowerbird restore` again"):
            await Fence(client, client[database]).require_restored()
    # Audits, publishing again and sealing anew begin so.
    with pytest.raises(UnfinishedRestoreError):
        await Authority.of_stores(ServiceSettings.model_construct(), client)
    await mongo.close(client)
    with redirect_stderr(StringIO()) as told:
        assert await run(empty, infrastructure, "backup", str(folder)) == 1
    return told.getvalue()


async def test_nothing_is_restored_where_a_service_runs_or_a_file_is_damaged(
    infrastructure: Stack, empty: Stack, source: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await source["issuer"]["pairs"].insert_one({"_id": "one"})
    folder = tmp_path / "backup"
    assert await run(infrastructure, infrastructure, "backup", str(folder)) == 0
    administrator = mongo.connect(empty.mongo_url, "test")
    for database in NAMES:
        await administrator.drop_database(database)

    (pairs,) = [each for each in manifest.read(folder).files if each.name == "issuer.pairs"]
    (folder / pairs.path).write_bytes(b"something else")
    assert await run(empty, infrastructure, "restore", str(folder), "--yes") == 1
    assert "damaged" in capsys.readouterr().err
    assert not await administrator["issuer"].list_collection_names()
    assert await run(empty, infrastructure, "backup", str(tmp_path / "nothing")) == 1
    assert "There is nothing to back up: this MongoDB is empty." in capsys.readouterr().err
    assert not await administrator["issuer"].list_collection_names(), "an entry would stand in the restore's way"

    service = mongo.connect(empty.mongo_url, "bowerbird-issuer")
    await mongo.ping(service)
    assert await run(empty, infrastructure, "restore", str(folder), "--yes") == 1
    assert "bowerbird-issuer is connected" in capsys.readouterr().err
    await mongo.close(service)
    await mongo.close(administrator)


async def test_a_backup_that_breaks_off_leaves_nothing(
    infrastructure: Stack,
    source: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await source["issuer"]["pairs"].insert_one({"_id": "one"})

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("bowerbird.backups.files.os.fsync", full)
    assert await run(infrastructure, infrastructure, "backup", str(tmp_path / "backup")) == 1
    assert f"No space left on device: the backup could not be written into {tmp_path}" in capsys.readouterr().err
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
