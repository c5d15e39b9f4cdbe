"""`bowerbird issuers` against the issuer's own routes: suspend and resume, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from bowerbird import service_api
from bowerbird.cli import app as command
from libs.access.administrators import Administrators
from libs.access.api_keys import ApiKeys
from libs.access.key_files import add_administrator
from libs.common.errors import NotFoundError
from libs.common.health import Health
from libs.common.http import create_app
from libs.contracts.events import IssuerPublished, Suspension
from libs.contracts.reasons import SuspensionReason
from services.issuer.catalogue.api import issuer_routes
from services.issuer.catalogue.issuers import By
from tests.issuer_doubles import NOW, issuer
from tests.keys_in_memory import MemoryKeys

Run = Callable[..., tuple[int, str, str]]


class OneIssuer:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    async def set_suspension(self, issuer_id: str, reason: SuspensionReason | None, by: By) -> IssuerPublished:
        if issuer_id != "wattle":
            raise NotFoundError.for_caller()
        self.asked.append((by.cause.principal, reason))
        held = None if reason is None else Suspension(reason=reason, since=NOW)
        return issuer().model_copy(update={"suspension": held})

    async def look_alikes(self, version: IssuerPublished) -> list[str]:
        return []


@pytest.fixture
def issuers() -> OneIssuer:
    return OneIssuer()


@pytest.fixture
def run(tmp_path: Path, issuers: OneIssuer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command, whose calls reach the routes in this process."""
    add_administrator("first", tmp_path / "admin", tmp_path / "admin-keys")
    known = ApiKeys(MemoryKeys(), administrators=Administrators(tmp_path / "admin-keys"))
    served = create_app("issuer", Health())
    served.include_router(issuer_routes(known, issuers))  # type: ignore[arg-type]  # a fake

    def client(url: str, key: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url=url, headers=headers)

    monkeypatch.setattr(service_api, "client", client)

    def call(*words: str) -> tuple[int, str, str]:
        argv = ["issuers", *words, "--key-file", str(tmp_path / "admin")]
        with capture_logs():
            status: Any = command(argv, exit_on_error=False, result_action="return_value")
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_an_issuer_is_suspended_and_resumed_by_the_administrator_whose_key_it_is(run: Run, issuers: OneIssuer) -> None:
    status, told, _ = run("suspend", "wattle", "security")
    assert (status, told) == (0, "Wattle (wattle) is suspended since 2026-03-02T09:30:00Z: security\n")
    status, told, _ = run("resume", "wattle")
    assert (status, told) == (0, "Wattle (wattle) may issue\n")
    assert issuers.asked == [("administrator:first", "security"), ("administrator:first", None)]


def test_a_reason_that_is_no_code_and_an_issuer_that_is_not_there_are_refused_in_a_sentence(
    run: Run, issuers: OneIssuer
) -> None:
    status, _, error = run("suspend", "wattle", "late fees")
    assert (status, "late fees is none of under_review, security" in error) == (1, True)
    status, _, error = run("resume", "nobody")
    assert (status, "404" in error) == (1, True)
    assert issuers.asked == []
