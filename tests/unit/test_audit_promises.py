"""What an audit makes of topics against stores, of a mailbox, and what it prints and measures of what it finds."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import pytest
from cyclopts import CycloptsError

from bowerbird.auditing import command, metrics
from bowerbird.auditing.command import Found
from bowerbird.auditing.difference import CHECKS, Difference
from bowerbird.auditing.mailbox import mails_in
from bowerbird.auditing.topics import ENDED, ERASED, Last, TopicIndex, difference_of, left_over
from bowerbird.backups import manifest
from bowerbird.cli import app
from libs.common.fence import UnfinishedRestoreError
from libs.contracts.events import CredentialDocument, Event, LearnerContact, LearnerContactEnded, LearnerErased

AT = datetime(2026, 11, 28, 10, tzinfo=UTC)
LEARNER = UUID("00000000-0000-8000-8000-000000000001")
TOPIC = "learner.contacts.v1"


def contact(email: str = "ana@school.example", name: str | None = None, at: datetime = AT) -> LearnerContact:
    return LearnerContact(learner_id=LEARNER, issuer_id="north", name=name, email=email, changed_at=at)


def document(state: str = "active", text: str | None = "{}") -> CredentialDocument:
    return CredentialDocument.model_validate(
        {"credential_id": LEARNER, "issuer_id": "north", "state": state, "document": text, "changed_at": AT}
    )


def test_the_last_record_of_a_key_is_the_one_that_is_compared() -> None:
    with TopicIndex() as index, TopicIndex() as other:
        index.note(TOPIC, [(str(LEARNER), contact("old@school.example")), (str(LEARNER), contact())])
        other.note(TOPIC, [(str(LEARNER), contact())])
        assert index.take(contact()) == other.take(contact())
        assert index.take(contact()) is None


@pytest.mark.parametrize("together", [True, False])
def test_a_tombstone_takes_away_what_came_before_it_and_nothing_that_comes_after(together: bool) -> None:
    records = [(str(LEARNER), contact()), (str(LEARNER), None)]
    with TopicIndex() as index:
        for some in [records] if together else [[each] for each in records]:
            index.note(TOPIC, some)
        assert list(index.left(AT + timedelta(days=1))) == []
        index.note(TOPIC, [*records, (str(LEARNER), contact())])
        assert [name for name, _ in index.left(AT + timedelta(days=1))] == [f"{TOPIC} {LEARNER}"]
        assert list(index.left(AT)) == []


def erased(at: datetime = AT) -> LearnerErased:
    return LearnerErased(learner_id=LEARNER, erased_at=at)


BEFORE, AFTER = AT - timedelta(hours=1), AT + timedelta(hours=1)


@pytest.mark.parametrize(
    ("stored", "last", "check", "repair"),
    [
        (erased(), None, "topics_lack", erased()),
        (erased(), erased(BEFORE), None, None),
        (erased(), contact(at=BEFORE), "topics_lack", erased()),
        (erased(), contact(at=AFTER), "topics_exceed", None),
        (erased(), LearnerContactEnded(learner_id=LEARNER, issuer_id="north", before=AT, ended_at=AFTER), None, None),
        (contact(), None, "topics_lack", contact()),
        (contact(), contact(at=AFTER), None, None),
        (contact(), erased(BEFORE), "topics_lack", contact()),
        (contact(), erased(AFTER), "topics_exceed", erased(AFTER)),
    ],
)
def test_of_an_erasure_and_a_contact_the_later_one_is_right_and_no_repair_undoes_an_erasure(
    stored: Event, last: Event | None, check: str | None, repair: Event | None
) -> None:
    with TopicIndex() as index:
        index.note(TOPIC, [] if last is None else [(str(LEARNER), last)])
        found = difference_of(stored, "its", index.take(stored), settled=AT + timedelta(days=1))
    assert (None if found is None else found.check) == check
    assert [event for _, event in found.repair] == ([] if repair is None else [repair]) if found else repair is None


def test_an_erasure_that_is_on_its_way_or_whose_tombstone_ended_its_life_is_no_difference() -> None:
    on_its_way = Last(ERASED, AT.timestamp())
    assert difference_of(contact(at=BEFORE), "evidence", on_its_way, settled=AT - timedelta(minutes=1)) is None
    assert difference_of(erased(), "notifier", None, settled=AT) is None
    ended = AT + timedelta(days=400, seconds=1)
    assert difference_of(erased(), "notifier", None, settled=ended) is None
    assert difference_of(erased(), "notifier", None, settled=ended - timedelta(seconds=2)) is not None


def test_an_erasure_that_the_ledger_lacks_is_entered_by_repairing_and_the_end_of_a_life_is_none() -> None:
    with TopicIndex() as index:
        index.note(TOPIC, [(str(LEARNER), erased())])
        ((name, last),) = index.left(AFTER)
        assert (name, last) == (f"{TOPIC} {LEARNER}", Last(ERASED, AT.timestamp()))
        assert left_over(name, last) == Difference("topics_exceed", name, (("notifier", erased()),))
    assert left_over(name, Last(ENDED, AT.timestamp())) is None
    assert left_over(name, Last(b"", AT.timestamp())) == Difference("topics_exceed", name)


def test_one_key_on_two_topics_is_two() -> None:
    with TopicIndex() as index:
        index.note(TOPIC, [(str(LEARNER), contact())])
        assert index.take(document()) is None
        assert index.take(contact()) is not None


def test_what_must_be_the_same_is_compared_and_a_name_without_an_address_is_not() -> None:
    with TopicIndex() as index:
        index.note("credential.documents.v1", [(str(LEARNER), document())])
        index.note(TOPIC, [(str(LEARNER), contact(name="Ana"))])
        said, _ = index.take(document("revoked")) or (b"", 0.0)
        index.note("credential.documents.v1", [(str(LEARNER), document("revoked"))])
        revoked, _ = index.take(document("revoked")) or (b"", 0.0)
        assert said != revoked
        named, _ = index.take(contact()) or (b"", 0.0)
        index.note(TOPIC, [(str(LEARNER), contact())])
        assert index.take(contact()) == (named, AT.timestamp())


def test_a_mailbox_is_counted_by_delivery_whatever_repeats_are_called(tmp_path: Path) -> None:
    for name in ("a@host.eml", "a@host.repeat-1.eml", "b@host.eml", ".c@host.part"):
        (tmp_path / name).touch()
    assert mails_in(tmp_path) == {"a": 2, "b": 1}


def test_what_differs_is_printed_by_check_with_some_examples_and_counted_for_programs() -> None:
    found = Found()
    assert command._lines(found) == [f"0 differences in {len(CHECKS)} checks"]
    for number in range(30):
        found.note(Difference("badges_differ", f"c-{number}"))
    found.repaired = 30
    lines = command._lines(found)
    assert lines[0] == f"badges_differ: 30 {CHECKS['badges_differ']}"
    assert len(lines) == 1 + 20 + 1
    answer = orjson.loads(command._json(found))
    assert answer["differences"] == {**dict.fromkeys(CHECKS, 0), "badges_differ": 30}
    assert not found.is_right
    assert not any("restore.md" in each for each in lines)
    found.note(Difference("documents_unreadable", "issuer.decisions 7f: DamagedFieldError: credential_id"))
    assert "docs/runbooks/restore.md" in command._lines(found)[-1]


def write_backup(folder: Path, *, at: datetime, text: str | None = None) -> None:
    folder.mkdir()
    made = manifest.Manifest(
        bowerbird="1",
        mongodb="7",
        created_at=at,
        moment=manifest.Moment(seconds=int(at.timestamp()), increment=1),
        places=None,
        sealed_keys={},
        secret_ids=(),
        files=(),
    )
    (folder / manifest.NAME).write_bytes(made.text() if text is None else text.encode())
    os.utime(folder, (at.timestamp(), at.timestamp()))


def test_a_backup_that_cannot_be_restored_is_a_difference(tmp_path: Path) -> None:
    assert command._newest_backup(tmp_path) == (f"there is none in {tmp_path}", [])
    write_backup(tmp_path / "b", at=AT, text="{}")
    matter, older = command._newest_backup(tmp_path)
    assert "no manifest" in str(matter)
    assert not older
    assert not Found(backup="damaged").is_right


@pytest.mark.parametrize("text", ["{}", "", "[1", '{"moment": {"seconds": 100000000000000000000, "increment": 1}}'])
def test_an_older_manifest_that_cannot_be_read_does_not_hide_the_newest_backup(tmp_path: Path, text: str) -> None:
    write_backup(tmp_path / "whole", at=AT)
    for name, days in (("a", 1), ("z", 2)):
        write_backup(tmp_path / name, at=AT - timedelta(days=days), text=text)
    metrics.BACKUP_NEWEST.set(0)
    metrics.BACKUP_VERIFIED.set(0)
    write_backup(tmp_path / ".growing.incomplete-1", at=AT + timedelta(days=1), text="{}")
    matter, older = command._newest_backup(tmp_path)
    assert matter is None
    assert [str(tmp_path / name) in each for name, each in zip("za", older, strict=True)] == [True, True]
    assert metrics.BACKUP_NEWEST._value.get() == AT.timestamp()
    assert metrics.BACKUP_VERIFIED._value.get() > 0
    found = Found(unread=older)
    assert found.is_right
    assert command._lines(found)[:-1] == [f"older backup: {each}" for each in older]
    assert orjson.loads(command._json(found))["unread_backups"] == older


def test_a_newest_backup_whose_manifest_cannot_be_read_is_a_difference_beside_an_older_whole_one(
    tmp_path: Path,
) -> None:
    write_backup(tmp_path / "whole", at=AT)
    write_backup(tmp_path / "newer", at=AT + timedelta(days=1), text="{}")
    metrics.BACKUP_NEWEST.set(0)
    metrics.BACKUP_VERIFIED.set(0)
    matter, older = command._newest_backup(tmp_path)
    assert str(tmp_path / "newer") in str(matter)
    assert not older
    assert metrics.BACKUP_NEWEST._value.get() == AT.timestamp()
    assert metrics.BACKUP_VERIFIED._value.get() == 0


def test_a_manifest_whose_moment_is_none_of_mongodbs_clock_is_no_manifest(tmp_path: Path) -> None:
    write_backup(tmp_path / "b", at=AT)
    path = tmp_path / "b" / manifest.NAME
    made = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps({**made, "moment": {"seconds": 10**18, "increment": 1}}))
    with pytest.raises(manifest.BackupError, match="no manifest"):
        manifest.read(tmp_path / "b")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UnfinishedRestoreError("run the same restore again"), "run the same restore again"),
        (KeyError("kek_id"), "kek_id"),
    ],
)
def test_whatever_an_audit_meets_it_says_so_in_a_sentence_and_the_next_one_comes(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run() -> Found:
        raise error

    audit: Any = SimpleNamespace(run=run)
    assert command._once(audit, as_json=False) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Kafka" not in told


@pytest.mark.parametrize("words", [["--mailbox", "/nonexistent"], ["--grace", "-5"], ["--every", "0"]])
def test_what_cannot_be_looked_at_is_no_audit_without_differences(words: list[str]) -> None:
    with pytest.raises(CycloptsError):
        app(["audit", "promises", *words], exit_on_error=False, print_error=False)
