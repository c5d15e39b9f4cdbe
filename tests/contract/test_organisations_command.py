"""`bowerbird organisations` against the issuer's own routes: what a file makes, changes and leaves, killed or not."""

import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from bowerbird import service_api
from bowerbird.cli import app as command
from bowerbird.organisations.calls import FIRST_KEY
from bowerbird.organisations.key_folder import KeyFolder
from libs.access.administrators import Administrators
from libs.access.api_keys import ApiKeys
from libs.access.key_files import add_administrator
from libs.access.key_text import key_id, key_sha256
from libs.common.errors import ConflictError, UnavailableError
from libs.common.health import Health
from libs.common.http import create_app
from libs.contracts.events import IssuerPublished
from services.issuer.access.api import access_routes
from services.issuer.organisations.api import organisation_routes
from services.issuer.organisations.issuers_api import issuer_list_routes
from tests.issuer_doubles import NOW
from tests.keys_in_memory import MemoryKeys
from tests.organisations_double import Department

Run = Callable[..., tuple[int, str, str]]

FILE = """id,kind,name,issuer,parent,acara_id,sif_ref_id,url,key_scopes
wattle,school,Wattle,yes,north,40123,D3E34B359D75101A8C3D00AA001A1652,https://wattle.example,evidence:write
north,region,North Region,no,department,,,,organisations:read
department,authority,Department,yes,,,,,
"""


@pytest.fixture
def department() -> Department:
    return Department()


