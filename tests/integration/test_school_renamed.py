"""A school renames itself and gets a second key: its old badges still verify, new ones have the new name and key."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from deploy.embedded.stack import Stack
from libs.contracts import topics
from tests.integration.test_issuer_api import RESILIENCE, Tenant, bearer, empty, issued_to

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
async def stack(infrastructure: Stack) -> AsyncIterator[Stack]:
    await empty(infrastructure, topics.EVIDENCE_SUBMITTED, topics.EVIDENCE_DECIDED)
    infrastructure.start("issuer", "verifier")
    yield infrastructure
    infrastructure.stop("issuer")
    infrastructure.stop("verifier")


@pytest.fixture
async def issuer(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url("issuer"), timeout=30) as client:
        yield client


@pytest.fixture
async def verifier(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url("verifier"), timeout=30) as client:
        yield client


async def signed(verifier: httpx.AsyncClient, credential_id: str) -> dict[str, Any]:
    """The credential as its page gives it, once it has arrived there."""
    for _ in range(300):
        answer = await verifier.get(f"/badges/{credential_id}", headers={"Accept": "application/json"})
        if answer.status_code == 200:
            credential: dict[str, Any] = answer.json()
            return credential
        await asyncio.sleep(0.1)
    raise AssertionError(f"the badge never appeared: {answer.text}")


def method_of(credential: dict[str, Any]) -> str:
    proof = credential["proof"]
    return str((proof[0] if isinstance(proof, list) else proof)["verificationMethod"])


async def verdict(verifier: httpx.AsyncClient, credential: dict[str, Any]) -> str:
    """What the verifier says, once it says pass, or after a while."""
    said = ""
    for _ in range(100):
        said = (await verifier.post("/v1/verify", json={"credential": credential})).json()["verdict"]
        if said == "pass":
            break
        await asyncio.sleep(0.1)
    return said


async def test_old_badges_verify_and_new_ones_have_the_new_name_and_the_new_key(
    stack: Stack, issuer: httpx.AsyncClient, verifier: httpx.AsyncClient
) -> None:
    admin = bearer(stack.admin_key)
    school = await Tenant(issuer, admin, "wattle").onboard(name="Wattle Grove Primary School", parent=None)
    await issuer.post("/v1/achievements", headers=school.headers, json={**RESILIENCE, "shared": False})
    old = await signed(verifier, await issued_to(stack, issuer, 7001, "renamed-1"))
    assert await verdict(verifier, old) == "pass"

    renamed = await issuer.put(
        "/v1/issuers/wattle/profile", headers=school.headers, json={"name": "Wattle Grove Community College"}
    )
    assert renamed.status_code == 200
    keys = "/v1/issuers/wattle/signing-keys"
    added = await issuer.post(keys, headers=school.headers)
    assert added.status_code == 201
    activated = await issuer.patch(f"{keys}/{added.json()['id']}", headers=school.headers, json={"state": "active"})
    assert activated.status_code == 200, activated.text

    new = await signed(verifier, await issued_to(stack, issuer, 7002, "renamed-2"))
    assert (old["issuer"]["name"], new["issuer"]["name"]) == (
        "Wattle Grove Primary School",
        "Wattle Grove Community College",
    )
    assert old["issuer"]["id"] == new["issuer"]["id"] == school.did
    methods = [method_of(old), method_of(new)]
    assert methods[0] != methods[1]
    assert methods[1].endswith(added.json()["id"])
    assert await verdict(verifier, new) == "pass"
    assert await verdict(verifier, old) == "pass"

    page = await verifier.get("/achievements/wattle/resilience/1", headers={"Accept": "application/json"})
    assert page.json()["creator"]["name"] == "Wattle Grove Community College"
