"""Reading the audit log over HTTP: an issuer's own entries, in pages, and its own part of what concerns several."""

from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient

from libs.access.api_keys import ApiKeys
from libs.access.audit_api import audit_routes
from libs.access.key_text import new_key
from libs.audit.entry import Action, Cause, Entry
from libs.audit.log import AuditLog
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
async def client() -> AsyncIterator[AsyncClient]:
    known = MemoryKeys()
    known.add("wattle", "audit:read", key=READER)
    known.add("banksia", "audit:read", key=OTHERS)
    known.add("wattle", "evidence:read", key=BLIND)
    log = AuditLog({"audit": StoredEntries()})  # type: ignore[arg-type]  # a fake
    office = Cause("key:wattle/Office", "0" * 32, "3f2a" * 4, "192.0.2.7")
    await log.record(BATCH, *(Entry(Action.CREDENTIAL_REVOKED, office, ("wattle",), f"credential {n}") for n in "ab"))
    app = create_app("issuer", Health())
    app.include_router(audit_routes(ApiKeys(known), log))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://issuer") as found:
        yield found


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_an_issuer_reads_its_entries_in_pages_the_newest_first(client: AsyncClient) -> None:
    path, headers = "/v1/issuers/wattle/audit", bearer(READER)
    first = (await client.get(path, headers=headers, params={"limit": 2})).json()
    assert [each["subject"] for each in first["entries"]] == ["credential b", "credential a"]
    rest = (await client.get(path, headers=headers, params={"limit": 2, "before": first["next_before"]})).json()
    assert [each["sequence"] for each in rest["entries"]] == [1]
    assert rest["next_before"] is None


async def test_of_what_concerns_several_an_issuer_reads_its_own_part_alone(client: AsyncClient) -> None:
    answer = await client.get("/v1/issuers/banksia/audit", headers=bearer(OTHERS))
    assert [each["details"] for each in answer.json()["entries"]] == [{"credentials": 2, "credential_ids": "b-1 b-2"}]
    assert "w-1" not in answer.text
    assert "wattle" not in answer.text


async def test_others_entries_are_not_there_and_the_scope_is_needed(client: AsyncClient) -> None:
    assert (await client.get("/v1/issuers/banksia/audit", headers=bearer(READER))).status_code == 404
    assert (await client.get("/v1/issuers/wattle/audit", headers=bearer(BLIND))).status_code == 403
