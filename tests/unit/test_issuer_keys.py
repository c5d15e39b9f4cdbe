"""Signing keys at rest: sealed, bound to their issuer, and clear words where the key file is not right."""

import base64
import os
from pathlib import Path

import pytest

from libs.common.settings import SettingsError
from services.issuer.keys.encryption import FileKeyEncryption, KeyUnavailableError, Sealed

KEK = bytes(range(32))


def written(path: Path, content: bytes = base64.b64encode(KEK), mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_what_was_sealed_opens_with_the_same_key_and_the_same_name(tmp_path: Path) -> None:
    encryption = FileKeyEncryption.read(written(tmp_path / "kek"))
    sealed = encryption.seal(b"seed", "issuer wattle")
    assert b"seed" not in sealed.ciphertext
    assert encryption.open(sealed, "issuer wattle") == b"seed"


def test_a_key_moved_to_another_issuer_does_not_open() -> None:
    encryption = FileKeyEncryption(KEK)
    with pytest.raises(KeyUnavailableError, match="banksia"):
        encryption.open(encryption.seal(b"seed", "issuer wattle"), "issuer banksia")


def test_another_key_encryption_key_does_not_open_it_and_the_error_names_both_and_says_what_to_do() -> None:
    first, second = FileKeyEncryption(KEK), FileKeyEncryption(bytes(32))
    with pytest.raises(KeyUnavailableError, match=f"{first.kek_id}.*holds {second.kek_id}: put the file of") as caught:
        second.open(first.seal(b"seed", "issuer wattle"), "issuer wattle")
    assert KEK.hex() not in str(caught.value)


def test_the_id_of_a_key_encryption_key_is_the_same_each_time_and_differs_from_key_to_key() -> None:
    assert FileKeyEncryption(KEK).kek_id == FileKeyEncryption(KEK).kek_id != FileKeyEncryption(bytes(32)).kek_id


def test_what_was_changed_at_rest_does_not_open() -> None:
    encryption = FileKeyEncryption(KEK)
    sealed = encryption.seal(b"seed", "issuer wattle")
    changed = Sealed(sealed.kek_id, sealed.ciphertext[:-1] + bytes([sealed.ciphertext[-1] ^ 1]))
    with pytest.raises(KeyUnavailableError, match="was changed or moved"):
        encryption.open(changed, "issuer wattle")


def test_an_unopened_key_is_waited_for_like_anything_else_that_is_away() -> None:
    assert issubclass(KeyUnavailableError, OSError)


def test_a_missing_key_file_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"no file .*kek; put it back .*; only .* none yet, make one with: .*urandom"
    ):
        FileKeyEncryption.read(tmp_path / "kek")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_may_use_is_refused_with_the_command_that_fixes_it(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SettingsError, match="chmod 600"):
        FileKeyEncryption.read(written(tmp_path / "kek", mode=mode))


@pytest.mark.parametrize("content", [b"", b"not base64!", base64.b64encode(KEK[:31]), "ü".encode()])
def test_a_key_file_with_anything_but_32_bytes_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SettingsError, match="KEK_FILE"):
        FileKeyEncryption.read(written(tmp_path / "kek", content))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        FileKeyEncryption.read(written(tmp_path / "kek", mode=0o000))
