"""The authority's secret is read from a private file, is known by an id, and gives a key for each purpose."""

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from libs.common.authority_secret import AuthoritySecret
from libs.common.settings import SettingsError

SECRET = bytes(range(32))


def written(path: Path, content: bytes = base64.b64encode(SECRET), mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_file_gives_the_same_keys_each_time_and_another_key_for_each_label(tmp_path: Path) -> None:
    first, again = (AuthoritySecret.load(written(tmp_path / "secret")) for _ in range(2))
    assert first.key("learner") == again.key("learner")
    keys = {first.key(label) for label in ("", "learner", "learner ", "holding", "id", "key learner")}
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}


def test_a_key_is_hkdf_of_the_secret_and_its_label() -> None:
    # RFC 5869 in its own words: extract under the salt, then expand by one block.
    extracted = hmac.digest(b"bowerbird authority secret", SECRET, hashlib.sha256)
    assert AuthoritySecret(SECRET).key("learner") == hmac.digest(extracted, b"key learner\x01", hashlib.sha256)


def test_the_id_says_which_secret_it_is_and_is_the_beginning_of_no_key() -> None:
    one, other = AuthoritySecret(SECRET), AuthoritySecret(bytes(32))
    assert one.id == AuthoritySecret(SECRET).id != other.id
    assert len(one.id) == 16
    assert all(one.id not in one.key(label).hex() for label in ("", "id", "learner", one.id))
    assert one.id not in SECRET.hex()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SettingsError, match=r"AUTHORITY_SECRET_FILE: others than its owner .* chmod 600"):
        AuthoritySecret.load(written(tmp_path / "secret", mode=mode))


@pytest.mark.parametrize("content", [b"", b"short", base64.b64encode(SECRET[:31]), "ü".encode()])
def test_a_file_that_holds_no_secret_is_refused_without_its_content(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SettingsError, match="AUTHORITY_SECRET_FILE") as caught:
        AuthoritySecret.load(written(tmp_path / "secret", content))
    assert not content or content.decode("latin-1") not in str(caught.value)


def test_a_missing_file_is_said_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"there is no file .*secret; put it back .*; only .* none yet, make one with: .*urandom"
    ):
        AuthoritySecret.load(tmp_path / "secret")
