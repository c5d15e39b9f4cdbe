"""Reading the audit log over HTTP: an issuer's own entries, in pages, and its own part of what concerns several."""

from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient
from pymongo.errors import AutoReconnect

from libs.access.api_keys import ApiKeys
from libs.access.audit_api import audit_routes
from libs.access.audited import record_refusals
from libs.access.key_text import key_id, key_sha256, new_key
from libs.audit.entry import Action, Cause, Entry
from libs.audit.log import AuditLog
from libs.audit.refusals import Refusals
from libs.common.health import Health
from libs.common.http import create_app
from tests.keys_in_memory import MemoryKeys
from tests.unit.test_audit import StoredEntries

READER, OTHERS, BLIND = new_key(), new_key(), new_key()
BATCH = Entry(
    Action.CREDENTIALS_SIGNED,
    Cause.of_service("issuer", "0" * 32),
    ("wattle", "banksia"),
    "credentials of a batch",
    details={"credentials": {"wattle": 1, "banksia": 2}, "credential_ids": {"wattle": "w-1", "banksia": "b-1 b-2"}},
)


@pytest.fixture
def entries() -> StoredEntries:
    return StoredEntries()


@pytest.fixture
async def client(entries: StoredEntries) -> AsyncIterator[AsyncClient]:
    known = MemoryKeys()
    known.add("wattle", "audit:read", key=READER)
    known.add("banksia", "audit:read", key=OTHERS)
    known.add("wattle", "evidence:read", key=BLIND)
    log = AuditLog({"audit": entries})  # type: ignore[arg-type]  # a fake
    office = Cause("key:wattle/Office", "0" * 32, "3f2a" * 4, "192.0.2.7")
    await log.record(BATCH, *(Entry(Action.CREDENTIAL_REVOKED, office, ("wattle",), f"credential {n}") for n in "ab"))
    app = create_app("issuer", Health())
    app.include_router(audit_routes("issuer", ApiKeys(known), log))
    record_refusals(app, Refusals(log, "issuer"))
    transport = ASGITransport(app, client=("192.0.2.9", 4711))
    async with AsyncClient(transport=transport, base_url="http://issuer") as found:
        yield found


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_an_issuer_reads_its_entries_in_pages_the_newest_first(client: AsyncClient) -> None:
    path, headers = "/v1/issuers/wattle/audit/issuer", bearer(READER)
    first = (await client.get(path, headers=headers, params={"limit": 2})).json()
    assert [each["subject"] for each in first["entries"]] == ["credential b", "credential a"]
    rest = (await client.get(path, headers=headers, params={"limit": 2, "before": first["next_before"]})).json()
    assert [each["subject"] for each in rest["entries"]] == ["credentials of a batch"]
    assert rest["next_before"] is None


async def test_nothing_in_an_issuers_entries_tells_how_many_those_of_others_are(
    client: AsyncClient, entries: StoredEntries
) -> None:
    path, headers = "/v1/issuers/banksia/audit/issuer", bearer(OTHERS)
    (before,) = (await client.get(path, headers=headers)).json()["entries"]
    assert set(before) == {
        "at",
        "action",
        "principal",
        "key",
        "client",
        "trace",
        "subject",
        "reason",
        "details",
        "hash",
    }
    others = (await client.get(path, headers=headers, params={"before": entries.documents[2]["hash"]})).status_code
    assert (others, (await client.get(path, headers=headers, params={"before": 3})).status_code) == (404, 400)


async def test_of_what_concerns_several_an_issuer_reads_its_own_part_alone(client: AsyncClient) -> None:
    answer = await client.get("/v1/issuers/banksia/audit/issuer", headers=bearer(OTHERS))
    assert [each["details"] for each in answer.json()["entries"]] == [{"credentials": 2, "credential_ids": "b-1 b-2"}]
    assert "w-1" not in answer.text
    assert "wattle" not in answer.text


async def test_others_entries_are_not_there_and_the_scope_is_needed(client: AsyncClient) -> None:
    assert (await client.get("/v1/issuers/banksia/audit/issuer", headers=bearer(READER))).status_code == 404
    assert (await client.get("/v1/issuers/wattle/audit/issuer", headers=bearer(BLIND))).status_code == 403


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("key", "issuer_id", "reason"), [(BLIND, "wattle", "forbidden"), (READER, "banksia", "not-found")], ids=["w", "b"]
)
async def test_a_refusal_is_in_the_log_when_it_is_answered_with_who_what_why_trace_and_client(
    client: AsyncClient, entries: StoredEntries, key: str, issuer_id: str, reason: str
) -> None:
    headers = {**bearer(key), "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    answer = await client.get(f"/v1/issuers/{issuer_id}/audit/issuer", headers=headers)
    assert answer.status_code in {403, 404}
    written = entries.documents[max(entries.documents)]
    assert (written["action"], written["principal"], written["reason"]) == ("access.refused", "key:wattle/Test", reason)
    assert (written["subject"], written["tenants"]) == ("route /v1/issuers/{issuer_id}/audit/issuer", ["wattle"])
    assert (written["key"], written["trace"], written["client"]) == (key_id(key_sha256(key)), TRACE, "192.0.2.9")


async def test_who_is_refused_is_refused_also_while_the_log_is_away(
    client: AsyncClient, entries: StoredEntries, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise AutoReconnect("away")

    monkeypatch.setattr(entries, "insert_many", away)
    assert (await client.get("/v1/issuers/wattle/audit/issuer", headers=bearer(BLIND))).status_code == 403
