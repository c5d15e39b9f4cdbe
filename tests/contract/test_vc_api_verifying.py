"""The VC API's verifying of credentials: 200 for what verifies, 400 with a problem per check for everything else."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import orjson
import pytest
from httpx import AsyncClient

from libs.openbadges.crypto.did import did_key, did_web, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.crypto.multibase import encode_multibase
from libs.openbadges.integrity.suites import VERIFY_SUITES
from libs.openbadges.issue.records import record_document
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.jose.compact import write_compact
from libs.openbadges.model.documents import Profile
from tests.contract.vc_api_client import (
    DID,
    HOLDER,
    METHOD,
    NOW,
    credential,
    issued,
    older,
    problems,
    production_verifier,
    served,
    verify,
)

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[AsyncClient]:
    async with served() as connected:
        yield connected


def signed_with(**options: Any) -> dict[str, Any]:
    """A credential whose proof is good and has these options as well; None leaves one out."""
    document = credential()
    whole = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-rdfc-2022",
        "created": "2026-11-20T09:00:00Z",
        "verificationMethod": METHOD,
        "proofPurpose": "assertionMethod",
        **options,
    }
    proof = {name: value for name, value in whole.items() if value is not None}
    suite = VERIFY_SUITES["eddsa-rdfc-2022"]
    value = HOLDER.sign(suite.signing_input(VERIFY_SUITES.canonical(document), proof))
    return {**document, "proof": {**proof, "proofValue": encode_multibase(value)}}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"created": None},
        {"created": "2025-11-20T09:00:00+11:00"},
        {"created": "2026-11-20T09:00:00"},
        {"expires": "2027-01-01T00:00:00Z"},
        {"domain": "verifier.example", "challenge": "1235abcd6789"},
        {"domain": ["verifier.example", "other.example"]},
        {"id": "urn:uuid:0f4ac6a1-59e9-4a3c-95ad-000000000001"},
    ],
)
async def test_a_proof_with_what_a_proof_may_have_verifies(client: AsyncClient, options: dict[str, Any]) -> None:
    answer = await verify(client, signed_with(**options))
    assert answer.status_code == 200, answer.text
    assert answer.json()["verified"] is True
    assert answer.json()["problemDetails"] == answer.json()["errors"] == []


@pytest.mark.parametrize(
    "options",
    [
        {"proofPurpose": "authentication"},
        {"proofPurpose": "capabilityInvocation"},
        {"proofPurpose": None},
        {"verificationMethod": None},
        {"verificationMethod": "did:key:invalidVm"},
        {"created": "invalidDate"},
        {"created": "2026-11-20"},
        {"expires": "invalidDate"},
        {"expires": "2026-11-23T17:00:00"},
        {"expires": "2026-11-23T17:00:00Z"},
    ],
)
async def test_a_proof_that_is_wrong_whatever_its_value_does_not(client: AsyncClient, options: dict[str, Any]) -> None:
    answer = await verify(client, signed_with(**options))
    assert answer.status_code == 400
    assert ("proof", "fail") in problems(answer), answer.text


@pytest.mark.parametrize(
    "change",
    [
        lambda proof: proof.pop("type"),
        lambda proof: proof.update(type="UnknownProofType"),
        lambda proof: proof.update(type=None),
        lambda proof: proof.pop("cryptosuite"),
        lambda proof: proof.update(cryptosuite="UnknownCryptosuite"),
        lambda proof: proof.update(cryptosuite=["eddsa-rdfc-2022"]),
        lambda proof: proof.update(cryptosuite="eddsa-jcs-2022"),
        lambda proof: proof.update(cryptosuite="ecdsa-rdfc-2019"),
        lambda proof: proof.pop("created"),
        lambda proof: proof.pop("verificationMethod"),
        lambda proof: proof.pop("proofPurpose"),
        lambda proof: proof.pop("proofValue"),
        lambda proof: proof.update(proofValue=None),
        lambda proof: proof.update(proofValue=proof["proofValue"][1:]),
        lambda proof: proof.update(proofValue="u" + proof["proofValue"][1:]),
        lambda proof: proof.update(proofValue="m" + proof["proofValue"][1:]),
        lambda proof: proof.update(proofValue=proof["proofValue"][:-1]),
        lambda proof: proof.update(proofValue=proof["proofValue"] + "1"),
        lambda proof: proof.update(proofValue="z" + "1" * 64),
        lambda proof: proof.update(domain=7),
        lambda proof: proof.update(challenge=["x"]),
        lambda proof: proof.update(id="no url"),
        lambda proof: proof.update(undefinedTerm="x"),
        lambda proof: proof.update(previousProof="urn:uuid:0f4ac6a1-59e9-4a3c-95ad-000000000009"),
        lambda proof: proof.update(previousProof=["urn:uuid:0f4ac6a1-59e9-4a3c-95ad-000000000009"]),
        lambda proof: proof.update(previousProof=7),
    ],
)
async def test_a_proof_that_was_changed_does_not_verify(client: AsyncClient, change: Any) -> None:
    document = signed_with()
    change(document["proof"])
    answer = await verify(client, document)
    assert answer.status_code == 400, answer.text
    assert answer.json()["verified"] is False
    assert "proof" in {check for check, _ in problems(answer)}


@pytest.mark.parametrize("proof", [None, "text", 7, True, [], {}, [None]])
async def test_what_stands_in_a_proofs_place_and_is_none_does_not_verify(client: AsyncClient, proof: Any) -> None:
    answer = await verify(client, {**credential(), "proof": proof})
    assert answer.status_code == 400
    assert ("proof", "fail") in problems(answer)


async def test_a_credential_without_a_proof_does_not_verify(client: AsyncClient) -> None:
    answer = await verify(client, credential())
    assert answer.status_code == 400
    assert answer.json()["verdict"] == "fail"


async def test_one_changed_word_anywhere_does_not_verify(client: AsyncClient) -> None:
    document = signed_with()
    for change in ({"id": "urn:uuid:0f4ac6a1-59e9-4a3c-95ad-000000000002"}, {"credentialSubject": {"id": "did:x:y"}}):
        answer = await verify(client, {**document, **change})
        assert answer.status_code == 400
        assert ("proof", "fail") in problems(answer)


@pytest.mark.parametrize(
    ("options", "status", "reason"),
    [
        ({"expectedProofPurpose": "assertionMethod"}, 200, None),
        ({"expectedProofPurpose": "authentication"}, 400, "proof_purpose"),
        ({"domain": "verifier.example"}, 200, None),
        ({"domain": "domain.example"}, 400, "proof_domain"),
        ({"domain": "verifier.example", "challenge": "1235abcd6789"}, 200, None),
        ({"domain": "verifier.example", "challenge": "other"}, 400, "proof_challenge"),
    ],
)
async def test_what_the_caller_asks_of_the_proof_is_held_to(
    client: AsyncClient, options: dict[str, str], status: int, reason: str | None
) -> None:
    document = signed_with(domain="verifier.example", challenge="1235abcd6789")
    answer = await verify(client, document, **options)
    assert answer.status_code == status, answer.text
    assert [one["reason"] for one in answer.json()["problemDetails"]] == ([reason] if reason else [])


async def test_a_proof_without_a_challenge_does_not_answer_one(client: AsyncClient) -> None:
    answer = await verify(client, signed_with(), challenge="1235abcd6789")
    assert answer.status_code == 400
    assert answer.json()["problemDetails"][0]["type"] == "https://w3id.org/security#INVALID_CHALLENGE_ERROR"


async def test_what_cannot_be_decided_does_not_verify_and_says_so() -> None:
    foreign = Ed25519Key.from_seed(b"f" * 32)
    did = did_web("https://elsewhere.example", "issuers", "far")
    text = sign(prepare(credential(issuer=did)), foreign, verification_method(did, foreign.public_multibase), NOW)
    async with production_verifier() as client:
        answer = await verify(client, orjson.loads(text))
    assert answer.status_code == 400
    assert answer.json()["verdict"] == "unknown"
    assert {one["outcome"] for one in answer.json()["problemDetails"]} == {"unknown"}
    assert all(one["detail"] and one["title"] and one["type"] for one in answer.json()["problemDetails"])


async def test_an_issuer_that_is_not_the_keys_owner_does_not_verify() -> None:
    other = did_key(Ed25519Key.from_seed(b"o" * 32).public_multibase)
    text = sign(prepare(credential(issuer=other)), HOLDER, METHOD, NOW)
    async with production_verifier() as client:
        answer = await verify(client, orjson.loads(text))
    assert answer.status_code == 400
    assert ("issuer", "fail") in problems(answer)


@pytest.mark.parametrize(
    "dates",
    [
        {"validFrom": (NOW + timedelta(days=1)).isoformat()},
        {"validUntil": (NOW - timedelta(seconds=1)).isoformat()},
    ],
)
async def test_a_credential_outside_its_dates_does_not_verify(client: AsyncClient, dates: dict[str, str]) -> None:
    answer = await verify(client, await issued(client, credential(**dates)))
    assert answer.status_code == 400
    assert problems(answer) == {("dates", "fail")}


@pytest.mark.parametrize(("serve", "accepted"), [(served, 200), (production_verifier, 400)])
async def test_conformance_alone_answers_without_looking_whose_key_it_is(
    serve: Callable[[], AbstractAsyncContextManager[AsyncClient]], accepted: int
) -> None:
    def signed(**more: Any) -> dict[str, Any]:
        document = credential(issuer="https://vc.example/issuers/5678", **more)
        read: dict[str, Any] = orjson.loads(sign(prepare(document), HOLDER, METHOD, NOW))
        return read

    expired = signed(validUntil=(NOW - timedelta(days=1)).isoformat())
    async with serve() as client:
        for options in ({}, {"checks": ["proof"]}):
            assert (await verify(client, signed(), **options)).status_code == accepted
            changed = {**signed(), "id": "urn:uuid:0f4ac6a1-59e9-4a3c-95ad-000000000002"}
            assert ("proof", "fail") in problems(await verify(client, changed, **options))
        assert (await verify(client, expired, checks=["proof"])).status_code == accepted
        assert ("dates", "fail") in problems(await verify(client, expired))


@pytest.mark.parametrize("instance", ["eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019", "ecdsa-jcs-2019"])
async def test_every_suite_and_version_verifies_and_one_changed_letter_does_not(
    client: AsyncClient, instance: str
) -> None:
    for document in (credential(), older()):
        signed = await issued(client, {**document, "issuer": await _did(client, instance)}, instance)
        assert (await verify(client, signed)).status_code == 200
        signed["proof"]["created"] = signed["proof"]["created"].replace("2026", "2025")
        assert (await verify(client, signed)).status_code == 400


async def _did(client: AsyncClient, instance: str) -> str:
    signed = await issued(client, credential(), instance)
    return str(signed["proof"]["verificationMethod"]).partition("#")[0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"verifiableCredential": null}',
        b'{"verifiableCredential": []}',
        b'{"verifiableCredential": 7}',
        b'{"verifiableCredential": {}, "verifiableCredential": {}}',
        b'{"verifiableCredential": {"a": 1}, "options": 7}',
        b'{"verifiableCredential": {"a": 1}, "options": {"challenge": 7}}',
        b'{"credential": {"a": 1}}',
        b"not json",
    ],
)
async def test_a_request_that_is_none_is_refused_as_a_problem(client: AsyncClient, body: bytes) -> None:
    answer = await client.post("/credentials/verify", content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_anybody_may_verify_with_or_without_a_key(client: AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer bb_whatever"}):
        body = {"verifiableCredential": signed_with()}
        assert (await client.post("/credentials/verify", json=body, headers=headers)).status_code == 200


async def test_a_body_beyond_the_limit_or_of_another_kind_is_not_read(client: AsyncClient) -> None:
    big = b'{"verifiableCredential": {"a": "' + b"x" * 600_000 + b'"}}'
    assert (await client.post("/credentials/verify", content=big, headers=JSON)).status_code == 413
    text = {"Content-Type": "text/plain"}
    assert (await client.post("/credentials/verify", content=b"{}", headers=text)).status_code == 415


async def test_a_status_that_cannot_be_had_counts_only_where_the_caller_asks_for_it(client: AsyncClient) -> None:
    entry = {
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "7",
        "statusListCredential": "https://status.example/1",
    }
    signed = await issued(client, credential(issuer=DID, credentialStatus=entry))
    assert (await verify(client, signed, checks=["proof"])).status_code == 200
    asked: list[dict[str, Any]] = [{}, {"checks": []}, {"checks": ["proof", "credentialStatus"]}]
    for options in asked:
        answer = await verify(client, signed, **options)
        assert answer.status_code == 400
        assert problems(answer) == {("status", "unknown")}


async def test_a_learner_record_verifies_only_with_every_credential_in_it(client: AsyncClient) -> None:
    begins = {"validFrom": "2026-03-06T09:30:00Z"}
    good = orjson.loads(sign(prepare(credential(**begins)), HOLDER, METHOD, NOW))
    forged = {**good, "id": "urn:x:forged"}
    for held, status in (([good], 200), ([good, forged], 400)):
        document = record_document(
            record_id="urn:x:record",
            issuer=Profile(id=DID),
            subject_id="urn:x:learner",
            name="Values Week",
            valid_from=NOW,
            credentials=held,
        )
        answer = await verify(client, orjson.loads(sign(prepare(document), HOLDER, METHOD, NOW)))
        assert answer.status_code == status, answer.text
    place = "/verifiableCredential/credentialSubject/verifiableCredential/1"
    assert [one["instance"] for one in answer.json()["problemDetails"]] == [place]


def token(payload: bytes) -> dict[str, Any]:
    """An enveloped credential whose token is well signed, whatever is in it."""
    jws = write_compact({"alg": "Ed25519", "typ": "vc+jwt", "kid": METHOD}, payload, HOLDER)
    context = "https://www.w3.org/ns/credentials/v2"
    return {"@context": context, "id": f"data:application/vc+jwt,{jws}", "type": "EnvelopedVerifiableCredential"}


_VCDM, _SECURITY = "https://www.w3.org/TR/vc-data-model#", "https://w3id.org/security#"


@pytest.mark.parametrize(
    ("document", "kind", "code", "reason"),
    [
        ({**signed_with(), "proof": "text"}, f"{_VCDM}PARSING_ERROR", -64, "proof_not_map"),
        (token(b'{"id": "urn:x",'), f"{_VCDM}PARSING_ERROR", -64, "not_json"),
        (token(b'["urn:x"]'), f"{_VCDM}PARSING_ERROR", -64, "not_an_object"),
        (token(b'{"id": "urn:x", "id": "urn:y"}'), f"{_VCDM}PARSING_ERROR", -64, "duplicate_key"),
        ({**token(b'{"id": "urn:x"}'), "name": "PhD"}, f"{_VCDM}MALFORMED_VALUE_ERROR", -66, "envelope_form"),
        ({**signed_with(), "unheardOf": 1}, f"{_SECURITY}DATA_LOSS_DETECTION_ERROR", None, "term_undefined"),
        (
            {**signed_with(), "type": ["VerifiableCredential", "UnheardOf"]},
            f"{_SECURITY}DATA_LOSS_DETECTION_ERROR",
            None,
            "type_undefined",
        ),
    ],
)
async def test_what_cannot_be_read_or_would_be_lost_in_signing_is_told_by_the_standards_names(
    document: dict[str, Any], kind: str, code: int | None, reason: str
) -> None:
    async with production_verifier() as client:
        answer = await verify(client, document)
    assert answer.status_code == 400
    assert answer.json()["verified"] is False
    told = [(one["type"], one.get("code"), one["reason"]) for one in answer.json()["problemDetails"]]
    assert (kind, code, reason) in told
