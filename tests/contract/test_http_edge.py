"""What every service's HTTP edge promises: problem documents, keys, scopes, tenants, health."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Literal
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from httpx import ASGITransport, AsyncClient
from prometheus_client import generate_latest
from pydantic import BaseModel, ConfigDict, Field
from pymongo.errors import AutoReconnect

from libs.access.administrators import Administrators
from libs.access.api_keys import ADMIN_SCOPES, ApiKeys, Caller
from libs.access.key_text import key_sha256, new_key
from libs.common.body_limits import MOST_BYTES
from libs.common.errors import ERRORS, ConflictError, InvalidRequestError
from libs.common.health import STALE_AFTER_SECONDS, Health, Heartbeat
from libs.common.http import create_app, metrics_app, start_counting
from libs.common.rate_limits import Rates
from tests.keys_in_memory import GRANTED_AT, MemoryKeys

SCHOOL, OTHER, ADMIN = new_key(), new_key(), new_key()


STORED = MemoryKeys()
STORED.add("northside", "evidence:read", key=SCHOOL)
STORED.add("southside", "evidence:read", key=OTHER, ends_at=GRANTED_AT)


class OneAdministrator(Administrators):
    """Knows the one key."""

    def __init__(self) -> None:
        super().__init__(None)

    def name_of(self, sha256: str) -> str | None:
        return "first" if sha256 == key_sha256(ADMIN) else None


KEYS = ApiKeys(STORED, administrators=OneAdministrator())


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def app(health: Health) -> FastAPI:
    application = create_app("test", health)

    @application.get("/v1/things/{issuer_id}")
    async def read(issuer_id: str, caller: Annotated[Caller, Depends(KEYS.allowed("evidence:read"))]) -> str:
        caller.must_be(issuer_id)
        return "a thing"

    @application.post("/v1/things")
    async def write(caller: Annotated[Caller, Depends(KEYS.allowed("evidence:write"))]) -> str:
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
    assert (await client.get("/metrics")).status_code == 404
    async with AsyncClient(transport=ASGITransport(metrics_app()), base_url="http://test") as inner:
        answer = await inner.get("/metrics")
    assert answer.headers["cache-control"] == "no-store"
    text = answer.text
    assert 'bowerbird_http_requests_total{method="GET",route="/v1/things/{issuer_id}",status="200"}' in text
    assert "whatever-somebody-tries" not in text


async def test_requests_of_each_route_are_counted_from_zero_and_questions_about_health_never(
    client: AsyncClient, app: FastAPI, health: Health
) -> None:
    async def away() -> str:
        return "no connection to a broker"

    health.depend("kafka", away)
    start_counting(app)
    assert (await client.get("/health/ready")).status_code == 503
    counted = generate_latest().decode()
    assert 'bowerbird_http_requests_total{method="GET",route="/v1/things/{issuer_id}",status="503"} 0.0' in counted
    assert "/health/" not in counted


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


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=5)]
    size: int = Field(default=1, ge=1)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern="^[a-z]+$")]
    colour: Literal["red", "blue"] = "red"
    inner: list[Inner] = []


@pytest.fixture
async def strict(app: FastAPI) -> AsyncIterator[AsyncClient]:
    @app.post("/v1/outer")
    async def take(body: Outer, limit: Annotated[int, Query(ge=1)] = 1, at: UUID | None = None) -> int:
        return limit

    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as connected:
        yield connected


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"id": "a", "nmae": 1}, "nmae", "unknown field `nmae`; known are id, colour, inner"),
        ({"id": "a", "inner": [{"name": "x", "big": 1}]}, "inner.0.big", "unknown field `big`; known are name, size"),
        ({}, "id", "required, but missing"),
        ({"id": "A"}, "id", "must have the form ^[a-z]+$ (a regular expression)"),
        ({"id": 1}, "id", "must be text"),
        ({"id": "a", "colour": "green"}, "colour", "must be one of 'red' or 'blue'"),
        ({"id": "a", "inner": {}}, "inner", "must be a list"),
        ({"id": "a", "inner": [{"name": "x", "size": 0}]}, "inner.0.size", "must be at least 1"),
        ({"id": "a", "inner": [{"name": "too long"}]}, "inner.0.name", "must have at most 5 characters"),
        ([], "body", "must be a JSON object"),
    ],
)
async def test_what_is_not_valid_is_said_in_plain_words(
    strict: AsyncClient, body: object, field: str, reason: str
) -> None:
    answer = await strict.post("/v1/outer", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"field": field, "reason": reason}]


async def test_parameters_that_are_not_valid_are_named_too(strict: AsyncClient) -> None:
    answer = await strict.post("/v1/outer?limit=0&at=now", json={"id": "a"})
    assert {each["field"]: each["reason"].partition(",")[0] for each in answer.json()["errors"]} == {
        "limit": "must be at least 1",
        "at": "must be a UUID",
    }


async def test_a_body_that_is_not_json_is_400_and_one_of_another_kind_415(strict: AsyncClient) -> None:
    broken = await strict.post("/v1/outer", content=b'{"id": ', headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["errors"][0]["field"]) == (400, "body")
    assert broken.json()["errors"][0]["reason"].startswith("not JSON: ")
    other = await strict.post("/v1/outer", content=b"id=a", headers={"content-type": "text/plain"})
    assert (other.status_code, other.headers["content-type"]) == (415, "application/problem+json")
    assert other.headers["accept"] == "application/json"


async def test_a_body_is_not_received_beyond_its_limit(strict: AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 50 * MOST_BYTES:
            sent += 65_536
            yield b" " * 65_536

    answer = await strict.post("/v1/outer", content=endless(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:bowerbird:problem:too-large")
    assert sent <= MOST_BYTES + 2 * 65_536


async def test_of_a_caller_without_a_key_no_body_is_received(app: FastAPI) -> None:
    @app.post("/v1/guarded")
    async def take(body: Outer, caller: Annotated[Caller, Depends(KEYS.allowed("evidence:read"))]) -> str:
        return body.id + caller.issuer_id

    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        sent += 1
        yield b'{"id": "a"}'

    json = {"content-type": "application/json"}
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        for headers, status in (({}, 401), (bearer("bb_unknown"), 401), (bearer(ADMIN), 403)):
            answer = await client.post("/v1/guarded", content=body(), headers={**json, **headers})
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert sent == 0
        answer = await client.post("/v1/guarded", content=body(), headers={**json, **bearer(SCHOOL)})
    assert (answer.status_code, answer.json()) == (200, "anorthside")


async def statuses(client: AsyncClient, method: str, path: str, count: int, **headers: str) -> list[int]:
    return [(await client.request(method, path, headers=headers)).status_code for _ in range(count)]


@pytest.fixture
async def limited(health: Health) -> AsyncIterator[AsyncClient]:
    application = create_app("test", health, Rates(address=20, key=40, issuer=60))

    @application.get("/v1/things")
    async def read(caller: Annotated[Caller, Depends(KEYS.allowed("evidence:read"))]) -> str:
        return caller.issuer_id

    async with AsyncClient(transport=ASGITransport(application), base_url="http://test") as connected:
        yield connected


@pytest.mark.parametrize(("method", "status"), [("HEAD", 404), ("GET", 404), ("DELETE", 404), ("OPTIONS", 404)])
async def test_who_tries_paths_without_a_key_is_answered_429_with_when_to_come_again(
    limited: AsyncClient, method: str, status: int
) -> None:
    assert await statuses(limited, method, "/badges/1", 12) == [status] * 10 + [429] * 2
    answer = await limited.get("/anything")
    assert (answer.status_code, answer.json()["type"]) == (429, "urn:bowerbird:problem:too-many-requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert (await limited.get("/health/live")).status_code == 200
    assert (await limited.get("/v1/things", headers=bearer(SCHOOL))).status_code == 429


async def test_strangers_behind_the_address_of_a_school_do_not_shut_its_key_out(health: Health) -> None:
    application = create_app("test", health, Rates(address=20, key=40, issuer=60))
    keys = ApiKeys(stored := MemoryKeys())
    keys.count_known(application)
    mine = stored.add("northside", "evidence:read")

    @application.get("/v1/things")
    async def read(caller: Annotated[Caller, Depends(keys.allowed("evidence:read"))]) -> str:
        return caller.issuer_id

    async with AsyncClient(transport=ASGITransport(application), base_url="http://test") as client:
        assert await statuses(client, "GET", "/v1/things", 1, **bearer(mine)) == [200]
        assert (await statuses(client, "GET", "/badges/1", 12))[-1] == 429
        # Its own rate still holds, at paths too that ask for no key.
        assert await statuses(client, "GET", "/v1/things", 10, **bearer(mine)) == [200] * 10
        assert await statuses(client, "GET", "/badges/1", 11, **bearer(mine)) == [404] * 9 + [429] * 2
        assert await statuses(client, "GET", "/v1/things", 1, **bearer(new_key())) == [429]


async def test_a_post_without_a_key_counts_as_five(limited: AsyncClient) -> None:
    assert await statuses(limited, "POST", "/v1/verify", 4) == [404, 404, 429, 429]


async def test_who_tries_keys_is_stopped(limited: AsyncClient) -> None:
    assert await statuses(limited, "GET", "/v1/things", 4, **bearer("bb_unknown")) == [401, 401, 429, 429]


async def test_a_valid_key_has_a_rate_of_its_own_whatever_its_address_did_not_use(limited: AsyncClient) -> None:
    assert await statuses(limited, "GET", "/v1/things", 22, **bearer(SCHOOL)) == [200] * 20 + [429] * 2
    assert await statuses(limited, "GET", "/nothing", 1) == [404]


SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


@pytest.mark.parametrize(
    "path",
    ["/v1/things/northside", "/v1/nothing", "/v1/conflict", "/v1/away", "/v1/defect", "/health/live", "/v1/things/"],
)
async def test_every_answer_has_the_headers_of_security(app: FastAPI, path: str) -> None:
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="https://test") as client:
        answer = await client.get(path, headers=bearer(SCHOOL))
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_over_http_there_is_no_promise_of_https(client: AsyncClient) -> None:
    assert "strict-transport-security" not in (await client.get("/health/live")).headers


async def test_a_slash_too_many_leads_nowhere(client: AsyncClient) -> None:
    async with AsyncClient(transport=ASGITransport(metrics_app()), base_url="http://test") as inner:
        for asked, path in (
            (client, "/v1/conflict/"),
            (client, "/docs/"),
            (client, "/health/live/"),
            (inner, "/metrics/"),
        ):
            answer = await asked.get(path, headers={"Host": "elsewhere.example"})
            assert answer.status_code == 404
            assert "location" not in answer.headers


async def test_another_method_is_405_and_says_which_there_are(client: AsyncClient) -> None:
    answer = await client.delete("/v1/conflict")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_405_names_the_methods_of_every_route_with_this_path(app: FastAPI, client: AsyncClient) -> None:
    later = APIRouter()

    @later.put("/v1/conflict")
    async def change() -> None:
        """Change it."""

    app.include_router(later)
    answer = await client.delete("/v1/conflict")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PUT")


async def test_without_docs_there_is_no_document_to_read(health: Health) -> None:
    application = create_app("test", health, docs=False)
    async with AsyncClient(transport=ASGITransport(application), base_url="http://test") as client:
        for path in ("/docs", "/openapi.json", "/docs/start.js"):
            assert (await client.get(path)).status_code == 404


async def test_the_reference_page_needs_nothing_from_elsewhere(client: AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "http" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    named = re.findall(r"""(?:src|href)="([^"]*)\"""", page.text)
    assert named == ["data:,", "docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/start.js"]
    assert "<script>" not in page.text
    for path in named[1:]:
        file = await client.get(f"/{path}")
        assert file.status_code == 200, path
        assert "sourceMappingURL=http" not in file.text
    style = (await client.get("/docs/swagger-ui.css")).text
    assert not re.findall(r"""url\((?!["']?data:)|@import""", style)
    started = (await client.get("/docs/start.js")).text
    assert 'url: "openapi.json"' in started
    assert "validatorUrl: null" in started
    assert "://" not in page.text + started
    assert (await client.get("/openapi.json")).json()["openapi"].startswith("3.1")
