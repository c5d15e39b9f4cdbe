"""A school changes: its name, its keys, what it makes public, whether it may issue. Its old badges still verify."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from deploy.embedded.stack import Stack
from libs.contracts import topics
from libs.contracts.events import Event, EvidenceDecided, Outcome
from tests.integration.test_issuer_api import (
    RESILIENCE,
    Tenant,
    bearer,
    decisions,
    issued_to,
    read,
    send,
)
from tests.issuer_doubles import evidence
from tests.topic_reading import empty

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
async def stack(infrastructure: Stack) -> AsyncIterator[Stack]:
    await empty(
        infrastructure.kafka_bootstrap, topics.EVIDENCE_SUBMITTED, topics.EVIDENCE_BULK, topics.EVIDENCE_DECIDED
    )
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


async def reported(verifier: httpx.AsyncClient, credential: dict[str, Any], *, suspended: bool) -> dict[str, Any]:
    """The report, once it passes and says so of the issuer's suspension, or after a while."""
    said: dict[str, Any] = {}
    for _ in range(100):
        said = (await verifier.post("/v1/verify", json={"credential": credential})).json()
        organisation = said["signer"]["organisation"] or {}
        if said["verdict"] == "pass" and bool(organisation.get("suspension")) is suspended:
            break
        await asyncio.sleep(0.1)
    return said


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


async def test_a_suspended_school_issues_nothing_until_it_is_resumed_and_its_badges_say_so(
    stack: Stack, issuer: httpx.AsyncClient, verifier: httpx.AsyncClient
) -> None:
    admin = bearer(stack.admin_key)
    school = await Tenant(issuer, admin, "wattle").onboard(name="Wattle", parent=None, public_evidence=True)
    await issuer.post("/v1/achievements", headers=school.headers, json={**RESILIENCE, "shared": False})
    old = await signed(verifier, await issued_to(stack, issuer, 7101, "suspended-1"))
    assert [each["name"] for each in old["evidence"]] == ["Raft building"]

    url = "/v1/issuers/wattle/suspension"
    refused = await issuer.put(url, headers=school.headers, json={"reason": "security"})
    assert refused.status_code == 403
    suspended = [await issuer.put(url, headers=admin, json={"reason": "security"}) for _ in range(2)]
    assert suspended[0].json() == suspended[1].json(), suspended[0].text
    assert suspended[0].json()["suspension"]["reason"] == "security"
    piece = evidence(7102, learner="suspended-2", source_id="api-7102")
    await send(stack, piece)
    waits = (await decisions(stack, piece))[piece.submission_id]
    assert (waits.outcome, waits.reason) == (Outcome.WAITING, "issuer_suspended")
    report = await reported(verifier, old, suspended=True)
    assert (report["verdict"], report["signer"]["standing"]) == ("pass", "registered")
    assert report["signer"]["organisation"]["suspension"]["reason"] == "security"
    page = await verifier.get(old["id"].removeprefix(stack.url("verifier")), headers={"Accept": "text/html"})
    assert "registered here, suspended since" in page.text

    private = await issuer.put("/v1/issuers/wattle/profile", headers=school.headers, json={"name": "Wattle"})
    assert (private.json()["public_evidence"], private.json()["suspension"]["reason"]) == (False, "security")
    resumed = [await issuer.delete(url, headers=admin) for _ in range(2)]
    assert [each.json()["suspension"] for each in resumed] == [None, None]

    def issued(events: list[Event]) -> list[EvidenceDecided]:
        return [
            each
            for each in events
            if isinstance(each, EvidenceDecided) and (each.submission_id, each.sequence) == (piece.submission_id, 2)
        ]

    (later,) = issued(await read(stack, issued, topics.EVIDENCE_DECIDED.name))
    assert later.outcome is Outcome.ISSUED
    new = await signed(verifier, str(later.credential_id))
    assert "evidence" not in new
    report = await reported(verifier, new, suspended=False)
    assert (report["verdict"], report["signer"]["organisation"]["suspension"]) == ("pass", None)
    assert (await issuer.put("/v1/issuers/nobody/suspension", headers=admin, json={"reason": "x"})).status_code == 400
    assert (await issuer.delete("/v1/issuers/nobody/suspension", headers=admin)).status_code == 404
