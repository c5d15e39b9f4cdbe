"""`bowerbird restore` where Kafka cannot be asked: it says what that means, and goes on by an option alone."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition

from bowerbird.backups import commands, manifest, places
from bowerbird.backups.commands import restore_backup
from bowerbird.backups.restore import Target
from bowerbird.operators import why_store_failed
from libs.common import mongo
from libs.common.fence import UnfinishedRestoreError
from libs.common.settings import Settings

AT = datetime(2026, 11, 28, 10, tzinfo=UTC)
MADE = manifest.Manifest(
    bowerbird="1",
    mongodb="7.0",
    created_at=AT,
    moment=manifest.Moment(seconds=int(AT.timestamp()), increment=1),
    places=manifest.Places(ends={"catalogue.v1": {0: 7}}, groups={}),
    sealed_keys={},
    secret_ids=(),
    files=(),
)


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """A whole backup, an empty MongoDB and a Kafka that does not answer; what is restored is put into the list."""
    (tmp_path / manifest.NAME).write_bytes(MADE.text())
    done: list[Path] = []

    async def nothing(*_: object) -> None:
        pass

    async def look_at(_: object) -> Target:
        return Target("7.0", (), ())

    async def unavailable(_: object) -> None:
        raise KafkaConnectionError

    async def restore(_: object, folder: Path, *__: object) -> None:
        done.append(folder)

    settings = SimpleNamespace(mongo_url=SimpleNamespace(get_secret_value=str), mongo_tls=False)
    for name, stand_in in (("look_at", look_at), ("topic_ids", unavailable), ("restore", restore)):
        monkeypatch.setattr(commands, name, stand_in)
    monkeypatch.setattr(commands, "store_settings", lambda: settings)
    monkeypatch.setattr(commands, "mongo_options", lambda _: {})
    monkeypatch.setattr(mongo, "connect", lambda *_, **__: None)
    monkeypatch.setattr(mongo, "close", nothing)
    return done


def test_nothing_is_restored_without_knowing_what_is_lost(
    restored: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore_backup(tmp_path, yes=True) == 1
    told = capsys.readouterr()
    assert "UNKNOWN: Kafka cannot be asked (KafkaConnectionError)" in told.out
    assert "Start Kafka" in told.err
    assert "--without-kafka" in told.err
    assert restored == []


def test_where_kafka_is_lost_for_good_it_is_said_by_an_option(restored: list[Path], tmp_path: Path) -> None:
    assert restore_backup(tmp_path, yes=True, without_kafka=True) == 0
    assert restored == [tmp_path]


def test_looking_alone_says_so_and_ends_well(
    restored: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore_backup(tmp_path) == 0
    assert "UNKNOWN" in capsys.readouterr().out
    assert restored == []


async def test_where_kafka_has_no_topic_yet_there_is_nothing_to_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: object) -> list[TopicPartition]:
        return []

    monkeypatch.setattr(places, "partitions_of", none)
    assert await places.span(Settings(kafka_bootstrap="127.0.0.1:1")) == ({}, {})


def test_a_restore_that_is_not_done_is_told_in_its_own_words() -> None:
    assert why_store_failed(UnfinishedRestoreError("run the same `bowerbird restore` again")) == (
        "run the same `bowerbird restore` again"
    )
