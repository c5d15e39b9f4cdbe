"""`bowerbird keys` against the issuer's own routes: what it asks for, prints, and refuses to do."""

import io
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from bowerbird import service_api
from bowerbird.cli import app as command
from libs.access.administrators import Administrators
from libs.access.api_keys import ApiKeys
from libs.access.key_files import add_administrator
from libs.access.key_text import is_well_formed, key_id
from libs.audit.entry import Action, Entry
from libs.common.health import Health
from libs.common.http import create_app
from services.issuer.access.api import access_routes
from tests.keys_in_memory import MemoryKeys
from tests.unit.test_audited_actions import House, Keys

Run = Callable[..., tuple[int, str, str]]
OLD = key_id("ab" * 32)


class OneIssuer:
    async def is_known(self, tenant: str) -> bool:
        return tenant == "wattle"


@pytest.fixture
def keys() -> Keys:
    return Keys(House(), lambda: datetime.now(UTC))


@pytest.fixture
def run(tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command, whose calls reach the routes in this process."""
    add_administrator("first", tmp_path / "admin", tmp_path / "admin-keys")
    known = ApiKeys(MemoryKeys(), administrators=Administrators(tmp_path / "admin-keys"))
    served = create_app("issuer", Health())
    served.include_router(access_routes(known, keys.administration, OneIssuer()))  # type: ignore[arg-type]  # a fake

    def client(url: str, key: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url=url, headers=headers)

    monkeypatch.setattr(service_api, "client", client)

    def call(*words: str, key_file: str = str(tmp_path / "admin")) -> tuple[int, str, str]:
        argv = ["keys", *words, "--key-file", key_file]
        with capture_logs():
            status: Any = command(argv, exit_on_error=False, result_action="return_value")
        told = capsys.readouterr()
        return status, told.out, told.err

    monkeypatch.setenv("COLUMNS", "200")
    return call


def test_keys_are_listed_without_themselves_and_those_that_ended_when_asked(run: Run, keys: Keys) -> None:
    status, told, _ = run("list", "wattle")
    assert status == 0
    assert OLD in told
    assert "ab" * 10 not in told
    assert "evidence:read" in told
    (listed,) = orjson.loads(run("list", "wattle", "--json")[1])
    assert (listed["id"], "key" in listed) == (OLD, False)
    run("withdraw", "wattle", OLD)
    assert OLD not in run("list", "wattle")[1]
    assert "(withdrawn)" in run("list", "wattle", "--ended")[1]


def test_a_key_is_made_with_its_scopes_and_end_and_shown_once(run: Run) -> None:
    ends = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    status, told, _ = run("make", "wattle", "Sensor", "evidence:read", "evidence:write", "--expires-at", ends)
    (key,) = [line for line in told.splitlines() if is_well_formed(line)]
    assert status == 0
    assert key not in run("list", "wattle")[1]
    made = orjson.loads(run("make", "wattle", "Other", "evidence:read", "--json")[1])
    assert is_well_formed(made[0]["key"])


def test_a_new_key_goes_into_a_file_of_its_owner_alone_and_over_no_other(run: Run, tmp_path: Path) -> None:
    to = tmp_path / "sensor"
    status, told, _ = run("make", "wattle", "Sensor", "evidence:read", "--to", str(to))
    assert status == 0
    assert is_well_formed(to.read_text("ascii").strip())
    assert to.read_text("ascii").strip() not in told
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    before = to.read_bytes()
    status, _, problem = run("rotate", "wattle", OLD, "--to", str(to))
    assert (status, to.read_bytes()) == (1, before)
    assert "cannot be made" in problem
    status, _, _ = run("make", "nowhere", "Sensor", "evidence:read", "--to", str(tmp_path / "none"))
    assert status == 1
    assert not (tmp_path / "none").exists()


def test_a_key_is_rotated_with_an_overlap(run: Run, keys: Keys) -> None:
    made = orjson.loads(run("rotate", "wattle", OLD, "--overlap-hours", "5", "--json")[1])
    assert (made[0]["name"], made[0]["scopes"]) == ("Office", ["evidence:read"])
    status, _, problem = run("rotate", "wattle", OLD, "--overlap-hours", "9999")
    assert status == 1
    assert "400" in problem
    assert "overlap_hours" in problem


def test_why_a_key_is_made_and_ends_stands_in_the_list_and_in_the_audit_log(run: Run, keys: Keys) -> None:
    (made,) = orjson.loads(run("make", "wattle", "Sensor", "evidence:read", "--reason", "Marks of term 3", "--json")[1])
    run("withdraw", "wattle", made["id"], "--reason", "The trial is over & done")
    (other,) = orjson.loads(run("rotate", "wattle", OLD, "--reason", "Yearly", "--json")[1])
    listed = {each["id"]: each for each in orjson.loads(run("list", "wattle", "--ended", "--json")[1])}
    why = {id_: (each["reason"], each["end_reason"], each["end_note"]) for id_, each in listed.items()}
    assert why == {
        OLD: (None, "rotated", "Yearly"),
        made["id"]: ("Marks of term 3", "withdrawn", "The trial is over & done"),
        other["id"]: ("Yearly", None, None),
    }
    table = run("list", "wattle", "--ended")[1]
    assert "Marks of term 3" in table
    assert "(withdrawn: The trial is over & done)" in table
    entries = [each for each in keys.house.done if isinstance(each, Entry)]
    assert [each.reason for each in entries if each.action is Action.API_KEY_GRANTED] == ["Marks of term 3", "Yearly"]
    status, _, problem = run("withdraw", "wattle", other["id"], "--reason", "a\u202eb")
    assert (status, "reason" in problem) == (1, True)


def test_a_refusal_is_one_sentence_with_its_reason(run: Run, tmp_path: Path) -> None:
    status, _, problem = run("make", "wattle", "Sensor", "issuers:write")
    assert status == 1
    assert problem.startswith("bowerbird: 403 ")
    assert problem.count("\n") == 1
    assert run("make", "wattle", "Sensor")[0] == os.EX_USAGE
    assert "404" in run("withdraw", "wattle", "0" * 16)[2]
    assert "404" in run("make", "nowhere", "Sensor", "evidence:read")[2]


def test_the_key_is_read_from_standard_input_too(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO((tmp_path / "admin").read_text("ascii")))
    assert run("list", "wattle", key_file="-")[0] == 0


@pytest.mark.parametrize(("content", "mode"), [("bb_short", 0o600), ("", 0o600), ("é", 0o600), ("bb_x", 0o644)])
def test_a_file_that_is_no_ones_own_key_is_not_sent(run: Run, tmp_path: Path, content: str, mode: int) -> None:
    file = tmp_path / "file"
    file.write_text(content, "utf-8")
    file.chmod(mode)
    status, _, problem = run("list", "wattle", key_file=str(file))
    assert status == 1
    assert str(file) in problem
    assert run("list", "wattle", key_file=str(tmp_path / "missing"))[0] == 1


@pytest.mark.parametrize("url", ["http://issuer.example", "ftp://127.0.0.1", "issuer.example", "http://127.0.0.1.evil"])
def test_a_key_does_not_travel_in_the_clear(url: str) -> None:
    with pytest.raises(service_api.CallError, match="in the clear"):
        service_api.client(url, "a key")


async def test_who_does_not_answer_or_answers_as_no_issuer_service_is_said() -> None:
    async def page(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>")

    async with httpx.AsyncClient(transport=httpx.MockTransport(page), base_url="https://x.example") as http:
        with pytest.raises(service_api.CallError, match="no JSON"):
            await service_api.call(http, "GET", "/")

    async def silence(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with httpx.AsyncClient(transport=httpx.MockTransport(silence), base_url="https://x.example") as http:
        with pytest.raises(service_api.CallError, match="does not answer"):
            await service_api.call(http, "GET", "/")
