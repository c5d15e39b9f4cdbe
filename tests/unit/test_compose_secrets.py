"""What the containers get for the stores: made once, each its own, the same at both ends, private."""

import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from deploy.compose_secrets import prepare
from libs.common.store_access import read_password
from libs.contracts.rights import SERVICES

OPERATORS = ("monitor", "backup", "republish")
PRINCIPALS = ("setup", *OPERATORS, *SERVICES)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    before = os.umask(0o022)
    prepare(tmp_path, os.getgid())
    os.umask(before)
    return tmp_path


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_user_has_a_password_of_its_own_at_each_store(root: Path) -> None:
    own = [
        read_password(root / name / f"{store}-password", "X") for name in PRINCIPALS for store in ("kafka", "mongodb")
    ]
    assert len(set(own)) == 2 * len(PRINCIPALS)
    for name in (*SERVICES, *OPERATORS):
        for store in ("kafka", "mongodb"):
            at_setup = read_password(root / "setup" / "passwords" / f"{store}-{name}", "X")
            assert at_setup == read_password(root / name / f"{store}-password", "X")


def test_the_stores_know_the_administrator_by_the_password_that_setup_has(root: Path) -> None:
    administrator = read_password(root / "mongodb" / "administrator-password", "X")
    assert administrator == read_password(root / "setup" / "mongodb-password", "X")
    users = (root / "kafka" / "first-users").read_text("ascii")
    node = (root / "kafka" / "node-password").read_text("ascii").strip().removeprefix("node=")
    setup = read_password(root / "setup" / "kafka-password", "X")
    assert users.splitlines() == [
        "--add-scram",
        f"SCRAM-SHA-512=[name=bowerbird-node,password={node}]",
        "--add-scram",
        f"SCRAM-SHA-512=[name=bowerbird-setup,password={setup}]",
    ]


@pytest.mark.parametrize("store", ["kafka", "mongodb"])
def test_a_client_trusts_the_certificate_of_the_store_alone_under_its_name(root: Path, store: str) -> None:
    served = (root / store / "certificate.pem").read_bytes()
    assert {(root / name / f"{store}-certificate.pem").read_bytes() for name in PRINCIPALS} == {served}
    names = x509.load_pem_x509_certificate(served).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert store in names.get_values_for_type(x509.DNSName)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root / store / "certificate-and-key.pem")


def test_nothing_changes_when_it_runs_again_and_a_password_that_was_deleted_is_made_anew(root: Path) -> None:
    before = contents(root)
    prepare(root, os.getgid())
    assert contents(root) == before
    (root / "setup" / "passwords" / "kafka-issuer").unlink()
    prepare(root, os.getgid())
    changed = {name for name, content in contents(root).items() if before[name] != content}
    assert changed == {"setup/passwords/kafka-issuer", "issuer/kafka-password"}


def test_only_kafkas_group_reads_beside_the_owner_and_only_kafkas_folder(root: Path) -> None:
    for path in root.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        shared = path.is_relative_to(root / "kafka") and path.name != "certificate-key.pem"
        assert mode & 0o077 in ({0o040, 0o050} if shared else {0}), path
