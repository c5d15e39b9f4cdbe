"""The VC API's verifying of presentations, and credentials in envelopes."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from httpx import AsyncClient, Response

from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.jwt import sign_vp_jwt
from libs.openbadges.issue.presentations import sign_presentation
from libs.openbadges.jose import envelop_presentation
from libs.openbadges.model.context_urls import CREDENTIALS_V2, EXAMPLES_V2
from libs.openbadges.model.profile import CONFORMANCE
from tests.contract.vc_api_client import (
    DID,
    HOLDER,
    METHOD,
    NOW,
    Change,
    as_documented,
    credential,
    issue,
    issued,
    problems,
    served,
)

OTHER = Ed25519Key.from_seed(b"o" * 32)


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[AsyncClient]:
    async with served() as connected:
        yield connected


def presentation(*held: Any, **more: Any) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2],
        "type": ["VerifiablePresentation"],
        "holder": DID,
        "verifiableCredential": list(held),
        **more,
    }


def shown(document: dict[str, Any], key: Ed25519Key = HOLDER, **bound: str) -> dict[str, Any]:
    did = did_key(key.public_multibase)
    method = verification_method(did, key.public_multibase)
    text = sign_presentation(document, key, method, NOW, profile=CONFORMANCE, **bound)
    signed: dict[str, Any] = orjson.loads(text)
    return signed


async def verify_vp(client: AsyncClient, document: Any, **options: Any) -> Response:
    body = {"verifiablePresentation": document, "options": options}
    return as_documented(await client.post("/presentations/verify", json=body))


async def enveloped(client: AsyncClient, *changes: Change) -> dict[str, Any]:
    """A credential that the enveloping instance issued in its own name."""
    first = await issued(client, credential(), "ecdsa-rdfc-2019")
    did = str(first["proof"]["verificationMethod"]).partition("#")[0]
    return await issued(client, credential(*changes, issuer=did), "enveloped")


async def test_a_presentation_of_good_credentials_verifies(client: AsyncClient) -> None:
    held = [await issued(client, credential(issuer=DID)), await enveloped(client)]
    answer = await verify_vp(client, shown(presentation(*held)))
    assert answer.status_code == 200, answer.text
    assert answer.json()["verified"] is True
    assert [one["verified"] for one in answer.json()["credentialResults"]] == [True, True]


async def test_that_nobody_here_knows_who_signed_a_credential_in_it_stands_beside_the_verdict(
    client: AsyncClient,
) -> None:
    answer = (await verify_vp(client, shown(presentation(await issued(client, credential(issuer=DID)))))).json()
    (warning,) = answer["warnings"]
    (result,) = answer["credentialResults"]
    assert result["signer"]["standing"] == "unknown"
    assert warning == f"/verifiablePresentation/verifiableCredential/0: signed by {result['signer']['message']}"


@pytest.mark.parametrize(
    "more",
    [
        {"@context": [CREDENTIALS_V2, EXAMPLES_V2]},
        {
            "@context": [CREDENTIALS_V2, {"Shown": "https://example.org/#Shown"}],
            "type": ["VerifiablePresentation", "Shown"],
        },
        {"id": "urn:uuid:0f4ac6a1-59e9-4a3c-95ad-000000000003"},
        {"holder": {"id": DID}},
    ],
)
async def test_a_presentation_may_say_more(client: AsyncClient, more: dict[str, Any]) -> None:
    held = await issued(client, credential(issuer=DID))
    answer = await verify_vp(client, shown(presentation(held, **more)))
    assert answer.status_code == 200, answer.text


async def test_a_presentation_need_not_name_its_holder_nor_hold_anything(client: AsyncClient) -> None:
    document = presentation()
    del document["holder"], document["verifiableCredential"]
    assert (await verify_vp(client, shown(document))).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda vp: vp.pop("@context"),
        lambda vp: vp["@context"].reverse(),
        lambda vp: vp["@context"].insert(1, "https ://not-a-url/contexts/example/v1"),
        lambda vp: vp["@context"].insert(1, 123192875),
        lambda vp: vp.pop("type"),
        lambda vp: vp.update(type=["https://example.org/#Shown"]),
        lambda vp: vp["type"].append("Unmapped"),
        lambda vp: vp.update(id="no url"),
        lambda vp: vp.update(holder="no url"),
        lambda vp: vp.update(holder={"name": "Somebody"}),
        lambda vp: vp.update(holder="did:example:somebody-else"),
        lambda vp: vp.update(verifiableCredential="https://example.org/credentials/1"),
        lambda vp: vp.update(verifiableCredential=[7]),
        lambda vp: vp.update(verifiableCredential=[{"@context": [CREDENTIALS_V2]}]),
        lambda vp: vp["verifiableCredential"][0].pop("type"),
        lambda vp: vp["verifiableCredential"][0].pop("proof"),
        lambda vp: vp["verifiableCredential"][0].update(issuer="did:example:other"),
        lambda vp: vp.update(termsOfUse={"id": "urn:x:1"}),
        lambda vp: vp.pop("proof"),
        lambda vp: vp.update(proof=None),
        lambda vp: vp["proof"].update(proofPurpose="assertionMethod"),
        lambda vp: vp["proof"].pop("proofValue"),
        lambda vp: vp["proof"].update(challenge="another"),
        lambda vp: vp.update(undefinedTerm="x"),
    ],
)
async def test_a_presentation_that_is_none_or_was_changed_does_not_verify(client: AsyncClient, change: Change) -> None:
    more = {"@context": [CREDENTIALS_V2, EXAMPLES_V2]} if change.__code__.co_names[-1:] == ("reverse",) else {}
    document = shown(presentation(await issued(client, credential(issuer=DID)), **more))
    change(document)
    answer = await verify_vp(client, document)
    assert answer.status_code == 400, answer.text
    assert answer.json()["verified"] is False
    assert answer.json()["problemDetails"]


@pytest.mark.parametrize(
    ("asked", "status", "kind"),
    [
        ({"challenge": "c1", "domain": "verifier.example"}, 200, None),
        ({"challenge": "c1"}, 200, None),
        ({"challenge": "c2"}, 400, "INVALID_CHALLENGE_ERROR"),
        ({"domain": "other.example"}, 400, "INVALID_DOMAIN_ERROR"),
        ({"expectedProofPurpose": "authentication"}, 200, None),
        ({"expectedProofPurpose": "assertionMethod"}, 400, "PROOF_VERIFICATION_ERROR"),
    ],
)
async def test_a_presentation_is_held_to_what_was_asked_of_its_holder(
    client: AsyncClient, asked: dict[str, str], status: int, kind: str | None
) -> None:
    document = shown(presentation(), challenge="c1", domain="verifier.example")
    answer = await verify_vp(client, document, **asked)
    assert answer.status_code == status, answer.text
    assert [one["type"].partition("#")[2] for one in answer.json()["problemDetails"]] == ([kind] if kind else [])


async def test_a_presentation_signed_by_another_than_its_holder_does_not_verify(client: AsyncClient) -> None:
    answer = await verify_vp(client, shown(presentation(), OTHER))
    assert answer.status_code == 400
    assert ("holder", "fail") in problems(answer)


async def test_a_revoked_credential_in_a_presentation_is_told_with_its_place(client: AsyncClient) -> None:
    good, bad = await issued(client, credential(issuer=DID)), await issued(client, credential(issuer=DID))
    bad["credentialSubject"]["id"] = "did:example:changed"
    answer = await verify_vp(client, shown(presentation(good, bad)))
    assert answer.status_code == 400
    places = {one["instance"] for one in answer.json()["problemDetails"]}
    assert places == {"/verifiablePresentation/verifiableCredential/1"}


async def test_a_presentation_as_a_jwt_and_in_an_envelope_verifies(client: AsyncClient) -> None:
    held = await enveloped(client)
    jwt = sign_vp_jwt(presentation(held), HOLDER, algorithm="Ed25519", kid=METHOD, challenge="c1")
    for document in (jwt, envelop_presentation(jwt)):
        answer = await verify_vp(client, document, challenge="c1")
        assert answer.status_code == 200, answer.text
        assert (await verify_vp(client, document, challenge="c2")).status_code == 400


async def test_the_enveloping_instance_answers_an_envelope_that_verifies(client: AsyncClient) -> None:
    made = await enveloped(client)
    assert made["type"] == "EnvelopedVerifiableCredential"
    assert made["@context"] == CREDENTIALS_V2
    assert made["id"].startswith("data:application/vc+jwt,")
    for document in (made, made["id"].partition(",")[2]):
        answer = await client.post("/credentials/verify", json={"verifiableCredential": document})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.pop("@context"),
        lambda one: one.update({"@context": "https://elsewhere.example/v1"}),
        lambda one: one.pop("type"),
        lambda one: one.update(type="VerifiableCredential"),
        lambda one: one.pop("id"),
        lambda one: one.update(id="https://example.org/jwt"),
        lambda one: one.update(id="data:text/plain,hello"),
        lambda one: one.update(id=one["id"][:-8] + "AAAAAAAA"),
        lambda one: one.update(id="data:application/vc+jwt,not.a.jwt"),
    ],
)
async def test_an_envelope_that_is_none_verifies_neither_alone_nor_in_a_presentation(
    client: AsyncClient, change: Change
) -> None:
    made = await enveloped(client)
    change(made)
    answer = await client.post("/credentials/verify", json={"verifiableCredential": made})
    assert answer.status_code == 400, answer.text
    unsigned = presentation(made)
    signed = {**unsigned, "proof": shown(presentation())["proof"]}
    assert (await verify_vp(client, signed)).status_code == 400


async def test_what_the_data_model_forbids_goes_into_no_envelope_either(client: AsyncClient) -> None:
    for document in (credential(lambda d: d.pop("issuer")), credential(validFrom="yesterday"), credential(term="x")):
        assert (await issue(client, document, "enveloped")).status_code == 400


@pytest.mark.parametrize("text", ["{}", "a.b", "no token", " ", "data:application/vc+jwt,a.b.c"])
async def test_text_that_is_no_compact_token_is_no_secured_document(client: AsyncClient, text: str) -> None:
    whole = {
        "verifiablePresentation": orjson.dumps(shown(presentation())).decode(),
        "verifiableCredential": orjson.dumps(await issued(client, credential())).decode(),
    }
    for name, call in (("verifiablePresentation", "presentations"), ("verifiableCredential", "credentials")):
        for given in (text, whole[name]):
            answer = await client.post(f"/{call}/verify", json={name: given})
            assert answer.status_code == 400
            assert "verified" not in answer.json()


@pytest.mark.parametrize(("subject", "expected"), [(DID, True), ("did:example:somebody-else", False), (None, None)])
async def test_it_is_told_whether_the_holder_is_the_subject(
    client: AsyncClient, subject: str | None, expected: bool | None
) -> None:
    document = credential(credentialSubject={"name": "Somebody", **({} if subject is None else {"id": subject})})
    answer = (await verify_vp(client, shown(presentation(await issued(client, document))))).json()
    assert (answer["holder"]["id"], answer["holder"]["proven"]) == (DID, True)
    assert answer["holder"]["subject_of"] == [expected]
