"""The issuing instances: who may use them, what each adds, and that a status can be set and unset."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import AsyncClient

from conformance.configuration import as_json, as_local_config, configuration
from conformance.issuing.instances import INSTANCES
from conformance.server import build
from libs.openbadges.crypto.did import did_key
from libs.openbadges.crypto.p256 import P256Key
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusList
from tests.contract.vc_api_client import (
    API_KEY,
    BASE,
    BEARER,
    DID,
    NOW,
    SECRETS,
    VC_ID,
    credential,
    issue,
    issued,
    older,
    problems,
    served,
    verify,
)

ENTRY = "BitstringStatusListEntry"
ADDING = sorted(one.name for one in INSTANCES.values() if one.purpose is not None)


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with served() as connected:
        yield connected


async def set_status(
    client: AsyncClient, *, credential_id: Any = VC_ID, kind: Any = ENTRY, purpose: Any = "revocation", **more: Any
) -> int:
    body = {"credentialId": credential_id, "credentialStatus": {"type": kind, "statusPurpose": purpose}, **more}
    return (await client.post("/credentials/status", json=body, headers=BEARER)).status_code


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer bb_other"}, {"Authorization": f"Basic {API_KEY}"}])
@pytest.mark.parametrize("path", ["/instances/eddsa-rdfc-2022/credentials/issue", "/credentials/status"])
async def test_without_the_key_nothing_is_issued_or_set(client: AsyncClient, headers: Any, path: str) -> None:
    answer = await client.post(path, json={"credential": credential()}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_addresses_of_those_that_add_a_status_bring_the_key_and_no_others_do(client: AsyncClient) -> None:
    _, instances = build(BASE, API_KEY, SECRETS, lambda: NOW)
    for issuer in configuration(instances, BASE, API_KEY)["issuers"]:
        answer = await client.post(issuer["endpoint"], json={"credential": credential()})
        assert answer.status_code == (201 if "BitstringStatusList" in issuer["tags"] else 401)
        assert API_KEY not in answer.text


@pytest.mark.parametrize("token", ["", "bb_other", API_KEY[:-1]])
async def test_another_key_in_the_address_opens_nothing(client: AsyncClient, token: str) -> None:
    path = f"/instances/revocation/credentials/issue?access_token={token}"
    assert (await client.post(path, json={"credential": credential()})).status_code == 401
    wrong = {"Authorization": "Bearer bb_other"}
    path = f"/instances/revocation/credentials/issue?access_token={API_KEY}"
    assert (await client.post(path, json={"credential": credential()}, headers=wrong)).status_code == 401


async def test_there_are_no_other_instances(client: AsyncClient) -> None:
    assert (await issue(client, credential(), "production")).status_code == 404


@pytest.mark.parametrize("instance", [name for name in INSTANCES if name not in (*ADDING, "enveloped")])
async def test_an_instance_adds_its_proof_and_changes_nothing_else(client: AsyncClient, instance: str) -> None:
    sent = credential(issuer="https://foreign.example/issuers/14")
    del sent["id"]
    signed = await issued(client, sent, instance)
    proof = signed.pop("proof")
    assert signed == sent
    key = P256Key.from_secret(SECRETS.p256).public_multibase
    owner = DID if INSTANCES[instance].curve == "Ed25519" else did_key(key)
    assert proof["type"] == "DataIntegrityProof"
    assert proof["cryptosuite"] == instance
    assert proof["proofPurpose"] == "assertionMethod"
    assert proof["created"] == "2026-11-23T17:20:00Z"
    assert proof["verificationMethod"] == f"{owner}#{owner.removeprefix('did:key:')}"
    assert proof["proofValue"].startswith("z")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"verifiableCredential": credential()},
        {"credential": None},
        {"credential": []},
        {"credential": "text"},
        {"credential": credential(), "options": []},
        {"credential": {**credential(), "proof": {"type": "DataIntegrityProof"}}},
    ],
)
async def test_a_request_without_a_credential_to_sign_is_refused(client: AsyncClient, body: Any) -> None:
    answer = await client.post("/instances/eddsa-rdfc-2022/credentials/issue", json=body, headers=BEARER)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"].startswith("/")


@pytest.mark.parametrize("instance", ADDING)
async def test_an_adding_instance_adds_an_entry_of_a_public_list_of_its_purpose(
    client: AsyncClient, instance: str
) -> None:
    signed = await issued(client, credential(), instance)
    entry = signed["credentialStatus"]
    assert entry["type"] == ENTRY
    assert entry["statusPurpose"] == instance
    assert entry["id"] != entry["statusListCredential"]
    assert "statusSize" not in entry
    answer = await client.get(entry["statusListCredential"])
    assert answer.status_code == 200
    listing = answer.json()
    assert listing["id"] == entry["statusListCredential"]
    assert listing["issuer"] == DID
    assert listing["credentialSubject"]["statusPurpose"] == instance
    assert len(StatusList.decode(listing["credentialSubject"]["encodedList"])) >= MINIMUM_SIZE
    assert (await verify(client, listing)).status_code == 200
    assert (await verify(client, signed)).status_code == 200


@pytest.mark.parametrize("instance", ADDING)
async def test_a_status_that_is_set_shows_at_once_and_unset_again(client: AsyncClient, instance: str) -> None:
    signed = await issued(client, credential(), instance)
    assert await set_status(client, purpose=instance, status=True) == 200
    answer = await verify(client, signed)
    assert answer.status_code == 400
    assert problems(answer) == {("status", "fail")}
    assert (await verify(client, signed, checks=["proof"])).status_code == 400
    assert await set_status(client, purpose=instance, status=False) == 200
    assert (await verify(client, signed)).status_code == 200


async def test_a_credential_with_a_status_of_its_own_keeps_it(client: AsyncClient) -> None:
    own = {"id": "https://status.example/1#7", "type": "https://status.example/#Own"}
    signed = await issued(client, credential(credentialStatus=own), "revocation")
    assert signed["credentialStatus"][0] == own
    assert signed["credentialStatus"][1]["type"] == ENTRY


async def test_a_credential_without_an_id_is_found_by_the_one_that_the_options_give(client: AsyncClient) -> None:
    document = credential()
    del document["id"]
    assert (await issue(client, document, "revocation", {"credentialId": "urn:x:given"})).status_code == 201
    assert await set_status(client, credential_id="urn:x:given") == 200


async def test_no_two_credentials_share_a_place(client: AsyncClient) -> None:
    places = [(await issued(client, credential(), "revocation"))["credentialStatus"]["id"] for _ in range(20)]
    assert len(set(places)) == 20
    assert sorted(places) != places


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"credential_id": "urn:uuid:not-here"}, 404),
        ({"purpose": "suspension"}, 404),
        ({"credential_id": None}, 400),
        ({"credential_id": 7}, 400),
        ({"kind": "RevocationList2020Status"}, 400),
        ({"kind": None}, 400),
        ({"purpose": "rumour"}, 400),
        ({"purpose": None}, 400),
        ({"purpose": ["revocation"]}, 400),
        ({"status": "perhaps"}, 400),
        ({"status": None}, 400),
    ],
)
async def test_a_status_that_cannot_be_set_is_400_or_404(client: AsyncClient, changes: Any, expected: int) -> None:
    await issued(client, credential(), "revocation")
    assert await set_status(client, **changes) == expected


async def test_version_1_1_has_no_status_entries_to_add(client: AsyncClient) -> None:
    assert (await issue(client, older(), "revocation")).status_code == 400


def test_the_configuration_names_every_instance_by_an_absolute_url() -> None:
    _, instances = build(BASE, API_KEY, SECRETS, lambda: NOW)
    made = configuration(instances, BASE, API_KEY)
    assert {one["endpoint"].split("/")[4] for one in made["issuers"]} == set(INSTANCES)
    for kind in ("issuers", "verifiers", "vpVerifiers", "statusLists"):
        for one in made[kind]:
            assert one["endpoint"].startswith(f"{BASE}/")
            assert one["id"].startswith("did:key:z")
            assert one["tags"]
    assert [one["supportedEcdsaKeyTypes"] for one in made["issuers"] if "ecdsa-rdfc-2019" in one["tags"]] == [["P-256"]]
    assert made["only"] is True
    assert as_local_config(made).startswith("module.exports = {")
    assert as_json(made).endswith("}\n")
