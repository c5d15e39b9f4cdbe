"""The issuer's HTTP API against its real process: onboarding, tenants, immutability, revoking."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bowerbird.cli import app as command
from deploy.embedded.stack import Stack
from libs.access.key_text import key_id, key_sha256, new_key
from libs.access.signatures import GrantSigner
from libs.contracts import topics
from libs.contracts.cloudevents import (
    Origin,
    Outgoing,
    UnknownTypeError,
    headers_of,
    read_event,
    readable_headers,
)
from libs.contracts.events import (
    ApiKeyGranted,
    AuthorityPublished,
    CredentialDocument,
    CredentialRevoked,
    CredentialTakenDown,
    Event,
    EvidenceDecided,
    EvidenceSubmitted,
    IssuerPublished,
    MailDomainsSet,
    Outcome,
    StatusListPublished,
    TakeDownCredential,
)
from libs.contracts.results import SoloLevel
from libs.openbadges.crypto import did
from libs.openbadges.verify import ResolvedInputs, verify
from tests.ids import IDS, ids_of
from tests.issuer_doubles import TRACE, evidence
from tests.keys_in_memory import grant
from tests.schemathesis_run import check_conformance
from tests.topic_reading import empty

pytestmark = pytest.mark.integration

RESILIENCE: dict[str, Any] = {
    "id": "resilience",
    "name": "Resilience",
    "description": "Goes on when it gets hard.",
    "criteria": "Was seen to go on in three situations.",
    "levels": [{"level": "relational", "description": "Says how one setback taught for the next."}],
    "required_level": "multistructural",
    "shared": True,
}


@pytest.fixture(scope="module")
async def stack(infrastructure: Stack) -> AsyncIterator[Stack]:
    await empty(
        infrastructure.kafka_bootstrap, topics.EVIDENCE_SUBMITTED, topics.EVIDENCE_BULK, topics.EVIDENCE_DECIDED
    )
    infrastructure.start("issuer")
    yield infrastructure
    infrastructure.stop("issuer")


@pytest.fixture
async def api(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url("issuer"), timeout=30) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


class Tenant:
    """An issuer with an API key of every right it may have."""

    SCOPES = (
        "keys:write",
        "profile:write",
        "signing-keys:write",
        "catalogue:write",
        "evidence:read",
        "evidence:write",
        "credentials:read",
        "credentials:revoke",
        "credentials:take-down",
    )

    def __init__(self, api: httpx.AsyncClient, admin: dict[str, str], issuer_id: str) -> None:
        self._api, self._admin, self.id = api, admin, issuer_id
        self.headers: dict[str, str] = {}
        self.did = ""

    async def onboard(self, **content: Any) -> "Tenant":
        answer = await self._api.post("/v1/issuers", headers=self._admin, json={"id": self.id, "name": "S", **content})
        assert answer.status_code in {200, 201}, answer.text
        self.did = answer.json()["did"]
        made = await self._api.post(
            f"/v1/issuers/{self.id}/keys", headers=self._admin, json={"name": "Everything", "scopes": self.SCOPES}
        )
        assert made.status_code == 201, made.text
        self.headers = bearer(made.json()["key"])
        return self


@pytest.fixture
def admin(stack: Stack) -> dict[str, str]:
    return bearer(stack.admin_key)


@pytest.fixture
async def department(api: httpx.AsyncClient, admin: dict[str, str]) -> Tenant:
    school = await Tenant(api, admin, "department").onboard()
    assert (await api.post("/v1/achievements", headers=school.headers, json=RESILIENCE)).status_code in {200, 201}
    return school


@pytest.fixture
async def wattle(api: httpx.AsyncClient, admin: dict[str, str], department: Tenant) -> Tenant:
    return await Tenant(api, admin, "wattle").onboard(parent="department")


async def send(stack: Stack, *pieces: Event) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
    await producer.start()
    for piece in pieces:
        headers = headers_of(Outgoing(piece, TRACE), Origin("http://test", "test", IDS.event_id))
        await producer.send_and_wait(
            piece.destination.name, piece.model_dump_json().encode(), key=piece.key.encode(), headers=headers
        )
    await producer.stop()


async def read(stack: Stack, until: Any, *names: str, seconds: float = 60) -> list[Event]:
    """Everything on these topics that we know, from their beginning, until `until(events)` is true."""
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=stack.kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    events: list[Event] = []
    try:
        async with asyncio.timeout(seconds):
            while not until(events):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for each in records:
                        # Other tests leave there what partners do not know, and records without a value.
                        with suppress(UnknownTypeError):
                            if each.value is not None:
                                events.append(read_event(readable_headers(each.headers), each.value))
    finally:
        await consumer.stop()
    return events


async def decisions(stack: Stack, *pieces: EvidenceSubmitted) -> dict[Any, EvidenceDecided]:
    wanted = {each.submission_id for each in pieces}

    def found(events: list[Event]) -> dict[Any, EvidenceDecided]:
        return {e.submission_id: e for e in events if isinstance(e, EvidenceDecided) and e.submission_id in wanted}

    events = await read(stack, lambda events: found(events).keys() == wanted, topics.EVIDENCE_DECIDED.name)
    return found(events)


async def issued_to(stack: Stack, api: httpx.AsyncClient, row: int, learner: str) -> str:
    piece = evidence(row, learner=learner, source_id=f"api-{row}")
    await send(stack, piece)
    decided = (await decisions(stack, piece))[piece.submission_id]
    assert decided.outcome is Outcome.ISSUED
    return str(decided.credential_id)


async def test_an_issuer_that_says_the_same_again_is_not_published_again_and_one_that_says_more_is_the_next_version(
    api: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    content = {"id": "banksia", "name": "Banksia Hill", "url": "https://banksia.example", "did_method": "key"}
    first = await api.post("/v1/issuers", headers=admin, json=content)
    again = await api.post("/v1/issuers", headers=admin, json=content)
    other = await api.post("/v1/issuers", headers=admin, json={**content, "name": "Banksia Valley"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert first.json() == again.json()
    assert (first.json()["version"], other.json()["version"]) == (1, 2)
    assert first.json()["did"] == other.json()["did"]
    assert first.json()["did"].startswith("did:key:z6Mk")
    back = await api.post("/v1/issuers", headers=admin, json=content)
    assert (back.status_code, back.json()["version"]) == (201, 3)


async def test_the_did_of_an_issuer_never_changes_and_is_a_did_web_unless_asked_otherwise(
    api: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    first = await api.post("/v1/issuers", headers=admin, json={"id": "hakea", "name": "Hakea"})
    assert first.json()["did"].endswith(":issuers:hakea")
    other = await api.post("/v1/issuers", headers=admin, json={"id": "hakea", "name": "Hakea", "did_method": "key"})
    assert other.status_code == 409
    assert "DID never changes" in other.json()["detail"]
    assert other.headers["content-type"] == "application/problem+json"


async def test_a_profile_follows_the_version_that_its_writer_has_read(api: httpx.AsyncClient, wattle: Tenant) -> None:
    path = "/v1/issuers/wattle/profile"
    now = (await api.get(path, headers=wattle.headers)).json()["version"]
    content = {"name": "Wattle Grove", "logo": "https://wattle.example/logo.svg", "email": "office@wattle.example"}
    changed = await api.put(path, headers=wattle.headers, json={**content, "expected_version": now})
    again = await api.put(path, headers=wattle.headers, json={**content, "expected_version": now})
    assert (changed.status_code, again.status_code) == (200, 200)
    assert changed.json() == again.json()
    assert changed.json()["version"] == now + 1
    assert changed.json()["parent"] == "department"
    stale = await api.put(path, headers=wattle.headers, json={"name": "Late", "expected_version": now})
    assert stale.status_code == 409
    assert f"the current version is {now + 1}" in stale.json()["detail"]


async def test_a_school_takes_no_name_that_looks_like_anothers_unless_the_administrator_publishes_it(
    api: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    await Tenant(api, admin, "telopea").onboard(name="Telopea College")
    corymbia = await Tenant(api, admin, "corymbia").onboard(name="Corymbia School")
    path = "/v1/issuers/corymbia/profile"
    for name in ("Telopea College", "TELOPEA  college", "T\u0435lopea College", "College Telopea", "Telopea College 2"):
        refused = await api.put(path, headers=corymbia.headers, json={"name": name})
        assert refused.status_code == 409, name
        assert "telopea" in refused.json()["detail"]
    kept = await api.put(path, headers=corymbia.headers, json={"name": "Corymbia School", "url": "https://c.example"})
    assert (kept.status_code, kept.json()["look_alikes"]) == (200, [])
    published = await api.put(path, headers=admin, json={"name": "Telopea College"})
    assert (published.status_code, published.json()["look_alikes"]) == (200, ["telopea"])
    entries = (await api.get("/v1/issuers/corymbia/audit/issuer", headers=admin)).json()["entries"]
    assert [each["details"].get("look_alikes") for each in entries[:2]] == ["telopea", None]


async def test_of_two_schools_that_take_names_that_look_alike_at_once_one_is_refused(
    api: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    schools = [await Tenant(api, admin, f"hakea-{each}").onboard(name=f"Hakea {each}") for each in ("one", "two")]
    for round_, other in (("Waratah", "{1}  college"), ("Boronia", "{1} college"), ("Grevillea", "College {0}")):
        names = (f"{round_} College", other.format(round_, round_.replace("a", chr(0x430))))
        answers = await asyncio.gather(
            *(
                api.put(f"/v1/issuers/{school.id}/profile", headers=school.headers, json={"name": name})
                for school, name in zip(schools, names, strict=True)
            )
        )
        assert sorted(each.status_code for each in answers) == [200, 409], round_


async def test_of_two_profiles_published_at_once_each_is_a_version_or_refused(
    api: httpx.AsyncClient, wattle: Tenant
) -> None:
    path = "/v1/issuers/wattle/profile"
    now = (await api.get(path, headers=wattle.headers)).json()["version"]
    answers = await asyncio.gather(
        *(api.put(path, headers=wattle.headers, json={"name": f"Wattle {number}"}) for number in range(6))
    )
    assert {each.status_code for each in answers} <= {200, 409}
    versions = [each.json()["version"] for each in answers if each.status_code == 200]
    assert sorted(versions) == list(range(now + 1, now + 1 + len(versions)))
    newest = next(each for each in answers if each.status_code == 200 and each.json()["version"] == max(versions))
    assert (await api.get(path, headers=wattle.headers)).json() == newest.json()


async def test_another_school_changes_neither_profile_nor_keys(
    api: httpx.AsyncClient, wattle: Tenant, department: Tenant
) -> None:
    profile = await api.put("/v1/issuers/wattle/profile", headers=department.headers, json={"name": "Mine"})
    keys = await api.get("/v1/issuers/wattle/signing-keys", headers=department.headers)
    added = await api.post("/v1/issuers/wattle/signing-keys", headers=department.headers)
    assert (profile.status_code, keys.status_code, added.status_code) == (404, 404, 404)


async def test_a_did_key_has_one_key_for_good_and_says_so(api: httpx.AsyncClient, admin: dict[str, str]) -> None:
    grevillea = await Tenant(api, admin, "grevillea").onboard(did_method="key")
    refused = await api.post("/v1/issuers/grevillea/signing-keys", headers=grevillea.headers)
    assert refused.status_code == 409
    assert "did:key" in refused.json()["detail"]


async def test_keys_are_added_once_activated_and_distrusted_and_no_secret_is_on_kafka(
    stack: Stack, api: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    school = await Tenant(api, admin, "melaleuca").onboard()
    path = "/v1/issuers/melaleuca/signing-keys"
    (first,) = (await api.get(path, headers=school.headers)).json()["keys"]
    added = await asyncio.gather(*(api.post(path, headers=school.headers) for _ in range(4)))
    assert sorted(each.status_code for each in added) == [200, 200, 200, 201]
    (second,) = {each.json()["id"] for each in added}
    early = await api.patch(f"{path}/{first['id']}", headers=school.headers, json={"state": "retired"})
    assert early.status_code == 409
    activated = [await api.patch(f"{path}/{second}", headers=school.headers, json={"state": "active"}) for _ in "12"]
    assert [(each.status_code, each.json()["state"]) for each in activated] == [(200, "active")] * 2
    gone = await api.patch(f"{path}/{first['id']}", headers=school.headers, json={"state": "compromised"})
    assert gone.json()["state"] == "compromised"
    states = {each["id"]: each["state"] for each in (await api.get(path, headers=school.headers)).json()["keys"]}
    assert states == {first["id"]: "compromised", second: "active"}

    def versions(events: list[Event]) -> dict[int, IssuerPublished]:
        mine = (each for each in events if isinstance(each, IssuerPublished) and each.issuer_id == "melaleuca")
        return {each.version: each for each in mine}

    published = versions(await read(stack, lambda seen: 3 in versions(seen), topics.CATALOGUE.name))
    # Activating changes nothing that a verifier must know: both keys stand in the document already.
    assert sorted(published) == [1, 2, 3]
    documents = [orjson.loads(published[each].did_document)["verificationMethod"] for each in (1, 2, 3)]
    assert [len(each) for each in documents] == [1, 2, 2]
    assert "revoked" in documents[-1][0]
    assert {each.registered_at for each in published.values()} == {published[1].published_at}
    members = {member for methods in documents for method in methods for member in method}
    assert members == {"id", "type", "controller", "publicKeyMultibase", "revoked"}


async def test_only_the_administrator_adds_issuers(api: httpx.AsyncClient, wattle: Tenant) -> None:
    nobody = await api.post("/v1/issuers", json={"id": "x", "name": "X"})
    school = await api.post("/v1/issuers", headers=wattle.headers, json={"id": "x", "name": "X"})
    assert (nobody.status_code, school.status_code) == (401, 403)


async def test_a_school_needs_its_department_first(api: httpx.AsyncClient, admin: dict[str, str]) -> None:
    answer = await api.post("/v1/issuers", headers=admin, json={"id": "y", "name": "Y", "parent": "nowhere"})
    assert answer.status_code == 409
    assert "add the department before" in answer.json()["detail"]


def asking(*scopes: str) -> dict[str, Any]:
    return {"name": "Office", "scopes": scopes}


async def test_a_key_works_at_once_and_only_its_digest_travels(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant
) -> None:
    made = await api.post("/v1/issuers/wattle/keys", headers=wattle.headers, json=asking("credentials:read"))
    assert made.headers["cache-control"] == "no-store"
    key = made.json()["key"]
    known = await api.get(f"/v1/credentials/{evidence().submission_id}", headers=bearer(key))
    assert (made.status_code, known.status_code) == (201, 404)
    events = await read(stack, lambda seen: len(seen) >= 2, topics.ACCESS_KEYS.name)
    assert not [each for each in events if key in each.model_dump_json()]
    listed = (await api.get("/v1/issuers/wattle/keys", headers=wattle.headers)).json()["keys"]
    (mine,) = [each for each in listed if each["id"] == made.json()["id"]]
    assert (mine["name"], mine["scopes"], mine["end_reason"]) == ("Office", ["credentials:read"], None)
    assert mine["granted_by"] == "key:wattle/Everything"
    assert not [each for each in listed if "key" in each]

    async def used() -> bool:
        keys = (await api.get("/v1/issuers/wattle/keys", headers=wattle.headers)).json()["keys"]
        return any(each["id"] == mine["id"] and each["last_used"] is not None for each in keys)

    await until(used)


async def test_the_command_line_makes_rotates_and_withdraws_a_key_of_the_running_service(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant, tmp_path: Path
) -> None:
    async def keys(*words: str) -> int:
        argv = ["keys", *words, "--url", stack.url("issuer"), "--key-file", str(stack.layout.secrets / "admin-key")]
        status: int = await asyncio.to_thread(command, argv, exit_on_error=False, result_action="return_value")
        return status

    first, second = tmp_path / "first", tmp_path / "second"
    assert await keys("make", "wattle", "By hand", "keys:write", "--reason", "A trial", "--to", str(first)) == 0
    key = first.read_text("ascii").strip()
    assert await known(api, key)
    id_ = key_id(key_sha256(key))
    assert await keys("rotate", "wattle", id_, "--overlap-hours", "0", "--to", str(second)) == 0
    await until(lambda: refused(api, key))
    newer = second.read_text("ascii").strip()
    assert await known(api, newer)
    assert await keys("withdraw", "wattle", key_id(key_sha256(newer)), "--reason", "It is over") == 0
    await until(lambda: refused(api, newer))
    assert await keys("list", "wattle", "--ended") == 0
    listed = (await api.get("/v1/issuers/wattle/keys", headers=wattle.headers)).json()["keys"]
    why = {each["id"]: (each["reason"], each["end_reason"], each["end_note"]) for each in listed}
    assert why[id_] == ("A trial", "rotated", None)
    assert why[key_id(key_sha256(newer))] == (None, "withdrawn", "It is over")


async def test_a_key_cannot_give_away_what_it_lacks_nor_reach_into_another_school(
    api: httpx.AsyncClient, wattle: Tenant, department: Tenant
) -> None:
    path = "/v1/issuers/wattle/keys"
    more = await api.post(path, headers=wattle.headers, json=asking("deliveries:read"))
    other = await api.post("/v1/issuers/department/keys", headers=wattle.headers, json=asking("keys:write"))
    wrong = await api.post(path, headers=wattle.headers, json=asking("everything"))
    longer = await api.post(
        path, headers=wattle.headers, json={**asking("keys:write"), "expires_at": "2900-01-01T00:00:00Z"}
    )
    assert (more.status_code, other.status_code, wrong.status_code, longer.status_code) == (403, 404, 400, 400)
    listed = await api.get("/v1/issuers/department/keys", headers=wattle.headers)
    assert listed.status_code == 404


async def refused(client: httpx.AsyncClient, key: str) -> bool:
    return (await client.get("/v1/issuers/wattle/keys", headers=bearer(key))).status_code == 401


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110  # of another process
            await asyncio.sleep(0.05)


async def known(client: httpx.AsyncClient, *keys: str) -> bool:
    return not any([await refused(client, key) for key in keys])


async def test_a_key_that_is_withdrawn_is_refused_by_every_replica_and_so_are_those_that_were_made_with_it(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant
) -> None:
    await asyncio.to_thread(stack.start, "issuer-2")
    path = "/v1/issuers/wattle/keys"
    async with httpx.AsyncClient(base_url=stack.url("issuer-2"), timeout=30) as other:
        leaked = (await api.post(path, headers=wattle.headers, json=asking("keys:write"))).json()
        made = (await api.post(path, headers=bearer(leaked["key"]), json=asking("keys:write"))).json()
        keys = (leaked["key"], made["key"])
        await until(lambda: known(api, *keys))
        await until(lambda: known(other, *keys))
        ended = await api.delete(f"{path}/{leaked['id']}?leaked=true", headers=wattle.headers)
        assert [(each["id"], each["end_reason"]) for each in ended.json()["keys"]] == [
            (leaked["id"], "leaked"),
            (made["id"], "maker_leaked"),
        ]
        for key in keys:
            await until(lambda key=key: refused(api, key))  # type: ignore[misc]  # bound at once
            await until(lambda key=key: refused(other, key))  # type: ignore[misc]  # bound at once
    await asyncio.to_thread(stack.stop, "issuer-2")


async def test_a_key_is_rotated_with_an_overlap_or_without(api: httpx.AsyncClient, wattle: Tenant) -> None:
    path = "/v1/issuers/wattle/keys"
    first = (await api.post(path, headers=wattle.headers, json=asking("keys:write"))).json()
    second = await api.post(f"{path}/{first['id']}/rotate", headers=wattle.headers, json={"overlap_hours": 1})
    assert (second.status_code, second.headers["cache-control"]) == (201, "no-store")
    assert await known(api, first["key"], second.json()["key"])
    assert second.json()["scopes"] == first["scopes"]
    third = await api.post(f"{path}/{second.json()['id']}/rotate", headers=wattle.headers, json={"overlap_hours": 0})
    assert await known(api, first["key"], third.json()["key"])
    await until(lambda: refused(api, second.json()["key"]))
    again = await api.post(f"{path}/{second.json()['id']}/rotate", headers=wattle.headers, json={})
    assert again.status_code == 404


async def test_a_grant_that_somebody_else_writes_to_the_topic_opens_nothing_and_an_older_one_revives_nothing(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant
) -> None:
    path, forged = "/v1/issuers/wattle/keys", new_key()
    key = (await api.post(path, headers=wattle.headers, json=asking("keys:write"))).json()
    assert (await api.delete(f"{path}/{key['id']}", headers=wattle.headers)).status_code == 200
    events = await read(
        stack,
        lambda seen: any(each.key.startswith(f"withdrawn:{key['id']}") for each in seen),
        topics.ACCESS_KEYS.name,
    )
    granted = next(each for each in events if isinstance(each, ApiKeyGranted) and key["id"] in each.key)
    mine = grant(forged, "wattle", ["keys:write"])
    await send(
        stack,
        granted,
        mine,
        GrantSigner(b"x" * 32).sign(mine),
        granted.model_copy(update={"key_sha256": mine.key_sha256}),
        GrantSigner(b"x" * 32).sign(grant(forged, "*", ["keys:write"])),
    )
    # What the issuer makes now comes behind all that on the topic.
    last = (await api.post(path, headers=wattle.headers, json=asking("keys:write"))).json()
    assert await known(api, last["key"])
    assert await refused(api, forged)
    assert await refused(api, key["key"])


async def test_a_published_version_never_changes_and_the_next_one_is_the_next_number(
    api: httpx.AsyncClient, wattle: Tenant
) -> None:
    async def post(**changes: Any) -> tuple[int, Any]:
        answer = await api.post(
            "/v1/achievements", headers=wattle.headers, json={**RESILIENCE, "id": "care", "shared": False, **changes}
        )
        return answer.status_code, answer.json().get("version") or answer.json()["detail"]

    assert await post() == (201, 1)
    assert await post() == (200, 1)
    assert await post(version=1) == (200, 1)
    status, detail = await post(version=1, name="Care for others")
    assert status == 409
    assert "raise the version" in detail
    assert await post(name="Care for others") == (201, 2)
    assert (await post(version=9))[0] == 409
    assert await post(version=1) == (200, 1)


async def test_evidence_counts_together_by_a_rule_an_award_follows_from_others_and_both_are_explained(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant, department: Tenant
) -> None:
    async def publish(name: str, rule: dict[str, Any]) -> httpx.Response:
        content = {**RESILIENCE, "id": name, "shared": False, "required_level": None, "rule": rule}
        return await api.post("/v1/achievements", headers=wattle.headers, json=content)

    async def explain(name: str, learner: str = "r1", tenant: Tenant = wattle) -> httpx.Response:
        asked = {"learner_id": learner, "achievement": name}
        return await api.post("/v1/issuers/wattle/explanations", headers=tenant.headers, json=asked)

    wit = {"type": "evidence", "level": "relational", "activities": 2, "within": "term"}
    made = await publish("wit", wit)
    assert (made.status_code, made.json()["rule_in_words"]) == (
        201, "relational or above in at least two activities within one term",
    )  # fmt: skip
    holding = [{"type": "holds", "achievement": each} for each in ("wit", "resilience", "flying")]
    wrong = await publish("character", {"type": "all", "of": holding})
    assert (wrong.status_code, [each["field"] for each in wrong.json()["errors"]]) == (400, ["rule.of.2.achievement"])
    made = await publish("character", {"type": "all", "of": holding[:2]})
    assert [each["achievement"] for each in made.json()["rule"]["of"]] == ["wattle/wit", "department/resilience"]
    again = await publish("character", {"type": "all", "of": holding[:2]})
    assert (again.status_code, again.json()["version"]) == (200, 1)
    circle = await publish("wit", {"type": "all", "of": [wit, {"type": "holds", "achievement": "character"}]})
    assert (circle.status_code, circle.json()["errors"][0]["code"]) == (400, "rule_circular")
    empty_group = await publish("wit", {"type": "all", "of": [wit, {"type": "any", "of": []}]})
    assert (empty_group.status_code, empty_group.json()["errors"][0]["field"].endswith("of.1.any.of")) == (400, True)

    # The services find a learner by the number that a school knows, under their own secret.
    learner_id = ids_of(stack).learner_id("wattle", "r1")

    def shown(row: int, activity: str, name: str = "wit") -> EvidenceSubmitted:
        said: dict[str, Any] = {
            "source_id": f"rule-{row}",
            "achievement": name,
            "activity": activity,
            "term": "2026-T1",
        }
        return evidence(row, learner_id=learner_id, **said)

    pieces = [shown(1101, "Riddle"), shown(1102, "Debate"), shown(1103, "Raft", "resilience")]
    await send(stack, *pieces[:2])
    await decisions(stack, *pieces[:2])
    waiting = (await explain("character")).json()
    assert (waiting["met"], waiting["missing_in_words"]) == (False, "resilience, to be held")
    await send(stack, pieces[2])
    decided = await decisions(stack, *pieces)
    first, second, third = (decided[each.submission_id] for each in pieces)
    assert (first.outcome, first.reason, second.outcome) == (Outcome.NOT_YET, "more_evidence_needed", Outcome.ISSUED)
    assert third.stacked is not None
    (stacked,) = third.stacked
    assert set(stacked.credentials) == {second.credential_id, third.credential_id}
    read_back = await api.get(f"/v1/credentials/{stacked.credential_id}", headers=wattle.headers)
    assert (read_back.json()["achievement"], read_back.json()["state"]) == ("wattle/character/1", "active")

    told = (await explain("wit")).json()
    assert [(each["source_id"], each["counted"]) for each in told["kept"]] == [("rule-1101", True), ("rule-1102", True)]
    assert [each["credential_id"] for each in told["awards"]] == [str(second.credential_id)]
    told = (await explain("character")).json()
    assert (told["met"], told["missing"], set(told["held"])) == (True, [], set(map(str, stacked.credentials)))
    assert [each["credential_id"] for each in told["awards"]] == [str(stacked.credential_id)]
    await send(stack, *pieces)
    assert (await explain("character")).json() == told
    for answer in (await explain("wit", "nobody"), await explain("flying"), await explain("wit", tenant=department)):
        assert answer.status_code == 404


async def test_evidence_that_is_withdrawn_counts_no_more_and_what_rested_on_it_is_revoked(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant, department: Tenant
) -> None:
    for name, rule in (
        ("song", {"type": "evidence", "count": 2}),
        ("choir", {"type": "holds", "achievement": "song"}),
    ):
        content = {**RESILIENCE, "id": name, "shared": False, "required_level": None, "rule": rule}
        assert (await api.post("/v1/achievements", headers=wattle.headers, json=content)).is_success
    said: dict[str, Any] = {"learner_id": ids_of(stack).learner_id("wattle", "r2"), "achievement": "song"}
    pieces = [evidence(1120 + number, source_id=f"song-{number}", **said) for number in range(2)]
    await send(stack, *pieces)
    second = (await decisions(stack, *pieces))[pieces[1].submission_id]
    assert second.stacked is not None
    (stacked,) = second.stacked

    async def withdraw(*named: dict[str, Any], tenant: Tenant = wattle) -> httpx.Response:
        asked = {"evidence": list(named), "reason": "entered_in_error"}
        return await api.post("/v1/issuers/wattle/withdrawals", headers=tenant.headers, json=asked)

    row = {"batch_id": str(pieces[1].batch_id), "row": pieces[1].row}
    for wrong_name, status in (({**row, "row": 1199}, 404), ({"source_id": "never"}, 404), ({"row": 1}, 400)):
        assert (await withdraw(row, wrong_name)).status_code == status
    assert (await withdraw(row, tenant=department)).status_code == 404
    done = await withdraw(row)
    (answer,) = done.json()["evidence"]
    assert (done.status_code, answer["withdrawn"], answer["reason"]) == (200, True, "entered_in_error")
    assert (answer["revoked"], answer["awarded"]) == ([str(second.credential_id)], [])
    assert (await withdraw(row)).json() == done.json()
    asked = {"learner_id": "r2", "achievement": "song"}
    told = (await api.post("/v1/issuers/wattle/explanations", headers=wattle.headers, json=asked)).json()
    assert (told["met"], [each["source_id"] for each in told["kept"]]) == (False, ["song-0"])
    revoked = (await api.get(f"/v1/credentials/{second.credential_id}", headers=wattle.headers)).json()
    assert (revoked["state"], revoked["revocation"]["reason"]) == ("revoked", "evidence_withdrawn")
    kept = await api.get(f"/v1/credentials/{stacked.credential_id}", headers=wattle.headers)
    assert kept.json()["state"] == "active", "what stacked on it stays, unless its achievement says otherwise"


async def test_of_two_contents_for_one_version_at_once_one_wins(api: httpx.AsyncClient, wattle: Tenant) -> None:
    answers = await asyncio.gather(
        *(
            api.post(
                "/v1/achievements",
                headers=wattle.headers,
                json={**RESILIENCE, "id": "courage", "version": 1, "name": f"Courage {number}"},
            )
            for number in range(8)
        )
    )
    assert sorted(each.status_code for each in answers) == [201, *[409] * 7]


async def test_a_bad_request_says_which_field(api: httpx.AsyncClient, wattle: Tenant) -> None:
    answer = await api.post("/v1/achievements", headers=wattle.headers, json={**RESILIENCE, "required_level": "great"})
    assert answer.status_code == 400
    assert "required_level" in answer.json()["errors"][0]["field"]


async def test_evidence_becomes_a_credential_that_verifies_from_what_was_published(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant
) -> None:
    credential_id = await issued_to(stack, api, 1001, "a1")
    answer = await api.get(f"/v1/credentials/{credential_id}", headers=wattle.headers)
    assert answer.json()["state"] == "active"
    assert answer.json()["level"] == SoloLevel.RELATIONAL
    events = await read(
        stack,
        lambda seen: (
            any(isinstance(each, CredentialDocument) and str(each.credential_id) == credential_id for each in seen)
            and any(isinstance(each, StatusListPublished) for each in seen)
            and any(isinstance(each, IssuerPublished) and each.issuer_id == "wattle" for each in seen)
            and any(isinstance(each, AuthorityPublished) for each in seen)
        ),
        topics.CREDENTIAL_DOCUMENTS.name,
        topics.STATUS_LISTS.name,
        topics.CATALOGUE.name,
    )
    text = next(
        e.document for e in events if isinstance(e, CredentialDocument) and str(e.credential_id) == credential_id
    )
    listed = orjson.loads(text or "")["credentialStatus"]["statusListCredential"].rpartition("/")[2]
    lists = [each for each in events if isinstance(each, StatusListPublished) and each.list_id == listed]
    newest = max(lists, key=lambda each: each.order)
    authority = next(each for each in events if isinstance(each, AuthorityPublished))
    profiles = [each for each in events if isinstance(each, IssuerPublished) and each.issuer_id == "wattle"]
    document = max(profiles, key=lambda each: each.version).did_document

    url = orjson.loads(newest.credential)["id"]
    keys = {wattle.did: orjson.loads(document), authority.did: orjson.loads(authority.did_document)}
    report = verify(text or "", ResolvedInputs(keys, {url: newest.credential}), datetime.now(UTC))
    assert report.verdict == "pass", report.to_dict()
    assert orjson.loads(newest.credential)["issuer"] == authority.did
    assert did.did_web_url(wattle.did, "http").endswith("/issuers/wattle/did.json")


async def test_the_authority_is_no_issuer_and_its_key_changes_as_an_issuers_does(
    stack: Stack, api: httpx.AsyncClient, admin: dict[str, str], wattle: Tenant
) -> None:
    credential_id = await issued_to(stack, api, 1021, "a21")
    onboarded = await api.post("/v1/issuers", headers=admin, json={"id": "authority", "name": "Banksia"})
    assert (onboarded.status_code, onboarded.json()["errors"][0]["field"]) == (400, "id")
    for path in ("/v1/issuers/authority", "/v1/issuers/authority/profile"):
        assert (await api.get(path, headers=admin)).status_code in {404, 405}, path
    made = await api.post(
        "/v1/issuers/authority/keys", headers=admin, json={"name": "x", "scopes": ["catalogue:write"]}
    )
    assert made.status_code == 404

    path = "/v1/issuers/authority/signing-keys"
    assert (await api.get(path, headers=wattle.headers)).status_code == 404
    (first,) = [each for each in (await api.get(path, headers=admin)).json()["keys"] if each["state"] == "active"]
    added = await api.post(path, headers=admin)
    activated = await api.patch(f"{path}/{added.json()['id']}", headers=admin, json={"state": "active"})
    assert (added.status_code, activated.status_code) == (201, 200), activated.text
    revoked = await api.post(
        f"/v1/credentials/{credential_id}/revoke", headers=wattle.headers, json={"reason": "issued_in_error"}
    )
    assert revoked.status_code == 200, revoked.text

    def signed_anew(each: Event) -> bool:
        return isinstance(each, StatusListPublished) and each.credential.count(added.json()["id"]) > 0

    events = await read(
        stack, lambda seen: any(map(signed_anew, seen)), topics.STATUS_LISTS.name, topics.CATALOGUE.name
    )
    published = max((each for each in events if isinstance(each, AuthorityPublished)), key=lambda each: each.version)
    methods = [each["publicKeyMultibase"] for each in orjson.loads(published.did_document)["verificationMethod"]]
    assert {first["id"], added.json()["id"]} <= set(methods)
    assert not any(isinstance(each, IssuerPublished) and each.did == published.did for each in events)


async def test_evidence_for_an_achievement_that_is_not_published_waits_and_is_issued_when_it_is(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant
) -> None:
    piece = evidence(1004, learner="a4", source_id="api-1004", achievement="patience")
    await send(stack, piece)
    first = (await decisions(stack, piece))[piece.submission_id]
    assert (first.sequence, first.outcome, first.reason) == (1, Outcome.WAITING, "unknown_achievement")
    assert first.waits_until is not None
    published = await api.post("/v1/achievements", headers=wattle.headers, json={**RESILIENCE, "id": "patience"})
    assert published.status_code == 201
    events = await read(
        stack,
        lambda seen: any(
            isinstance(each, EvidenceDecided) and (each.submission_id, each.sequence) == (piece.submission_id, 2)
            for each in seen
        ),
        topics.EVIDENCE_DECIDED.name,
    )
    later = [each for each in events if isinstance(each, EvidenceDecided) and each.submission_id == piece.submission_id]
    assert (later[-1].outcome, later[-1].achievement) == (Outcome.ISSUED, "wattle/patience/1")
    answer = await api.get(f"/v1/credentials/{later[-1].credential_id}", headers=wattle.headers)
    assert answer.json()["state"] == "active"


async def test_another_school_reaches_nothing_of_this_one_by_its_id_and_the_audit_log_tells_that_it_tried(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant, department: Tenant, admin: dict[str, str]
) -> None:
    api_keys = (await api.get("/v1/issuers/wattle/keys", headers=wattle.headers)).json()["keys"]
    signing_keys = (await api.get("/v1/issuers/wattle/signing-keys", headers=wattle.headers)).json()["keys"]
    credential_id = await issued_to(stack, api, 1002, "a2")
    api_key, signing_key = api_keys[0]["id"], signing_keys[0]["id"]
    calls: list[tuple[str, str, str, str, Any]] = [
        ("GET", "/v1/credentials/{credential_id}", credential_id, str(uuid4()), None),
        ("POST", "/v1/credentials/{credential_id}/revoke", credential_id, str(uuid4()), {"reason": "other"}),
        ("POST", "/v1/credentials/{credential_id}/take-down", credential_id, str(uuid4()), {"reason": "other"}),
        ("POST", "/v1/issuers/{issuer_id}/keys/{key_id}/rotate", api_key, "0123456789abcdef", {}),
        ("DELETE", "/v1/issuers/{issuer_id}/keys/{key_id}", api_key, "0123456789abcdef", None),
        (
            "PATCH",
            "/v1/issuers/{issuer_id}/signing-keys/{key_id}",
            signing_key,
            f"z6Mk{'1' * 44}",
            {"state": "retired"},
        ),
    ]

    async def answers(ids: Sequence[str], headers: dict[str, str]) -> list[dict[str, Any]]:
        found = []
        for (method, path, *_, body), each in zip(calls, ids, strict=True):
            filled = path.format(issuer_id="department", credential_id=each, key_id=each)
            answer = await api.request(method, filled, headers=headers, json=body)
            assert answer.status_code == 404, answer.text
            found.append({**answer.json(), "instance": ""})
        return found

    async def refusals() -> set[str]:
        used = key_id(key_sha256(department.headers["Authorization"].removeprefix("Bearer ")))
        log = (await api.get("/v1/issuers/department/audit/issuer?limit=200", headers=admin)).json()["entries"]
        return {each["subject"] for each in log if each["action"] == "access.refused" and each["key"] == used}

    unknown = await answers([each[3] for each in calls], department.headers)
    assert await refusals() == set(), "what exists nowhere is refused to nobody"
    assert await answers([each[2] for each in calls], department.headers) == unknown
    assert await refusals() == {f"route {each[1]}" for each in calls}


async def test_a_revocation_is_applied_when_it_is_answered_and_asking_again_changes_nothing(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant
) -> None:
    credential_id = await issued_to(stack, api, 1003, "a3")
    path = f"/v1/credentials/{credential_id}/revoke"
    first = await api.post(path, headers=wattle.headers, json={"reason": "wrong_learner", "note": "Kim's row"})
    again = await api.post(path, headers=wattle.headers, json={"reason": "other"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    revocation = first.json()["revocation"]
    assert (revocation["reason"], revocation["note"]) == ("wrong_learner", "Kim's row")
    assert revocation["requested_by"] == "key:wattle/Everything"
    key = wattle.headers["Authorization"].removeprefix("Bearer ")
    assert revocation["requested_with"] == key_id(key_sha256(key))
    free_text = await api.post(path, headers=wattle.headers, json={"reason": "wrong learner, Kim Lee"})
    assert free_text.status_code == 400
    log = stack.log("issuer").read_text(encoding="utf-8")
    assert not [words for words in ("Kim's row", "Kim Lee") if words in log]


@pytest.mark.parametrize("by", ["school", "administrator"])
async def test_a_badge_is_taken_down_by_its_school_or_the_administrator_and_their_words_stay_off_kafka_and_logs(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant, admin: dict[str, str], by: str
) -> None:
    credential_id = await issued_to(stack, api, 1004 + len(by), f"a4-{by}")
    headers = {"school": wattle.headers, "administrator": admin}[by]
    path = f"/v1/credentials/{credential_id}/take-down"
    note = f"Names her mother, asked for by {by}"
    first = await api.post(path, headers=headers, json={"reason": "personal_data", "note": note})
    again = await api.post(path, headers=headers, json={"reason": "other"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    told = first.json()
    assert (told["state"], told["revocation"]["reason"]) == ("taken_down", "taken_down")
    assert told["credential"] is None
    assert told["take_down"]["note"] == note
    principal = {"school": "key:wattle/Everything", "administrator": "administrator:first"}[by]
    assert told["take_down"]["requested_by"] == principal

    def announced(events: list[Event]) -> bool:
        about = [each for each in events if str(getattr(each, "credential_id", "")) == credential_id]
        withheld = any(isinstance(each, CredentialDocument) and each.state == "taken_down" for each in about)
        return withheld and {CredentialTakenDown, CredentialRevoked, TakeDownCredential} <= {*map(type, about)}

    names = topics.CREDENTIAL_COMMANDS.name, topics.CREDENTIAL_LIFECYCLE.name, topics.CREDENTIAL_DOCUMENTS.name
    events = await read(stack, announced, *names)
    assert not [each for each in events if "her mother" in each.model_dump_json()]
    assert "her mother" not in stack.log("issuer").read_text(encoding="utf-8")


async def test_a_service_without_its_key_file_does_not_start_and_says_what_to_do(stack: Stack, tmp_path: Any) -> None:
    with pytest.raises(Exception, match=r"KEK_FILE: there is no file"):
        await asyncio.to_thread(stack.start, "issuer-2", env={"BOWERBIRD_KEK_FILE": str(tmp_path / "none")})


async def test_a_service_under_another_secret_than_its_database_does_not_start_and_says_so(
    stack: Stack, tmp_path: Any
) -> None:
    other = tmp_path / "secret"
    other.touch(mode=0o600)
    other.write_bytes(b64encode(bytes(32)))
    with pytest.raises(Exception, match=r"the ids in the database 'issuer' were derived from the secret [0-9a-f]{16}"):
        await asyncio.to_thread(stack.start, "issuer-2", env={"BOWERBIRD_AUTHORITY_SECRET_FILE": str(other)})


async def test_every_answer_to_an_administrator_and_to_a_school_is_as_documented(
    stack: Stack, api: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    # The ids of the examples in the OpenAPI document: what asks for them finds them.
    await Tenant(api, admin, "education-department").onboard()
    school = await Tenant(api, admin, "wattle-grove").onboard(parent="education-department")
    keys = [holder["Authorization"].removeprefix("Bearer ") for holder in (admin, school.headers)]
    # The others are asked for in tests/contract/test_http_conformance.py, without a database.
    elsewhere = [
        *("list_credentials", "export_credentials", "search_credentials", "read_credential_evidence"),
        *("list_issuers", "list_achievements", "list_organisations", "read_organisation"),
        *("add_organisation", "rename_organisation", "close_organisation", "reopen_organisation"),
    ]
    await asyncio.to_thread(check_conformance, stack.url("issuer"), keys[0], also=keys[1], elsewhere=elsewhere)


async def test_killed_again_and_again_in_the_middle_every_piece_is_decided_and_none_awarded_twice(
    stack: Stack, api: httpx.AsyncClient, wattle: Tenant
) -> None:
    pieces = [
        evidence(2000 + number, learner=f"k{number % 90}", source_id=f"kill-{number % 250}") for number in range(300)
    ]
    await send(stack, *pieces[:100])
    for start in (100, 200):
        await asyncio.to_thread(stack.restart, "issuer")
        await send(stack, *pieces[start : start + 100])
    await asyncio.to_thread(stack.restart, "issuer")
    found = await decisions(stack, *pieces)
    issued = [each.credential_id for each in found.values() if each.outcome is Outcome.ISSUED]
    assert len(found) == 300
    assert len(issued) == len(set(issued)) == 90


async def test_an_administrator_says_where_the_mail_of_a_school_may_go_and_partners_do_not_hear_of_it(
    stack: Stack, api: httpx.AsyncClient, admin: dict[str, str], wattle: Tenant
) -> None:
    path = "/v1/issuers/wattle/mail-domains"
    assert (await api.get(path, headers=wattle.headers)).json() == {"domains": []}
    asked = {"domains": ["Students.Wattle.example", "fußball.example", "students.wattle.example"]}
    expected = {"domains": ["students.wattle.example", "xn--fuball-cta.example"]}
    assert (await api.put(path, headers=wattle.headers, json=asked)).status_code == 403
    for _ in range(2):
        answer = await api.put(path, headers=admin, json=asked)
        assert (answer.status_code, answer.json()) == (200, expected)
    assert (await api.get(path, headers=wattle.headers)).json() == expected
    assert (await api.put(path, headers=admin, json={"domains": ["not a domain"]})).status_code == 400
    assert (await api.put("/v1/issuers/nobody/mail-domains", headers=admin, json=asked)).status_code == 404
    assert not topics.ISSUER_SETTINGS.for_partners
    events = await read(stack, bool, topics.ISSUER_SETTINGS.name)
    assert [e.domains for e in events if isinstance(e, MailDomainsSet) and e.issuer_id == "wattle"] == [
        tuple(expected["domains"])
    ]