@pytest.fixture
def run(
    tmp_path: Path, department: Department, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    add_administrator("first", tmp_path / "admin", tmp_path / "admin-keys")
    known = ApiKeys(MemoryKeys(), administrators=Administrators(tmp_path / "admin-keys"))
    served = create_app("issuer", Health())
    fake: Any = department
    served.include_router(organisation_routes(known, fake, fake, lambda: NOW))
    served.include_router(issuer_list_routes(known, fake))
    served.include_router(access_routes(known, fake, fake))

    def client(url: str, key: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url=url, headers=headers)

    monkeypatch.setattr(service_api, "client", client)

    async def at_once(_seconds: float) -> None:
        pass

    monkeypatch.setattr("bowerbird.patient_calls.asyncio.sleep", at_once)

    def call(*words: str, file: str | None = None) -> tuple[int, str, str]:
        if file is not None:
            (tmp_path / "schools.csv").write_text(file, "utf-8")
            words = (*words, str(tmp_path / "schools.csv"))
        argv = ["organisations", *words, "--key-file", str(tmp_path / "admin")]
        with capture_logs():
            status: Any = command(argv, exit_on_error=False, result_action="return_value")
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def keys_in(tmp_path: Path) -> dict[str, str]:
    return {each.name: each.read_text("ascii").strip() for each in (tmp_path / "keys").iterdir()}


def test_a_file_makes_the_tree_from_above_with_keys_that_stand_in_files_alone(
    run: Run, department: Department, tmp_path: Path
) -> None:
    folder = ("--keys", str(tmp_path / "keys"))
    status, told, error = run("apply", *folder, file=FILE)
    assert (status, department.published) == (0, ["department", "north", "wattle"]), error
    assert department.issuers_known["wattle"].parent == "department"
    assert department.organisations["wattle"].identifiers[1].value == "d3e34b35-9d75-101a-8c3d-00aa001a1652"
    found = keys_in(tmp_path)
    assert {name: key_id(key_sha256(key)) for name, key in found.items()} == {
        f"{name}.key": key_id(stored[0].sha256) for name, stored in department.api_keys.items()
    }
    assert not re.search(r"bb_[A-Za-z0-9]", told + error)
    assert "3 new, 0 changed, 0 unchanged, 2 first API keys" in told
    modes = [stat.S_IMODE(each.stat().st_mode) for each in ((tmp_path / "keys"), *(tmp_path / "keys").iterdir())]
    assert modes == [0o700, 0o600, 0o600]


def test_to_apply_it_again_changes_nothing_and_a_changed_line_that_alone(
    run: Run, department: Department, tmp_path: Path
) -> None:
    folder = ("--keys", str(tmp_path / "keys"))
    run("apply", *folder, file=FILE)
    before = keys_in(tmp_path)
    for words in (folder, ()):
        department.published.clear()
        status, told, _ = run("apply", *words, file=FILE)
        assert (status, department.published) == (0, [])
        assert "0 new, 0 changed, 3 unchanged, 0 first API keys; 0 here" in told
    status, told, _ = run("apply", file=FILE.replace("40123", "40124").replace("https://wattle.example", ""))
    assert (status, department.published, keys_in(tmp_path)) == (0, ["wattle"], before)
    assert "~ wattle: acara: 40123 → 40124; url: https://wattle.example → nothing" in told


def test_a_dry_run_shows_what_would_be_done_and_does_none_of_it(
    run: Run, department: Department, tmp_path: Path
) -> None:
    status, told, _ = run("apply", "--keys", str(tmp_path / "keys"), "--dry-run", file=FILE)
    assert (status, department.published, department.api_keys) == (0, [], {})
    assert "+ wattle: new issuer; first API key" in told
    assert "Nothing was changed" in told
    assert not (tmp_path / "keys").exists()


def test_what_the_file_does_not_speak_of_stays(run: Run, department: Department) -> None:
    run("apply", file=FILE.replace(",evidence:write", ",").replace(",organisations:read", ","))
    fewer = "id,kind,name,issuer\nwattle,school,Wattle,yes\n"
    status, told, _ = run("apply", file=fewer)
    assert (status, len(department.published)) == (0, 3)
    assert "1 unchanged, 0 first API keys; 2 here and not in the file, which stay" in told


def test_a_region_that_becomes_an_issuer_takes_those_below_it_along_also_where_the_file_lacks_them(
    run: Run, department: Department
) -> None:
    run("apply", file=FILE.replace(",evidence:write", ",").replace(",organisations:read", ","))
    department.published.clear()
    _, told, _ = run("apply", file="id,kind,name,issuer,parent\nnorth,region,North Region,yes,department\n")
    assert department.published == ["north", "wattle"]
    assert "~ wattle: awards what north shares, no longer department" in told
    assert department.issuers_known["wattle"].parent == "north"
    assert department.issuers_known["wattle"].url == "https://wattle.example"


def test_an_issuer_that_was_there_becomes_an_organisation_and_keeps_its_profile(
    run: Run, department: Department
) -> None:
    profile = {"did": "did:web:x", "did_document": "{}", "published_at": NOW, "url": "https://d.example"}
    department.issuers_known["department"] = IssuerPublished(issuer_id="department", name="Department", **profile)
    line = "id,kind,name,issuer,email\ndepartment,authority,{},{},office@d.example\n"
    for name, issuer in (("Department", "no"), ("Ministry", "yes")):
        assert run("apply", file=line.format(name, issuer).replace("no,office@d.example", "no,"))[0] == 1
    assert run("apply", file=line.format("Department", "yes"))[0] == 0
    known = department.issuers_known["department"]
    assert (known.url, known.email) == ("https://d.example", "office@d.example")


def test_names_and_ends_are_no_lines_of_a_file_but_commands(run: Run, department: Department) -> None:
    run("apply", file=FILE.replace(",evidence:write", ",").replace(",organisations:read", ","))
    renamed = FILE.replace(",Wattle,", ",Wattle Grove,")
    status, _, error = run("apply", file=renamed)
    assert status == 1
    assert "schools.csv:2: name: is called 'Wattle' here; `bowerbird organisations rename`" in error
    status, told, _ = run("rename", "wattle", "Wattle Grove", "--since", "2026-02-01")
    assert (status, told) == (0, "Wattle Grove (wattle) takes evidence\n")
    assert department.organisations["wattle"].former_names[0].name == "Wattle"
    status, told, _ = run("close", "wattle", "2026-12-18", "merged", "--successor", "north")
    assert (status, told) == (0, "Wattle Grove (wattle) takes evidence until 2026-12-18\n")
    assert run("reopen", "wattle")[1] == "Wattle Grove (wattle) takes evidence\n"
    status, _, error = run("close", "wattle", "2026-12-18", "bankrupt")
    assert (status, "reason" in error) == (1, True)


def test_a_file_with_a_fault_changes_nothing_and_all_faults_are_told(run: Run, department: Department) -> None:
    status, _, error = run("apply", file=FILE.replace("yes,north", "yes,nowhere").replace(",yes,,", ",yes,wattle,"))
    assert (status, department.published) == (1, [])
    assert "schools.csv:2: parent: nowhere stands neither in the file nor here" in error
    status, _, error = run("apply", file=FILE)
    assert "schools.csv:2: key_scopes: a key is to be made; say with --keys in which folder" in error


def test_killed_before_a_key_was_written_down_the_next_run_withdraws_it_and_makes_another(
    run: Run, department: Department, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ("--keys", str(tmp_path / "keys"))

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(KeyFolder, "write", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run("apply", *folder, file=FILE)
    (lost,) = department.api_keys["north"]
    assert keys_in(tmp_path)["north.key"] == ""
    status, _, error = run("apply", *folder, file=FILE)
    assert status == 0, error
    assert key_id(lost.sha256) in department.withdrawn
    assert all(keys_in(tmp_path).values())
    assert [each.name for each in department.api_keys["north"]] == [FIRST_KEY] * 2


def test_what_is_away_is_asked_again_and_what_is_refused_is_told_and_costs_no_other_its_place(
    run: Run, department: Department
) -> None:
    text = FILE.replace(",evidence:write", ",").replace(",organisations:read", ",")
    text += "banksia,school,Banksia,yes,north,,,,\n"
    department.trouble = {"north": UnavailableError("busy"), "wattle": ConflictError("the name could be taken")}
    status, _, error = run("apply", file=text)
    assert (status, department.published) == (2, ["department", "north", "banksia"])
    assert "line 2, wattle: 409 Conflict; the name could be taken" in error
    status, _, _ = run("apply", file=text)
    assert (status, department.published[3:]) == (0, ["wattle"])
