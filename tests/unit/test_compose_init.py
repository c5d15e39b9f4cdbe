"""The admin key and the authority's secret of the containers are made once, private; compose reads the key's digest."""

import base64
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from libs.access.administrators import Administrator, read
from libs.access.key_text import is_well_formed, key_sha256
from libs.access.signatures import GrantKeys, GrantSigner
from libs.common.authority_secret import AuthoritySecret
from libs.openbadges.crypto.did import did_key
from services.issuer.registry.publication import read_list_key

SCRIPT = Path(__file__).parents[2] / "deploy" / "compose-init.sh"


def prepared(tmp_path: Path) -> Path:
    script = tmp_path / "deploy" / SCRIPT.name
    script.parent.mkdir()
    shutil.copy(SCRIPT, script)
    return script


def run(script: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([script], check=False, capture_output=True, text=True, timeout=30)


def test_key_and_secret_are_made_once_where_nobody_else_reads_them(tmp_path: Path) -> None:
    script = prepared(tmp_path)
    kept = tmp_path / "var" / "compose"
    key, secret = kept / "admin-key", kept / "authority-secret"
    made = []
    for _ in range(2):
        assert run(script).returncode == 0
        made.append((key.read_text(encoding="ascii"), secret.read_text(encoding="ascii")))
    assert made[0] == made[1]
    assert is_well_formed(made[0][0].strip())
    assert read(kept / "administrators" / "admin-keys") == {key_sha256(made[0][0].strip()): Administrator("first")}
    assert len(base64.b64decode(made[0][1])) == 32
    # What a container reads as another user stands in a folder that is closed to all others of the machine.
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (kept, key, secret)]
    assert modes == [0o700, 0o600, 0o644]
    assert not (tmp_path / ".env").exists(), "what is in it stands in the output of `docker compose config`"


def test_a_secret_that_went_missing_is_not_replaced(tmp_path: Path) -> None:
    script = prepared(tmp_path)
    assert run(script).returncode == 0
    secret = tmp_path / "var" / "compose" / "authority-secret"
    secret.unlink()
    again = run(script)
    assert again.returncode == 1
    assert "put the file back" in again.stderr
    assert not secret.exists()


def make_keys(volumes: Path, secret: str) -> "subprocess.CompletedProcess[str]":
    """Run what the container `keys` runs, with its volumes below this folder."""
    compose = yaml.safe_load((SCRIPT.parents[1] / "docker-compose.yml").read_text(encoding="utf-8"))
    keys = compose["services"]["keys"]
    for mount in keys["volumes"]:
        if isinstance(mount, str):
            (volumes / mount.split(":")[1].removeprefix("/run/")).mkdir(parents=True, exist_ok=True)
        else:
            given = volumes / mount["target"].removeprefix("/run/")
            given.parent.mkdir(exist_ok=True)
            given.write_text(f"{secret}\n", encoding="ascii")
    return subprocess.run(
        ["/bin/sh", "-c", keys["command"][0].replace("$$", "$").replace("/run", str(volumes))],
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(SCRIPT.parents[1]),
            "BOWERBIRD_KAFKA_GROUP": str(os.getgid()),
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


STORES = ("mongodb", "kafka")
SECRET = base64.b64encode(bytes(32)).decode()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The volumes, with everything made; a test that changes something takes a copy."""
    volumes = tmp_path_factory.mktemp("made")
    assert make_keys(volumes, SECRET).returncode == 0
    return volumes


def fill(volumes: Path, store: str) -> None:
    (volumes / "filled" / store).mkdir(parents=True, exist_ok=True)
    (volumes / "filled" / store / "data").touch()


@pytest.mark.parametrize("store", STORES)
def test_the_containers_make_no_first_key_beside_a_store_that_has_data(tmp_path: Path, store: str) -> None:
    fill(tmp_path, store)
    refused = make_keys(tmp_path, SECRET)
    assert (refused.returncode, list((tmp_path / "keys").iterdir())) == (1, [])


def test_the_containers_leave_every_key_as_it_is_beside_stores_that_have_data(made: Path, tmp_path: Path) -> None:
    volumes = Path(shutil.copytree(made, tmp_path / "volumes"))
    for store in STORES:
        fill(volumes, store)
    before = {key.name: key.read_bytes() for key in (volumes / "keys").iterdir()}
    assert before.keys() >= {"kek", "grant-secret", "issuer-list-key"}
    assert make_keys(volumes, SECRET).returncode == 0
    assert {key.name: key.read_bytes() for key in (volumes / "keys").iterdir()} == before


@pytest.mark.parametrize("name", ["kek", "grant-secret", "issuer-list-key"])
@pytest.mark.parametrize("store", STORES)
def test_the_containers_make_no_new_key_beside_stores_that_have_data(
    made: Path, tmp_path: Path, name: str, store: str
) -> None:
    volumes = Path(shutil.copytree(made, tmp_path / "volumes"))
    fill(volumes, store)
    key = volumes / "keys" / name
    key.unlink()
    refused = make_keys(volumes, SECRET)
    assert refused.returncode == 1
    assert f"{name} is missing in the volume keys, and the stores have data: put that file back" in refused.stderr
    assert not key.exists()


def test_the_containers_refuse_another_secret_than_the_one_their_volume_holds(tmp_path: Path) -> None:
    given = [base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2)]
    ended = [make_keys(tmp_path, secret) for secret in (given[0], given[0], given[1])]
    assert [each.returncode for each in ended] == [0, 0, 1]
    assert "put that file back" in ended[2].stderr
    signer = did_key(read_list_key(tmp_path / "keys" / "issuer-list-key").public_multibase)
    assert [signer in each.stdout for each in ended] == [True, True, True], "readers are told whom to trust"
    assert (tmp_path / "stores" / "issuer" / "kafka-password").is_file()
    kept = tmp_path / "authority" / "secret"
    assert AuthoritySecret.load(kept).id == AuthoritySecret(bytes([1]) * 32).id
    assert GrantSigner.load(tmp_path / "keys" / "grant-secret").public_key in GrantKeys.load(
        tmp_path / "grants" / "grant-keys"
    )
