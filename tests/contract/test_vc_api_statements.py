"""One row per MUST of the data models: what must be issued is issued, what must be refused is refused, with its place.

What must not be issued must not verify either, whoever signed it; the same rows prove that.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import AsyncClient

from libs.openbadges.model.context_urls import CREDENTIALS_V1, CREDENTIALS_V2, EXAMPLES_V2
from tests.contract.vc_api_client import DID, Change, credential, issue, issued, older, problems, served, verify

INLINE = {"Shown": "https://example.org/#Shown", "shown": "https://example.org/#shown"}
HASH = "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC"
ENTRY = {
    "type": "BitstringStatusListEntry",
    "statusPurpose": "revocation",
    "statusListIndex": "94567",
    "statusListCredential": "https://status.example/3",
}
TEXT = {"@value": "Resilience", "@language": "en", "@direction": "ltr"}


def put(**members: Any) -> Change:
    return lambda document: document.update(members)


def drop(name: str) -> Change:
    return lambda document: document.pop(name)


def contexts(*listed: Any) -> Change:
    return put(**{"@context": list(listed)})


GOOD: dict[str, Change] = {
    "4.3 contexts are URLs": contexts(CREDENTIALS_V2, EXAMPLES_V2),
    "4.3 and objects": lambda d: (contexts(CREDENTIALS_V2, INLINE)(d), d["type"].append("Shown")),
    "4.4 an id is optional": drop("id"),
    "4.4 a subject's id is optional": put(credentialSubject={"name": "A learner"}),
    "4.5 a type that a context maps": lambda d: (contexts(CREDENTIALS_V2, EXAMPLES_V2)(d), d["type"].append("Alumni")),
    "4.5 a type that is a URL": lambda d: d["type"].append("https://example.org/#Shown"),
    "4.5 the order of types does not matter": lambda d: d["type"].insert(0, "https://example.org/#Shown"),
    "4.6 a name is text": put(name="Resilience"),
    "4.6 or text in a language": put(name=TEXT, description={"@value": "Going on", "@language": "en-AU"}),
    "4.6 or in several": put(name=[TEXT, {"@value": "Resilienz", "@language": "de"}]),
    "4.6 an issuer's too": put(issuer={"id": DID, "name": TEXT, "description": "A school"}),
    "4.7 an issuer is a URL of anybody": put(issuer="https://foreign.example/issuers/14"),
    "4.7 or an object with one": put(issuer={"id": "did:example:foreign"}),
    "4.8 several subjects": put(credentialSubject=[{"id": "did:example:one"}, {"id": "did:example:two"}]),
    "4.9 milliseconds": put(validFrom="2024-01-01T00:00:00.123Z"),
    "4.9 another zone": put(validUntil="2099-05-12T23:00:00-05:00"),
    "4.9 from the future on": put(validFrom="2199-01-01T00:00:00Z"),
    "4.9 the end of a day": put(validFrom="2024-01-01T24:00:00Z"),
    "4.9 one moment": put(validFrom="2024-01-01T00:00:00Z", validUntil="2024-01-01T00:00:00Z"),
    "4.10 a status": put(credentialStatus={"id": "https://status.example/3#94567", **ENTRY}),
    "4.10 without an id": put(credentialStatus=ENTRY),
    "4.10 several": put(credentialStatus=[ENTRY, {**ENTRY, "statusPurpose": "suspension"}]),
    "4.11 schemas": put(credentialSchema=[{"id": "https://schema.example/1.json", "type": "JsonSchema"}]),
    "5.3 a related resource": put(relatedResource=[{"id": "https://example.org/a.png", "digestSRI": HASH}]),
}

BAD: dict[str, tuple[Change, str]] = {
    "4.3 no contexts": (drop("@context"), "/@context"),
    "4.3 none": (contexts(), "/@context"),
    "4.3 not a list": (put(**{"@context": CREDENTIALS_V2}), "/@context"),
    "4.3 a number": (put(**{"@context": 4}), "/@context"),
    "4.3 the base context missing": (contexts(EXAMPLES_V2), "/@context"),
    "4.3 the base context second": (contexts(EXAMPLES_V2, CREDENTIALS_V2), "/@context"),
    "4.3 an entry that is no URL": (contexts(CREDENTIALS_V2, "https ://not-a-url/"), "/@context/1"),
    "4.3 an entry that is a number": (contexts(CREDENTIALS_V2, 123192875), "/@context/1"),
    "4.3 an entry that is null": (contexts(CREDENTIALS_V2, None), "/@context/1"),
    "4.3 an entry that is a list": (contexts(CREDENTIALS_V2, []), "/@context/1"),
    "4.3 a context nobody knows": (contexts(CREDENTIALS_V2, "https://elsewhere.example/v1"), ""),
    "4.4 an id that is null": (put(id=None), "/id"),
    "4.4 an id that is no URL": (put(id="not a url"), "/id"),
    "4.4 an id that is relative": (put(id="credentials/1"), "/id"),
    "4.4 two ids": (put(id=["urn:x:1", "urn:x:2"]), "/id"),
    "4.4 a subject's id that is no URL": (put(credentialSubject={"id": "pupil 7"}), "/credentialSubject/id"),
    "4.4 a subject with two ids": (put(credentialSubject={"id": ["urn:x:1", "urn:x:2"]}), "/credentialSubject/id"),
    "4.5 no type": (drop("type"), "/type"),
    "4.5 an empty list of types": (put(type=[]), "/type"),
    "4.5 a type that is null": (put(type=["VerifiableCredential", None]), "/type"),
    "4.5 a type that is a number": (put(type=4), "/type"),
    "4.5 another type alone": (put(type=["https://example.org/#Shown"]), "/type"),
    "4.5 a type that nothing maps": (put(type=["VerifiableCredential", "Unmapped"]), ""),
    "4.5 a type mapped to no URL": (
        lambda d: (contexts(CREDENTIALS_V2, {"Shown": "https ://not-a-url#S"})(d), d["type"].append("Shown")),
        "",
    ),
    "4.6 a name that is a number": (put(name=7), "/name"),
    "4.6 a name with more than a language": (put(name={**TEXT, "url": "did:example:x"}), "/name"),
    "4.6 a name without its value": (put(name={"@language": "en"}), "/name"),
    "4.6 a direction that is none": (put(name={**TEXT, "@direction": "up"}), "/name/@direction"),
    "4.6 a language that is none": (put(name={**TEXT, "@language": "en_AU!"}), "/name/@language"),
    "4.6 a description likewise": (put(description={**TEXT, "extra": "x"}), "/description"),
    "4.6 an issuer's name likewise": (put(issuer={"id": DID, "name": {**TEXT, "extra": "x"}}), "/issuer/name"),
    "4.7 no issuer": (drop("issuer"), "/issuer"),
    "4.7 an issuer that is null": (put(issuer=None), "/issuer"),
    "4.7 an issuer that is no URL": (put(issuer="not-a-url"), "/issuer"),
    "4.7 an issuer that is a number": (put(issuer=4), "/issuer"),
    "4.7 an issuer that is a list": (put(issuer=[]), "/issuer"),
    "4.7 an issuer without an id": (put(issuer={"name": "A school"}), "/issuer/id"),
    "4.7 an issuer whose id is null": (put(issuer={"id": None}), "/issuer/id"),
    "4.7 an issuer whose id is no URL": (put(issuer={"id": "not-a-url"}), "/issuer/id"),
    "4.8 no subject": (drop("credentialSubject"), "/credentialSubject"),
    "4.8 an empty subject": (put(credentialSubject={}), "/credentialSubject"),
    "4.8 an empty list": (put(credentialSubject=[]), "/credentialSubject"),
    "4.8 an empty one among several": (put(credentialSubject=[{"id": "urn:x:1"}, {}]), "/credentialSubject/1"),
    "4.8 text": (put(credentialSubject="did:example:subject"), "/credentialSubject"),
    "4.8 null": (put(credentialSubject=None), "/credentialSubject"),
    "4.9 a date alone": (put(validFrom="2024-01-01"), "/validFrom"),
    "4.9 no zone": (put(validFrom="2024-01-01T00:00:00"), "/validFrom"),
    "4.9 no such month": (put(validUntil="2024-13-01T00:00:00Z"), "/validUntil"),
    "4.9 a number": (put(validUntil=1704067200), "/validUntil"),
    "4.9 reversed": (put(validFrom="2025-01-01T00:00:00Z", validUntil="2024-01-01T00:00:00Z"), "/validUntil"),
    "4.10 a status without a type": (put(credentialStatus={"id": "urn:x:1"}), "/credentialStatus/type"),
    "4.10 a status of an unmapped type": (put(credentialStatus={"type": "Unmapped"}), ""),
    "4.10 a status whose id is no URL": (put(credentialStatus={**ENTRY, "id": "no url"}), "/credentialStatus/id"),
    "4.10 a status with two ids": (put(credentialStatus={**ENTRY, "id": ["urn:x:1"]}), "/credentialStatus/id"),
    "4.10 a status that is text": (put(credentialStatus="urn:x:1"), "/credentialStatus"),
    "4.10 no status": (put(credentialStatus=[]), "/credentialStatus"),
    "4.11 a schema without an id": (put(credentialSchema={"type": "JsonSchema"}), "/credentialSchema/id"),
    "4.11 a schema without a type": (put(credentialSchema={"id": "urn:x:1"}), "/credentialSchema/type"),
    "4.11 a schema whose id is no URL": (
        put(credentialSchema={"id": "no url", "type": "JsonSchema"}),
        "/credentialSchema/id",
    ),
    "5.2 a term that nothing defines": (put(favouriteColour="blue"), ""),
    "5.2 one in the subject": (put(credentialSubject={"id": "urn:x:1", "mood": "good"}), ""),
    "5.2 a protected term defined again": (
        contexts(CREDENTIALS_V2, {"VerifiableCredential": "https://example.org/#Mine"}),
        "",
    ),
    "5.3 a resource without a digest": (put(relatedResource={"id": "urn:x:1"}), "/relatedResource"),
    "5.3 a resource without an id": (put(relatedResource={"digestSRI": HASH}), "/relatedResource/id"),
    "5.3 a resource that is text": (put(relatedResource="https://example.org/a.png"), "/relatedResource"),
    "5.3 a digest that is none": (put(relatedResource={"id": "urn:x:1", "digestSRI": "md5-AA"}), "/relatedResource"),
    "5.3 a resource twice": (
        put(relatedResource=[{"id": "urn:x:1", "digestSRI": HASH}, {"id": "urn:x:1", "digestSRI": HASH}]),
        "/relatedResource/1",
    ),
    "5.3 another digest than the resource's": (
        put(relatedResource={"id": CREDENTIALS_V2, "digestSRI": HASH}),
        "/relatedResource",
    ),
    "5.4 a refresh service without a type": (put(refreshService={"id": "urn:x:1"}), "/refreshService/type"),
    "5.4 one whose id is no URL": (put(refreshService={"id": "no url", "type": "R"}), "/refreshService/id"),
    "5.5 terms of use without a type": (put(termsOfUse={"id": "urn:x:1"}), "/termsOfUse/type"),
    "5.6 evidence without a type": (put(evidence=[{"id": "urn:x:1"}]), "/evidence/0/type"),
    "5.6 evidence that is text": (put(evidence="https://example.org/video"), "/evidence"),
    "5.9 a render method without a type": (put(renderMethod={"id": "urn:x:1"}), "/renderMethod/type"),
    "BSL 2.1 no purpose": (put(credentialStatus={**ENTRY, "statusPurpose": None}), "/credentialStatus/statusPurpose"),
    "BSL 2.1 an index that is a number": (
        put(credentialStatus={**ENTRY, "statusListIndex": 7}),
        "/credentialStatus/statusListIndex",
    ),
    "BSL 2.1 a negative index": (
        put(credentialStatus={**ENTRY, "statusListIndex": "-1"}),
        "/credentialStatus/statusListIndex",
    ),
    "BSL 2.1 a list that is no URL": (
        put(credentialStatus={**ENTRY, "statusListCredential": "list"}),
        "/credentialStatus/statusListCredential",
    ),
    "BSL 2.1 the list's own URL as id": (
        put(credentialStatus={**ENTRY, "id": ENTRY["statusListCredential"]}),
        "/credentialStatus/id",
    ),
    "BSL 2.1 no bits": (put(credentialStatus={**ENTRY, "statusSize": 0}), "/credentialStatus/statusSize"),
    "BSL 2.1 two bits without messages": (
        put(credentialStatus={**ENTRY, "statusSize": 2}),
        "/credentialStatus/statusMessage",
    ),
    "BSL 2.2 a list of no type": (
        lambda d: (d["type"].append("BitstringStatusListCredential"), d.update(credentialSubject={"id": "urn:x:1"})),
        "/credentialSubject/type",
    ),
}

OLDER_BAD: dict[str, tuple[Change, str]] = {
    "4.6 no date": (drop("issuanceDate"), "/issuanceDate"),
    "4.6 a date that is none": (put(issuanceDate="yesterday"), "/issuanceDate"),
    "4.7 reversed": (put(expirationDate="2019-01-01T00:00:00Z"), "/expirationDate"),
    "4.9 a status without an id": (
        put(credentialStatus={"type": "https://example.org/#Status"}),
        "/credentialStatus/id",
    ),
    "5.4 a schema without an id": (put(credentialSchema={"type": "JsonSchemaValidator2018"}), "/credentialSchema/id"),
    "4.1 both versions": (contexts(CREDENTIALS_V1, CREDENTIALS_V2), ""),
}


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[AsyncClient]:
    async with served() as connected:
        yield connected


@pytest.mark.parametrize("statement", GOOD)
async def test_what_the_data_model_allows_is_issued(client: AsyncClient, statement: str) -> None:
    sent = credential(GOOD[statement])
    signed = await issued(client, sent)
    assert {name: value for name, value in signed.items() if name != "proof"} == sent
    answer = await verify(client, signed, checks=["proof"])
    refused = problems(answer) - {("issuer", "fail"), ("dates", "fail")} if answer.status_code == 400 else set()
    assert not refused, answer.text


@pytest.mark.parametrize("statement", BAD)
async def test_what_the_data_model_forbids_is_neither_issued_nor_verified(client: AsyncClient, statement: str) -> None:
    change, place = BAD[statement]
    await _refused(client, credential(change), place, await issued(client, credential()))


@pytest.mark.parametrize("statement", OLDER_BAD)
async def test_what_version_1_1_forbids_is_neither_issued_nor_verified(client: AsyncClient, statement: str) -> None:
    change, place = OLDER_BAD[statement]
    await _refused(client, older(change), place, await issued(client, older()))


async def _refused(client: AsyncClient, document: dict[str, Any], place: str, signed: dict[str, Any]) -> None:
    answer = await issue(client, document)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"].startswith(f"/credential{place}")
    answer = await verify(client, {**document, "proof": signed["proof"]})
    assert answer.status_code == 400
    assert answer.json()["verified"] is False
    # Not for its proof alone, which is another document's.
    assert {check for check, _ in problems(answer)} & {"format", "context"}, answer.text


async def test_a_credential_of_version_1_1_gets_the_context_that_its_proof_needs(client: AsyncClient) -> None:
    signed = await issued(client, older())
    assert signed["@context"] == [CREDENTIALS_V1, "https://w3id.org/security/data-integrity/v2"]
    assert (await verify(client, signed)).status_code == 200
