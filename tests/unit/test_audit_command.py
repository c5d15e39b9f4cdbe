"""`bowerbird audit verify`: what it prints and how it ends, for people and for programs."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from pymongo.errors import ServerSelectionTimeoutError

from bowerbird import audit_log
from bowerbird.cli import app
from libs.audit.log import AuditLog
from libs.common import mongo
from tests.unit.test_audit import StoredEntries, revoked

Stores = dict[str, dict[str, StoredEntries]]
SERVICES = ("evidence", "issuer", "verifier", "notifier")


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Stores:
    found: Stores = {service: {"audit": StoredEntries()} for service in SERVICES}

    async def close(_: object) -> None:
        pass

    monkeypatch.setattr(mongo, "connect", lambda *_: found)
    monkeypatch.setattr(mongo, "close", close)
    log = AuditLog(found["issuer"])  # type: ignore[arg-type]  # a fake
    asyncio.run(log.record(revoked("credential c-1"), revoked("credential c-2")))
    return found


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*words: str) -> tuple[int, str]:
        status: Any = app(["audit", "verify", *words], exit_on_error=False, result_action="return_value")
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


def test_each_log_is_told_with_its_count_and_its_head(stores: Stores, verify: Callable[..., tuple[int, str]]) -> None:
    head = stores["issuer"]["audit"].documents[2]["hash"]
    status, told = verify()
    assert status == 0
    assert f"issuer: 2 entries hold; head issuer:2:{head}\n" in told
    assert "notifier: 0 entries hold; head none\n" in told
    assert verify("issuer", "--head", f"issuer:2:{head}")[0] == 0
    assert "credential c-2 in: 2" in verify("issuer", "--find", "credential c-2")[1]


def test_it_runs_in_the_environment_of_any_service(
    stores: Stores, verify: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOWERBIRD_KEK_FILE", "/run/keys/kek")
    monkeypatch.setenv("BOWERBIRD_MAIL_FROM", "badges@education.example")
    assert verify("issuer")[0] == 0
    monkeypatch.setenv("BOWERBIRD_KEK_FIEL", "/run/keys/kek")
    assert verify("issuer")[0] == 2


def test_the_first_break_is_told_and_ends_with_1(stores: Stores, verify: Callable[..., tuple[int, str]]) -> None:
    stores["issuer"]["audit"].documents[2]["reason"] = "none"
    status, told = verify("issuer")
    assert status == 1
    assert told.startswith("issuer: BROKEN at 2 (changed); before that 1 entries hold; head issuer:1:")
    answer = orjson.loads(verify("issuer", "--json")[1])["issuer"]
    assert (answer["holds"], answer["entries"], answer["broken_at"], answer["fault"]) == (False, 1, 2, "changed")


def test_a_head_that_was_noted_and_is_gone_ends_with_1(stores: Stores, verify: Callable[..., tuple[int, str]]) -> None:
    head = stores["issuer"]["audit"].documents.pop(2)["hash"]
    assert verify("issuer")[0] == 0
    status, told = verify("issuer", "--head", f"issuer:2:{head}")
    assert status == 1
    assert "BROKEN at 2 (cut off)" in told


def test_what_cannot_be_read_is_neither_whole_nor_broken(
    stores: Stores, verify: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ServerSelectionTimeoutError("db.internal:27017: secret details")

    monkeypatch.setattr(audit_log, "_check", away)
    status, told = verify()
    assert (status, "internal" in told) == (2, False)
    assert verify("--head", "issuer:0:aa")[0] == os.EX_USAGE
