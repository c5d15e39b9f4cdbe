"""A command with another authority's secret than the one that the stores were filled under does nothing at all."""

import base64
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bowerbird.auditing.command import promises
from bowerbird.grants import sign_anew
from bowerbird.republish import republish
from bowerbird.rewrapping import rewrap
from libs.access.key_files import make_grant_keys
from libs.common import mongo
from libs.common.authority_secret import AuthoritySecret
from libs.common.fence import RESTORING_ID
from libs.common.kafka import Kafka

RECORDED = AuthoritySecret(bytes(32)).id
OTHER = bytes([7]) * 32

COMMANDS: dict[str, tuple[Callable[[], int], int]] = {
    "republish": (republish, 1),
    "republish --yes": (partial(republish, yes=True), 1),
    "audit promises": (promises, 2),
    "audit promises --repair": (partial(promises, repair=True), 2),
    "sign-grants-anew": (sign_anew, 1),
    "sign-grants-anew --dry-run": (partial(sign_anew, dry_run=True), 1),
    "rewrap": (rewrap, 1),
    "rewrap --dry-run": (partial(rewrap, dry_run=True), 1),
}


class FilledStores:
    """Stands for MongoDB, whose databases of these names know the recorded secret; nothing else may be asked of it."""

    def __init__(self, filled: set[str]) -> None:
        self._filled = filled
        self.name = ""
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Any:
        if name not in {"authority", "fence"}:
            self.name = name
        return self

    async def find_one(self, found: dict[str, str]) -> dict[str, object] | None:
        if found == {"_id": RESTORING_ID}:
            return None
        assert found == {"_id": "secret"}
        self.asked.append(self.name)
        return {"schema": 1, "secret_id": RECORDED} if self.name in self._filled else None


async def closed(*_: object) -> None:
    pass


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in (("AUTHORITY_SECRET", OTHER), ("KEK", bytes(32)), ("OTHER_KEK", bytes([1]) * 32)):
        path = tmp_path / name
        path.touch(mode=0o600)
        path.write_bytes(base64.b64encode(secret))
        monkeypatch.setenv(f"BOWERBIRD_{name}_FILE", str(path))
    make_grant_keys(tmp_path / "grant-secret", tmp_path / "grant-keys")
    monkeypatch.setenv("BOWERBIRD_GRANT_SECRET_FILE", str(tmp_path / "grant-secret"))
    monkeypatch.setenv("BOWERBIRD_GRANT_KEYS_FILE", str(tmp_path / "grant-keys"))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_with_another_secret_says_which_one_belongs_there_and_reaches_no_topic(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stores, started = FilledStores({"issuer"}), list[str]()

    async def start(kafka: Kafka) -> None:
        started.append("kafka")

    monkeypatch.setattr(mongo, "connect", lambda *_, **__: stores)
    monkeypatch.setattr(mongo, "close", closed)
    monkeypatch.setattr(Kafka, "start", start)
    monkeypatch.setattr(Kafka, "connect", start)
    run, status = COMMANDS[command]
    assert run() == status
    said = capsys.readouterr().err
    assert f"BOWERBIRD_AUTHORITY_SECRET_FILE holds the secret {AuthoritySecret(OTHER).id}" in said
    assert f"the secret {RECORDED}: put that file back" in said
    assert started == []


@pytest.mark.usefixtures("files")
def test_events_of_evidence_are_not_published_again_under_another_secret_either(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mongo, "connect", lambda *_, **__: FilledStores({"evidence"}))
    monkeypatch.setattr(mongo, "close", closed)
    assert republish(yes=True) == 1
    assert "the ids in the database 'evidence'" in capsys.readouterr().err
