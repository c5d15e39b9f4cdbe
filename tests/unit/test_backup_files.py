"""Files of a backup: what was written is read back, and what is not whole is never taken for it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import bson
import pytest

from bowerbird.backups import manifest
from bowerbird.backups.files import DocumentsWriter, documents, require_intact
from bowerbird.backups.manifest import BackupError, DocumentsFile, Manifest, Moment, Places
from bowerbird.backups.places import erasures_ended_since, lost_since

DOCUMENTS = [bson.encode({"_id": number, "text": "x" * (number * 37 % 5000)}) for number in range(1500)]


def written(folder: Path) -> DocumentsFile:
    with DocumentsWriter(folder / "a.bson.gz") as writer:
        writer.write(b"".join(DOCUMENTS[:700]))
        writer.write(b"")
        writer.write(b"".join(DOCUMENTS[700:]))
    return DocumentsFile(
        path="a.bson.gz",
        database="issuer",
        collection="a",
        documents=writer.documents,
        bytes=writer.bytes,
        sha256=writer.sha256,
    )


def test_documents_are_read_back_as_they_were_written_in_their_order(tmp_path: Path) -> None:
    file = written(tmp_path)
    assert list(documents(tmp_path / file.path)) == DOCUMENTS
    assert file.documents == len(DOCUMENTS)
    assert file.bytes == (tmp_path / file.path).stat().st_size
    require_intact(tmp_path, file)


def test_files_are_private_and_never_written_over(tmp_path: Path) -> None:
    file = written(tmp_path)
    assert (tmp_path / file.path).stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        DocumentsWriter(tmp_path / file.path)


@pytest.mark.parametrize("place", [0, 1, -1], ids=["first", "second", "last"])
def test_a_file_with_one_byte_changed_is_damaged(tmp_path: Path, place: int) -> None:
    file = written(tmp_path)
    content = bytearray((tmp_path / file.path).read_bytes())
    content[place] ^= 1
    (tmp_path / file.path).write_bytes(content)
    with pytest.raises(BackupError, match="damaged"):
        require_intact(tmp_path, file)


def test_a_file_that_ends_early_or_is_missing_is_not_whole(tmp_path: Path) -> None:
    file = written(tmp_path)
    content = (tmp_path / file.path).read_bytes()
    (tmp_path / file.path).write_bytes(content[:-100])
    with pytest.raises(BackupError, match="ends in the middle"):
        list(documents(tmp_path / file.path))
    (tmp_path / file.path).unlink()
    with pytest.raises(BackupError, match="not whole"):
        require_intact(tmp_path, file)


def test_bytes_that_are_no_documents_are_told_so(tmp_path: Path) -> None:
    with DocumentsWriter(tmp_path / "b") as writer:
        writer.write(DOCUMENTS[1])
    (tmp_path / "c").write_bytes(b"no gzip")
    with pytest.raises(BackupError, match="unpacked"):
        list(documents(tmp_path / "c"))


NOTED = Places(
    ends={"evidence.decided.v1": {0: 50, 1: 40}, "catalogue.v1": {0: 7}},
    groups={"evidence-decisions": {"evidence.decided.v1": {0: 45, 1: 40}}},
    topic_ids={"evidence.decided.v1": "first", "catalogue.v1": "other"},
)


def test_a_manifest_is_read_as_it_was_written_and_its_digest_stands_for_all_of_it(tmp_path: Path) -> None:
    made = Manifest(
        bowerbird="0.1.0",
        mongodb="6.0.1",
        created_at=datetime(2026, 11, 28, 10, tzinfo=UTC),
        moment=Moment(seconds=1_795_860_000, increment=3),
        places=NOTED,
        sealed_keys={"k1": 2},
        secret_ids=("ab",),
        files=(written(tmp_path),),
    )
    (tmp_path / manifest.NAME).write_bytes(made.text())
    found = manifest.read(tmp_path)
    assert found == made
    assert found.digest == made.digest
    changed = made.model_copy(update={"files": (made.files[0].model_copy(update={"sha256": "0" * 64}),)})
    assert changed.digest != made.digest


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b'{"format": 2}'])
def test_a_directory_without_a_manifest_of_ours_is_no_backup(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / manifest.NAME).write_bytes(content)
    with pytest.raises(BackupError, match=r"no (backup|manifest)"):
        manifest.read(tmp_path)


def test_what_a_replay_cannot_bring_back_is_told_before_anything_is_done() -> None:
    whole = {"evidence.decided.v1": {0: 60, 1: 41}, "catalogue.v1": {0: 9}}
    nothing_gone = {"evidence.decided.v1": {0: 45, 1: 3}, "catalogue.v1": {0: 8}}
    assert not lost_since(NOTED, nothing_gone, whole, NOTED.topic_ids, with_ledger=True)
    ended = {"evidence.decided.v1": {0: 48, 1: 42}, "catalogue.v1": {0: 8}}
    assert lost_since(NOTED, ended, whole, {}, with_ledger=True) == [
        "evidence.decided.v1: 5 records that evidence-decisions has to read again have ended their life"
    ]
    gone = "what stood on it is gone, and so is what followed from it in the stores since this backup"
    anew = lost_since(NOTED, {}, {"evidence.decided.v1": {0: 0, 1: 0}}, {}, with_ledger=True)
    assert anew == [
        f"evidence.decided.v1 was made anew since: {gone}",
        "catalogue.v1 is not there: `bowerbird setup` makes it, `bowerbird republish` fills it",
    ]
    grown = lost_since(NOTED, nothing_gone, whole, NOTED.topic_ids | {"catalogue.v1": "second"}, with_ledger=True)
    assert grown == [
        "catalogue.v1 was made anew since: `bowerbird republish` fills it from the stores as they were then"
    ]
    clock = Places(ends={"broker.clock.v1": {0: 7}}, groups={}, topic_ids={"broker.clock.v1": "first"})
    assert not lost_since(clock, {}, {"broker.clock.v1": {0: 0}}, {"broker.clock.v1": "second"}, with_ledger=True)
    contacts = Places(ends={"learner.contacts.v1": {0: 7}}, groups={}, topic_ids={"learner.contacts.v1": "first"})
    ends, ids = {"learner.contacts.v1": {0: 9}}, {"learner.contacts.v1": "second"}
    (told,) = lost_since(contacts, {}, ends, ids, with_ledger=False)
    assert told.endswith("erase again whoever was erased since this backup")
    (told,) = lost_since(contacts, {}, ends, ids, with_ledger=True)
    assert told.endswith("`bowerbird republish` fills it from the stores as they were then")


def test_of_a_backup_that_erasures_do_not_outlive_it_is_said_that_they_are_to_be_repeated() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    assert not erasures_ended_since(now - timedelta(days=399), now)
    (line,) = erasures_ended_since(now - timedelta(days=400), now)
    assert "erase again" in line
