"""Mails, logs, secrets and state of the embedded stack as files."""

import base64
import hashlib
from pathlib import Path

import pytest

from deploy.embedded import logs, secrets
from deploy.embedded.layout import Layout
from deploy.embedded.mail_store import MailStore, file_name
from deploy.embedded.mongodb import cache_gigabytes
from deploy.embedded.problems import StackError
from deploy.embedded.state import ProcessState, StackState
from libs.access.administrators import Administrator, read
from libs.access.key_text import is_well_formed
from libs.access.signatures import GrantKeys, GrantSigner

MAIL = b"From: a@x.example\r\nMessage-ID: <4e1f.issued@bowerbird.example>\r\nSubject: x\r\n\r\nMessage-ID: <no>\r\n"


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_mail_is_a_private_file_named_after_its_message_id(tmp_path: Path) -> None:
    [kept] = MailStore(tmp_path).keep([MAIL])
    assert kept.name == "4e1f.issued@bowerbird.example.eml"
    assert kept.read_bytes() == MAIL
    assert kept.stat().st_mode & 0o777 == 0o600


def test_the_same_mail_again_shows_as_a_repeat_and_the_first_stays(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.keep([MAIL, MAIL])
    store.keep([MAIL + b"changed"])
    base = "4e1f.issued@bowerbird.example"
    assert names(tmp_path) == [f"{base}.eml", f"{base}.repeat-1.eml", f"{base}.repeat-2.eml"]
    assert (tmp_path / f"{base}.eml").read_bytes() == MAIL


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"Message-ID: <../../etc/passwd>", "_.._etc_passwd"),
        (b"message-id:\r\n <folded@x>", "folded@x"),
        (b"Message-ID: <.hidden>", "hidden"),
        (b"Message-ID: <" + b"a" * 400 + b">", "a" * 180),
        (b"Subject: none", "no-message-id"),
        (b"", "no-message-id"),
    ],
)
def test_no_message_id_names_a_file_outside_the_directory(head: bytes, name: str) -> None:
    assert file_name(head + b"\r\n\r\nMessage-ID: <in-the-body@x>") == name


def test_a_log_that_is_too_long_is_moved_aside_and_goes_on_for_who_has_it_open(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        assert logs.shorten(log, max_bytes=100)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "kafka.log.1").read_bytes() == b"old\n" * 100


def test_a_log_within_bounds_stays(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"x" * 100)
    assert not logs.shorten(tmp_path / "x.log", max_bytes=100)
    assert not logs.shorten(tmp_path / "absent.log")


def test_the_last_lines_of_a_log_are_read_without_reading_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))
    assert logs.last_lines(tmp_path / "x.log", 2) == ["line 99998", "line 99999"]
    assert logs.last_lines(tmp_path / "absent.log") == []


def test_the_keys_are_made_once_random_and_private(tmp_path: Path) -> None:
    first, second = Layout(tmp_path / "a"), Layout(tmp_path / "b")
    first.create()
    second.create()
    kek = secrets.kek_file(first)
    assert len(base64.b64decode(kek.read_bytes(), validate=False)) == 32
    assert kek.stat().st_mode & 0o777 == 0o600
    assert secrets.kek_file(first).read_bytes() == kek.read_bytes()
    assert secrets.admin_key(first) == secrets.admin_key(first)
    assert secrets.admin_key(first) != secrets.admin_key(second)
    secret = secrets.authority_secret_file(first)
    assert len(base64.b64decode(secret.read_bytes())) == 32
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secrets.authority_secret_file(first).read_bytes() == secret.read_bytes() != kek.read_bytes()
    assert secrets.authority_secret_file(second).read_bytes() != secret.read_bytes()
    assert names(first.secrets) == ["admin-key", "authority-secret", "kek"]


@pytest.mark.parametrize("store", ["mongodb", "kafka"])
@pytest.mark.parametrize("name", ["authority-secret", "kek", "grant-secret", "issuer-list-key"])
def test_no_new_secret_is_made_beside_a_store_that_was_filled_under_another(
    tmp_path: Path, name: str, store: str
) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    secrets.prepare(layout)
    filled = getattr(layout, store) / "something"
    filled.touch()
    before = names(layout.secrets)
    secrets.prepare(layout)
    secret = layout.secrets / name
    secret.unlink()
    with pytest.raises(StackError, match=f"{name} is missing, and there are data in {filled.parent}: "):
        secrets.prepare(layout)
    assert names(layout.secrets) == [each for each in before if each != name]


def test_the_issuer_learns_the_digest_of_the_admin_key_and_not_the_key(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    key = secrets.admin_key(layout)
    assert is_well_formed(key)
    assert read(secrets.admin_keys_file(layout)) == {
        hashlib.sha256(key.encode("ascii")).hexdigest(): Administrator("first")
    }


def test_the_public_half_of_the_key_of_grants_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    signer = GrantSigner.load(secrets.grant_secret_file(layout))
    public = secrets.grant_keys_file(layout)
    assert signer.public_key in GrantKeys.load(public)
    assert secrets.grant_secret_file(layout).read_text(encoding="ascii").strip() not in public.read_text("ascii")


def test_the_state_of_the_stack_is_read_as_it_was_written(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "var")
    layout.create()
    assert StackState.read(layout) is None
    written = StackState("tansu", 100, {"kafka": ProcessState("healthy", 7, 1.5, 2, "was ended by SIGKILL")})
    written.write(layout)
    assert StackState.read(layout) == written
    assert written.complete


def test_a_stack_with_one_process_that_is_not_healthy_is_not_complete() -> None:
    processes = {"kafka": ProcessState("healthy"), "setup": ProcessState("done"), "issuer": ProcessState("restarting")}
    assert not StackState("kafka", 0, processes).complete
    assert not StackState().complete


@pytest.mark.parametrize(("memory", "cache"), [(2, 1.0), (8, 1.0), (16, 2.0), (24, 3.0), (128, 3.0)])
def test_mongodbs_cache_grows_with_the_machine_and_leaves_room_for_the_rest(memory: int, cache: float) -> None:
    assert cache_gigabytes(memory * 1024**3) == cache
