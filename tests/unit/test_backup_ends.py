"""What a backup leaves behind when it ends, however it ends: nothing but a whole one."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any, cast

import pytest

from bowerbird.backups import commands
from bowerbird.backups.backup import _appearing_whole
from bowerbird.backups.manifest import BackupError
from bowerbird.backups.snapshot import _history
from libs.common import mongo
from libs.common.mongo import Client
from libs.common.settings import Settings

WINDOW = "minSnapshotHistoryWindowInSeconds"


class Server:
    """Stands for a client of MongoDB and its `admin`: a server with one parameter."""

    def __init__(self, window: int, started: dict[str, Any]) -> None:
        self.window = window
        self._started = started

    @property
    def admin(self) -> "Server":
        return self

    async def command(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "setParameter" in asked:
            self.window = asked[WINDOW]
        return {WINDOW: self.window, "parsed": self._started}

    def close(self) -> None:
        return


@pytest.mark.parametrize("window", [300, 3600, 43200, 86400])
@pytest.mark.parametrize(
    ("started", "usual"),
    [({}, 300), ({"setParameter": {WINDOW: 3600}}, 3600), ({"setParameter": {WINDOW: "90000"}}, 90000)],
)
async def test_history_is_set_back_to_what_the_server_was_started_with(
    window: int, started: dict[str, Any], usual: int
) -> None:
    server = Server(window, started)
    async with _history(cast("Client", server), 43200):
        assert server.window == max(43200, usual)
    assert server.window == usual


def test_what_a_killed_backup_left_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.incomplete-abcd1234", ".b.incomplete-x_yz0000"):
        (tmp_path / name / "databases").mkdir(parents=True)
    (tmp_path / "whole").mkdir()
    (tmp_path / ".other").mkdir()
    with _appearing_whole(tmp_path / "c") as growing:
        assert growing.is_dir()
    assert sorted(each.name for each in tmp_path.iterdir()) == [".other", "c", "whole"]


def test_a_backup_that_grows_is_not_deleted_by_another(tmp_path: Path) -> None:
    with _appearing_whole(tmp_path / "a") as growing:
        with pytest.raises(BackupError, match="Another backup"), _appearing_whole(tmp_path / "b"):
            pass
        assert growing.is_dir()
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_backup_that_is_told_to_end_sets_back_what_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(300, {})
    during = []

    async def work(settings: Settings, client: Client, progress: commands._Progress) -> int:
        with _appearing_whole(tmp_path / "a"):
            async with _history(client, 43200):
                during.append(server.window)
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(mongo, "connect", lambda *_, **__: server)
    before = signal.getsignal(signal.SIGTERM)
    assert commands._told(work) == 1
    assert "Ended by a signal" in capsys.readouterr().err
    assert (during, server.window) == ([43200], 300)
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) == before
