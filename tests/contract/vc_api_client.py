"""The VC API as `bowerbird conformance` serves it, without its socket, and credentials to send to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from pydantic import AnyHttpUrl

from conformance.issuing.state import Secrets
from conformance.server import build
from libs.access.key_text import new_key
from libs.common.workers.threads import Threads
from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.model.context_urls import CREDENTIALS_V1, CREDENTIALS_V2
from services.verifier.service import ServiceSettings, serve
from services.verifier.vc_api.models import VerifyAnswer
from tests.verifier_doubles import MemoryRepository, NoRegistries

BASE = "https://127.0.0.1:8443"
NOW = datetime(2026, 11, 23, 17, 20, tzinfo=UTC)
API_KEY = new_key()
BEARER = {"Authorization": f"Bearer {API_KEY}"}
SECRETS = Secrets(b"e" * 32, b"p" * 32, b"i" * 32)
HOLDER = Ed25519Key.from_seed(SECRETS.ed25519)
DID = did_key(HOLDER.public_multibase)
METHOD = verification_method(DID, HOLDER.public_multibase)
VC_ID = "urn:uuid:86294362-4254-4f36-854f-3952fe42555d"

Change = Callable[[dict[str, Any]], Any]


@asynccontextmanager
async def served() -> AsyncIterator[AsyncClient]:
    app, _ = build(BASE, API_KEY, SECRETS, lambda: NOW)
    async with AsyncClient(transport=ASGITransport(app), base_url=BASE, timeout=30) as client:
        yield client


@asynccontextmanager
async def production_verifier() -> AsyncIterator[AsyncClient]:
    """The verifier service's own calls, as everybody has them."""
    app = FastAPI()
    threads = Threads(2, waiting=256, seconds=5)
    settings = ServiceSettings(public_url=AnyHttpUrl(BASE))
    serve(
        app,
        MemoryRepository(),
        settings,
        lambda: NOW,
        strangers=threads,
        pictures=threads,
        registries=NoRegistries(),
    )
    async with AsyncClient(transport=ASGITransport(app), base_url=BASE, timeout=30) as client:
        yield client


def credential(*changes: Change, **more: Any) -> dict[str, Any]:
    """A credential of version 2.0 that says as much as a good one may."""
    document: dict[str, Any] = {
        "@context": [CREDENTIALS_V2],
        "id": VC_ID,
        "type": ["VerifiableCredential"],
        "issuer": DID,
        "credentialSubject": {"id": "did:example:subject"},
        **deepcopy(more),
    }
    for change in changes:
        change(document)
    return document


def older(*changes: Change, **more: Any) -> dict[str, Any]:
    """A credential of version 1.1."""
    document = credential(**more)
    document["@context"] = [CREDENTIALS_V1]
    document["issuanceDate"] = "2020-03-16T22:37:26.544Z"
    for change in changes:
        change(document)
    return document


async def issue(client: AsyncClient, document: Any, instance: str = "eddsa-rdfc-2022", options: Any = None) -> Response:
    body = {"credential": document, "options": options or {}}
    return await client.post(f"/instances/{instance}/credentials/issue", json=body, headers=BEARER)


async def issued(client: AsyncClient, document: Any, instance: str = "eddsa-rdfc-2022") -> dict[str, Any]:
    answer = await issue(client, document, instance)
    assert answer.status_code == 201, answer.text
    signed: dict[str, Any] = answer.json()["verifiableCredential"]
    return signed


async def verify(client: AsyncClient, document: Any, **options: Any) -> Response:
    body = {"verifiableCredential": document, "options": options}
    return as_documented(await client.post("/credentials/verify", json=body))


def as_documented(answer: Response) -> Response:
    """The answer of a verifying call, held to its model unless the request was refused as a problem."""
    if answer.headers["content-type"] == "application/json":
        VerifyAnswer.model_validate_json(answer.content)
    return answer


def problems(answer: Response) -> set[tuple[str, str]]:
    """Check and outcome of every problem that was told."""
    return {(one["check"], one["outcome"]) for one in answer.json()["problemDetails"]}
