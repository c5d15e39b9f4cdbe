"""The file of an issuer's awards: who takes it out is recorded first, or nothing is sent."""

from typing import Any

import httpx
from fastapi import FastAPI
from pymongo.errors import AutoReconnect

from libs.access.api_keys import ApiKeys
from libs.audit.entry import Action, Entry
from libs.common.health import Health
from libs.common.http import create_app
from services.issuer.awards.api import credential_list_routes
from services.issuer.awards.listing import CredentialLists
from services.issuer.urls import Urls
from tests.contract.test_http_conformance import LISTER, LISTING, Nothing
from tests.ids import IDS

URL = "/v1/credentials/export.csv"


class Log:
    """An audit log that may be away."""

    def __init__(self, *, away: bool = False) -> None:
        self.entries: list[Entry] = []
        self._away = away

    async def record(self, *entries: Entry) -> None:
        if self._away:
            raise AutoReconnect("the log is away")
        self.entries += entries


def app_with(log: Log) -> FastAPI:
    app, nothing, urls = create_app("issuer", Health()), Nothing(), Urls("https://badges.example")
    found: Any = nothing
    app.include_router(credential_list_routes(ApiKeys(LISTING), CredentialLists(found, found, urls, log), IDS, urls))
    return app


async def export(log: Log) -> httpx.Response:
    transport = httpx.ASGITransport(app=app_with(log))
    async with httpx.AsyncClient(transport=transport, base_url="http://issuer") as client:
        asked = {"state": "active", "learner_id": "0190a5c4-6b1e-8f00-8000-000000000001"}
        return await client.get(URL, params=asked, headers={"authorization": f"Bearer {LISTER}"})


async def test_an_export_is_in_the_audit_log_which_names_no_learner() -> None:
    log = Log()
    assert (await export(log)).status_code == 200
    (entry,) = log.entries
    assert (entry.action, entry.tenants) == (Action.CREDENTIALS_EXPORTED, ("wattle",))
    assert entry.cause.principal.startswith("key:wattle/")
    assert entry.details == {"state": "active", "learners": "one"}


async def test_where_it_cannot_be_recorded_nothing_is_exported() -> None:
    answer = await export(Log(away=True))
    assert answer.status_code == 503
    assert "text/csv" not in answer.headers["content-type"]
