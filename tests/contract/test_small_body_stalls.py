"""Bodies of 64 kB made to keep issuer and notifier busy: their event loops go on answering others."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from libs.access.api_keys import ApiKeys
from libs.access.scopes import Scope
from libs.common.body_limits import MOST_BYTES
from libs.common.contact_details import ContactPolicy, _holds_email, _holds_telephone
from libs.common.errors import ConflictError
from libs.common.health import Health
from libs.common.http import create_app
from libs.common.stalls import LONGEST_STALL_SECONDS
from libs.contracts.results import SoloLevel
from services.issuer.access.api import access_routes
from services.issuer.catalogue.achievement_api import achievement_routes
from services.issuer.catalogue.achievements import Achievements
from services.issuer.catalogue.api import issuer_routes, profile_routes
from services.issuer.catalogue.repository import CatalogueEvent
from services.issuer.credentials.api import credential_routes
from services.issuer.keys.api import signing_key_routes
from services.issuer.urls import Urls
from services.notifier.deliveries.api import routes as delivery_routes
from tests.ids import IDS
from tests.issuer_doubles import MemoryCatalogue, issuer
from tests.keys_in_memory import GRANTED_AT, MemoryKeys
from tests.stalls import watched

BADGE = "0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11"


class _Refusing:
    """Any part of a service, at the moment where it would store or publish."""

    def __getattr__(self, name: str) -> Any:
        async def refuse(*_: Any, **__: Any) -> Any:
            raise ConflictError("enough")

        return refuse


class _Empty(MemoryCatalogue):
    async def newest_version(self, *_: Any) -> None:
        return None


class _Publishing:
    """Publishes at once whatever it is given."""

    async def newest(self, *_: Any) -> None:
        return None

    async def publish(self, event: CatalogueEvent, *_: Any, **__: Any) -> tuple[CatalogueEvent, bool]:
        return event, True


def services(keys: ApiKeys, contact_policy: ContactPolicy) -> FastAPI:
    """The routes of issuer and notifier that take bodies."""
    app = create_app("issuer and notifier", Health())
    nothing: Any = _Refusing()
    catalogue: Any = _Empty([issuer()], [])
    publications: Any = _Publishing()
    achievements = Achievements(
        catalogue=catalogue,
        publications=publications,
        urls=Urls("https://badges.example"),
        clock=lambda: GRANTED_AT,
        contact_policy=contact_policy,
    )
    for router in (
        issuer_routes(keys, nothing),
        profile_routes(keys, nothing),
        achievement_routes(keys, achievements, lambda: GRANTED_AT),
        access_routes(keys, nothing, nothing),
        signing_key_routes(keys, nothing),
        credential_routes(keys, nothing, nothing),
        delivery_routes(nothing, nothing, keys, IDS, lambda: GRANTED_AT),
    ):
        app.include_router(router)
    return app


@pytest.fixture(scope="module", params=[ContactPolicy.WARN])
async def http(request: pytest.FixtureRequest) -> AsyncIterator[AsyncClient]:
    known = MemoryKeys()
    key = known.add("wattle", *(scope.value for scope in Scope))
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    async with AsyncClient(
        transport=ASGITransport(services(ApiKeys(known), request.param)), base_url="https://x.example", headers=headers
    ) as client:
        yield client


def filled(before: bytes, one: bytes, after: bytes) -> bytes:
    """A body as long as is taken, made of one thing again and again."""
    return before + one * ((MOST_BYTES - len(before) - len(after)) // len(one)) + after


NAMES = b",".join(b'"%x":0' % number for number in range(6_500))
LEVEL = b'{"level":"relational","description":"%b"}'
LEVELS = [LEVEL.replace(b"relational", each.value.encode()) for each in SoloLevel]
GOOD = b'"id":"a","name":"A","description":"%b","criteria":"%b","required_level":"relational","levels":[%b]'
NUMBERS = [(b"%c-0412345678 " % letter * 400)[:4_999] for letter in b"abcdefg"]
BODIES = {
    "unknown fields": b"{" + NAMES + b"}",
    "a field again and again": filled(b"{", b'"name":"x",', b'"name":"x"}'),
    "unknown fields in a level": b'{"levels":[{' + NAMES + b"}]}",
    "levels that are none": filled(b'{"levels":[', b"0,", b"0]}"),
    "levels that are empty": filled(b'{"levels":[', b"{},", b"{}]}"),
    "scopes that there are not": filled(b'{"name":"x","scopes":[', b'"a",', b'"a"]}'),
    "a list for a text": filled(b'{"name":[', b"0,", b"0]}"),
    "a very deep list": filled(b'{"name":', b"[", b""),
    "a list of depth": b'{"name":' + b"[" * 900 + b"]" * 900 + b"}",
    "a long number": filled(b'{"required_score":', b"9", b"}"),
    "a long name": filled(b'{"id":"x","name":"', b"x", b'"}'),
    "a name of accents": filled(b'{"id":"x","name":"a', "\u0301\u0327".encode(), b'"}'),
    "a name that is invisible": filled(b'{"id":"x","name":"', "\u200b".encode(), b'"}'),
    "a long URL": filled(b'{"id":"x","name":"x","url":"https://', b"a.", b'"}'),
    "a URL of escapes": filled(b'{"id":"x","name":"x","url":"https://a.example/', b"%41", b'"}'),
    "a URL of parameters": filled(b'{"id":"x","name":"x","url":"https://a.example/?', b"a=b&", b'"}'),
    "a long address": filled(b'{"id":"x","name":"x","email":"', b"a.", b'@x.example"}'),
    "a long domain": filled(b'{"id":"x","name":"x","email":"a@', "ä.".encode(), b'example"}'),
    "a text like a telephone number": filled(b'{"note":"', b"0 4-", b'"}'),
    "a note of addresses": filled(b'{"reason":"other","note":"', b"a@b.", b'"}'),
    "an achievement of long texts": b"{" + GOOD % (b"x. " * 1_600, b"a@b " * 1_200, LEVEL % (b"1 2-" * 1_200)) + b"}",
    "an achievement of numbers": b"{"
    + GOOD % (*NUMBERS[:2], b",".join(LEVELS[at] % each for at, each in enumerate(NUMBERS[2:])))
    + b"}",
    "a rule of many conditions": filled(
        b'{"id":"x","name":"x","rule":{"type":"any","of":[', b'{"type":"evidence"},', b'{"type":"evidence"}]}}'
    ),
    "a rule of groups": b'{"id":"x","name":"x","rule":' + b'{"type":"all","of":[' * 200 + b"]}" * 200 + b"}",
    "an achievement of marks": b"{" + GOOD % ("e\u0301".encode() * 2_500, b"https://" * 600, LEVEL % b"x") + b"}",
}
CALLS = [
    ("POST", "/v1/issuers"),
    ("PUT", "/v1/issuers/wattle/profile"),
    ("PUT", "/v1/issuers/wattle/suspension"),
    ("POST", "/v1/achievements"),
    ("POST", "/v1/issuers/wattle/keys"),
    ("POST", "/v1/issuers/wattle/signing-keys"),
    ("PATCH", "/v1/issuers/wattle/signing-keys/x"),
    ("POST", f"/v1/credentials/{BADGE}/revoke"),
    ("POST", f"/v1/credentials/{BADGE}/take-down"),
    ("POST", f"/v1/deliveries/{BADGE}/send-again"),
]


@pytest.mark.parametrize("name", BODIES)
async def test_no_body_keeps_issuer_or_notifier_from_answering(http: AsyncClient, name: str) -> None:
    stalls = {}
    for method, path in CALLS:
        async with watched() as monitor:
            response = await http.request(method, path, content=BODIES[name])
        assert response.status_code < 500
        assert len(response.content) < MOST_BYTES
        stalls[path] = monitor.held_seconds
    assert max(stalls.values()) < LONGEST_STALL_SECONDS, stalls


@pytest.mark.parametrize("http", ContactPolicy, indirect=True)
@pytest.mark.parametrize("name", [each for each in BODIES if each.startswith("an achievement")])
async def test_no_texts_of_an_achievement_that_is_published_keep_the_issuer_from_answering(
    http: AsyncClient, name: str
) -> None:
    _holds_email.cache_clear()
    _holds_telephone.cache_clear()
    async with watched() as monitor:
        response = await http.post("/v1/achievements", content=BODIES[name])
    assert response.status_code == 201
    assert monitor.held_seconds < LONGEST_STALL_SECONDS


@pytest.mark.parametrize("query", ["credential_id=" + "a" * 30_000, "credential_id=x&" * 2_000, "%41=" * 7_000])
async def test_no_query_keeps_the_notifier_from_answering(http: AsyncClient, query: str) -> None:
    async with watched() as monitor:
        response = await http.get(f"/v1/deliveries?{query}")
    assert response.status_code == 400
    assert monitor.held_seconds < LONGEST_STALL_SECONDS
