"""A query parameter that is not known, or that comes twice, is refused by name; a page for anybody takes all."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import uuid4

import pytest
from fastapi import Depends, FastAPI, Query, Request
from httpx import ASGITransport, AsyncClient

from libs.common.health import Health
from libs.common.http import create_app
from services.evidence.batches.body import Limits
from tests.evidence_doubles import MemoryBatches, Published, evidence_app


class Gate:
    """Lets everybody in, as the dependency that asks for a key does those who have one."""

    async def admit(self, request: Request) -> None:
        return None

    async def __call__(self, organisation: str | None = None) -> str:
        return organisation or "own"


@pytest.fixture
def app() -> FastAPI:
    app, gate = create_app("test", Health()), Depends(Gate())

    @app.get("/things")
    async def list_things(
        whose: Annotated[str, gate], state: Annotated[str, Query()] = "any", dry_run: Annotated[bool, Query()] = False
    ) -> list[str]:
        return [whose, state, str(dry_run)]

    @app.post("/things", dependencies=[gate])
    async def add_thing() -> None:
        """Has no parameter of its own."""

    @app.get("/page")
    async def read_page() -> str:
        return "a page"

    @app.get("/search")
    async def search(words: str = "") -> str:
        return words

    return app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(app), base_url="https://test.example") as client:
        yield client


@pytest.mark.parametrize(
    ("asked", "field", "reason"),
    [
        ("/things?statee=revoked", "statee", "unknown parameter; did you mean state?"),
        ("/things?state=a&dry-run=true", "dry-run", "unknown parameter; did you mean dry_run?"),
        ("/things?Dry_Run=true", "Dry_Run", "unknown parameter; did you mean dry_run?"),
        ("/things?organization=x", "organization", "unknown parameter; did you mean organisation?"),
        ("/things?=x", "", "unknown parameter; known are dry_run, organisation, state"),
        (f"/things?{'z' * 99}=1", "z" * 40, "unknown parameter; known are dry_run, organisation, state"),
        ("/search?word=a", "word", "unknown parameter; did you mean words?"),
        ("/things?utm_source=mail", "utm_source", "unknown parameter; known are dry_run, organisation, state"),
    ],
)
async def test_an_unknown_parameter_is_named_with_what_was_probably_meant(
    http: AsyncClient, asked: str, field: str, reason: str
) -> None:
    answer = await http.get(asked)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"field": field, "reason": reason}]


async def test_all_that_are_unknown_are_named_once_and_no_more_than_fifty(http: AsyncClient) -> None:
    answer = await http.get("/things?a=1&b=2&a=3")
    assert [each["field"] for each in answer.json()["errors"]] == ["a", "b"]
    answer = await http.get("/things?" + "&".join(f"p{number}=1" for number in range(500)))
    assert len(answer.json()["errors"]) == 50


@pytest.mark.parametrize("asked", ["/things?state=a&state=b", "/things?state=a&organisation=x&%73tate=a"])
async def test_a_parameter_that_is_given_twice_is_named(http: AsyncClient, asked: str) -> None:
    answer = await http.get(asked)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"field": "state", "reason": "given more than once; give one value"}]


async def test_known_parameters_and_those_of_what_a_call_needs_are_taken(http: AsyncClient) -> None:
    answer = await http.get("/things?state=revoked&dry_run=true&organisation=wattle")
    assert answer.json() == ["wattle", "revoked", "True"]


async def test_a_call_that_asks_for_a_key_and_has_no_parameters_takes_none(http: AsyncClient) -> None:
    assert (await http.post("/things?dry_run=true")).status_code == 400
    assert (await http.post("/things")).status_code == 200


async def test_a_page_for_anybody_takes_what_mail_programs_and_social_sites_add(http: AsyncClient) -> None:
    assert (await http.get("/page?utm_source=mail&fbclid=x")).status_code == 200


async def test_an_upload_whose_dry_run_is_misspelt_takes_nothing_in() -> None:
    batches = MemoryBatches()
    limits = Limits(1 << 20, 1 << 20, 30, 300)
    app = evidence_app(batches, Published(), uuid4, limits, longest_row=65_536, chunk_rows=500)
    async with AsyncClient(transport=ASGITransport(app), base_url="https://evidence.example") as http:
        headers = {"Authorization": "Bearer wattle", "Content-Type": "text/csv"}
        answer = await http.post("/v1/batches?dry-run=true", content=b"source_id\n", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"field": "dry-run", "reason": "unknown parameter; did you mean dry_run?"}]
    assert not batches.rows_of
