"""What every service's HTTP edge promises: problem documents, keys, scopes, tenants, health."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from httpx import ASGITransport, AsyncClient
from pymongo.errors import AutoReconnect

from libs.access.api_keys import ADMIN_SCOPES, ApiKeys, Caller, key_sha256, new_key
from libs.common.errors import ERRORS, ConflictError, InvalidRequestError
from libs.common.health import STALE_AFTER_SECONDS, Health, Heartbeat
from libs.common.http import create_app

SCHOOL, OTHER, ADMIN = new_key(), new_key(), new_key()


class StoredKeys:
    """The two calls that ApiKeys makes of a collection, over a dict."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {
            key_sha256(SCHOOL): {"issuer_id": "northside", "scopes": ["evidence:read"]},
            key_sha256(OTHER): {"issuer_id": "southside", "scopes": []},
        }

    async def find_one(self, query: Mapping[str, Any], _projection: object = None) -> dict[str, Any] | None:
        return self.documents.get(query["_id"])


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def app(health: Health) -> FastAPI:
    application = create_app("test", health)
    keys = ApiKeys({"api_keys": StoredKeys()}, admin_key_sha256=key_sha256(ADMIN))  # type: ignore[arg-type]  # a fake

    @application.get("/v1/things/{issuer_id}")
    async def read(issuer_id: str, caller: Annotated[Caller, Depends(keys.allowed("evidence:read"))]) -> str:
        caller.must_be(issuer_id)
        return "a thing"

    @application.post("/v1/things")
    async def write(caller: Annotated[Caller, Depends(keys.allowed("evidence:write"))]) -> str:
        return caller.issuer_id

    @application.get("/v1/conflict")
    async def conflict() -> None:
        raise ConflictError("version 1 says something else")

    @application.get("/v1/invalid")
    async def invalid() -> None:
        raise InvalidRequestError("no", [{"field": "date", "reason": "use YYYY-MM-DD"}])

    @application.get("/v1/away")
    async def away() -> None:
        raise AutoReconnect("mongodb://user:hunter2@db is away")

    @application.get("/v1/defect")
    async def defect() -> None:
        raise KeyError("hunter2")

    return application


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as connected:
        yield connected


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize("headers", [{}, bearer("bb_unknown"), {"authorization": "Basic eDp5"}, bearer(OTHER)])
async def test_without_a_key_that_holds_it_is_401(client: AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.get("/v1/things/northside", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_another_tenant_is_404_as_if_it_were_not_there(client: AsyncClient) -> None:
    assert (await client.get("/v1/things/northside", headers=bearer(SCHOOL))).status_code == 200
    assert (await client.get("/v1/things/southside", headers=bearer(SCHOOL))).status_code == 404


async def test_a_missing_scope_is_403_and_named(client: AsyncClient) -> None:
    answer = await client.post("/v1/things", headers=bearer(SCHOOL))
    assert answer.status_code == 403
    assert "evidence:write" in answer.json()["detail"]


async def test_the_admin_key_reads_no_evidence(client: AsyncClient) -> None:
    assert "evidence:read" not in ADMIN_SCOPES
    assert (await client.get("/v1/things/northside", headers=bearer(ADMIN))).status_code == 403


async def test_an_error_is_a_problem_document(client: AsyncClient) -> None:
    answer = await client.get("/v1/conflict")
    assert answer.json() == {
        "type": "urn:bowerbird:problem:conflict",
        "title": "Conflict",
        "status": 409,
        "detail": "version 1 says something else",
        "instance": "/v1/conflict",
    }


async def test_an_invalid_request_names_its_fields(client: AsyncClient) -> None:
    assert (await client.get("/v1/invalid")).json()["errors"] == [{"field": "date", "reason": "use YYYY-MM-DD"}]


async def test_an_absent_database_is_503_and_tells_no_secret(client: AsyncClient) -> None:
    answer = await client.get("/v1/away")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "hunter2" not in answer.text


async def test_a_defect_is_a_problem_document_that_tells_nothing_of_the_inside(app: FastAPI) -> None:
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/v1/defect")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "hunter2" not in answer.text


async def test_an_address_that_does_not_exist_is_a_problem_document_too(client: AsyncClient) -> None:
    answer = await client.get("/v1/nothing")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


async def test_the_trace_of_the_caller_is_carried_on(client: AsyncClient) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await client.get("/v1/nothing", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.headers["traceparent"].split("-")[1] == trace


async def test_metrics_name_routes_by_template_and_never_by_path(client: AsyncClient) -> None:
    await client.get("/v1/things/northside", headers=bearer(SCHOOL))
    await client.get("/v1/whatever-somebody-tries")
    text = (await client.get("/metrics")).text
    assert 'bowerbird_http_requests_total{method="GET",route="/v1/things/{issuer_id}",status="200"}' in text
    assert "whatever-somebody-tries" not in text


async def test_a_loop_whose_heart_stopped_makes_the_process_dead(client: AsyncClient, health: Health) -> None:
    now = 0.0
    beat = Heartbeat(lambda: now)
    health.watch("evidence", beat)
    assert (await client.get("/health/live")).status_code == 200
    now = STALE_AFTER_SECONDS + 1
    answer = await client.get("/health/live")
    assert (answer.status_code, answer.json()["problems"]) == (503, {"evidence": "no heartbeat for 91 s"})


async def test_ready_says_what_is_missing(client: AsyncClient, health: Health) -> None:
    async def away() -> str:
        return "no connection to a broker"

    health.depend("kafka", away)
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["problems"]) == (503, {"kafka": "no connection to a broker"})


def test_every_error_has_a_status_and_a_code_of_its_own() -> None:
    assert len({error.code for error in ERRORS}) == len(ERRORS)
    assert all(400 <= error.status < 600 for error in ERRORS)
