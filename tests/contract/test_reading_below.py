"""Who reads what stands below: each call of each service, with each kind of key."""

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from bowerbird import openapi
from libs.access.api_keys import ApiKeys, ReadingGate
from libs.access.audit_api import audit_routes
from libs.access.scopes import READING
from libs.common.health import Health
from libs.common.http import create_app
from tests.keys_in_memory import MemoryKeys

KEYED = ("evidence", "issuer", "notifier")
PLACES = {"wattle": ["north", "department"], "north": ["department"], "south": ["department"]}


class Places:
    async def above(self, organisation_id: str) -> Sequence[str]:
        return PLACES.get(organisation_id, [])


def gates(dependant: Dependant) -> list[object]:
    """What a route depends on."""
    below = [gate for each in dependant.dependencies for gate in gates(each)]
    return [dependant.call, *below]


def routes(app: FastAPI) -> Iterator[APIRoute]:
    """Every route of the routers that the application includes."""
    for included in app.routes:
        router = getattr(included, "original_router", None)
        for each in () if router is None else router.routes:
            if isinstance(each, APIRoute):
                yield each


@pytest.fixture(scope="module")
async def applications() -> dict[str, FastAPI]:
    return {name: await openapi.built(name) for name in KEYED}


async def test_every_call_whose_scope_reads_takes_one_below_and_no_other_call_does(
    applications: dict[str, FastAPI],
) -> None:
    walked = 0
    for name, app in applications.items():
        paths = app.openapi()["paths"]
        for route in routes(app):
            method = min(route.methods or {"GET"})
            security = paths[route.path][method.lower()].get("security")
            if security is None:
                continue
            (scope,) = security[0]["apiKey"]
            reads = any(isinstance(each, ReadingGate) for each in gates(route.dependant))
            assert reads == (scope in READING), f"{name} {method} {route.path}"
            # What it is asked with says what changes: a POST among them has the learner in its body.
            assert not reads or method == "GET" or route.path.endswith(("/explanations", "/search"))
            named = {each["name"] for each in paths[route.path][method.lower()].get("parameters", ())}
            assert reads == ("organisation" in named or (reads and "issuer_id" in named))
            walked += 1
    assert walked >= 25


class Log:
    """An audit log that says whose entries were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def of_tenant(self, issuer_id: str, **_: object) -> list[Any]:
        self.asked.append(issuer_id)
        return []


@pytest.mark.parametrize(
    ("home", "scopes", "organisation", "status"),
    [
        ("wattle", ("audit:read",), "wattle", 200),
        ("north", ("audit:read", "below:read"), "wattle", 200),
        ("department", ("audit:read", "below:read"), "wattle", 200),
        ("north", ("audit:read",), "wattle", 404),
        ("north", ("below:read",), "wattle", 403),
        ("south", ("audit:read", "below:read"), "wattle", 404),
        ("wattle", ("audit:read", "below:read"), "north", 404),
        ("north", ("audit:read", "below:read"), "nobody", 404),
    ],
)
async def test_a_key_reads_down_the_tree_by_scope_and_neither_up_nor_across(
    home: str, scopes: Sequence[str], organisation: str, status: int
) -> None:
    stored, log = MemoryKeys(), Log()
    keys = ApiKeys(stored, tree=Places())
    app = create_app("issuer", Health())
    app.include_router(audit_routes("issuer", keys, log))  # type: ignore[arg-type]  # a fake
    headers = {"Authorization": f"Bearer {stored.add(home, *scopes)}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as client:
        answer = await client.get(f"/v1/issuers/{organisation}/audit/issuer")
    assert (answer.status_code, log.asked) == (status, [organisation] if status == 200 else [])


async def test_whoever_reads_below_has_no_right_there_but_to_read() -> None:
    stored = MemoryKeys()
    keys = ApiKeys(stored, tree=Places())
    scopes = ("evidence:read", "evidence:write", "below:read", "credentials:revoke")
    caller = await keys.caller(stored.add("north", *scopes))
    below = await keys._as_one_of("wattle", caller)
    assert (below.issuer_id, below.scopes, below.key_id) == ("wattle", frozenset({"evidence:read"}), caller.key_id)
    assert await keys._as_one_of(None, caller) == caller
    with pytest.raises(ValueError, match="does more than read"):
        keys.reading("credentials:revoke")
