"""What the notifier answers over HTTP, over stand-ins for its collections."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import ASGITransport, AsyncClient

from libs.access.api_keys import ApiKeys, key_sha256, new_key
from libs.common.health import Health
from libs.common.http import create_app
from services.notifier.deliveries.api import routes
from services.notifier.deliveries.schedule import State
from tests.ids import IDS

NORTHSIDE, SOUTHSIDE, BLIND = new_key(), new_key(), new_key()
NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)
CREDENTIAL = uuid4()
DELIVERY = IDS.delivery_id(CREDENTIAL, "issued")


class StoredKeys:
    keys: Mapping[str, dict[str, Any]] = {
        key_sha256(NORTHSIDE): {"issuer_id": "northside", "scopes": ["deliveries:read"]},
        key_sha256(SOUTHSIDE): {"issuer_id": "southside", "scopes": ["deliveries:read"]},
        key_sha256(BLIND): {"issuer_id": "northside", "scopes": ["evidence:read"]},
    }

    async def find_one(self, query: Mapping[str, Any], _projection: object = None) -> dict[str, Any] | None:
        return self.keys.get(query["_id"])


class StoredDeliveries:
    async def of_issuer(self, issuer_id: str, wanted: Sequence[UUID]) -> list[dict[str, Any]]:
        document = {
            "_id": DELIVERY,
            "schema": 1,
            "issuer_id": "northside",
            "credential_id": CREDENTIAL,
            "occasion": "issued",
            "learner_id": uuid4(),
            "state": "pending",
            "attempts": 1,
            "last_error": {"kind": "temporary", "code": 451, "enhanced": "4.7.1", "at": NOW},
            "due_at": NOW,
            "created_at": NOW,
        }
        return [document] if DELIVERY in wanted and issuer_id == "northside" else []

    async def counts(self, issuer_id: str) -> dict[State, int]:
        return dict.fromkeys(State, 0) | ({State.SENT: 3} if issuer_id == "northside" else {})


@pytest.fixture
async def http() -> AsyncIterator[AsyncClient]:
    app = create_app("test", Health())
    keys = ApiKeys({"api_keys": StoredKeys()})  # type: ignore[arg-type]  # a fake
    app.include_router(routes(StoredDeliveries(), keys, IDS, lambda: NOW))  # type: ignore[arg-type]  # a fake
    async with AsyncClient(transport=ASGITransport(app), base_url="http://notifier") as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


PATHS = (f"/v1/deliveries?credential_id={CREDENTIAL}", f"/v1/deliveries/{DELIVERY}")


@pytest.mark.parametrize("path", [*PATHS, "/v1/deliveries/summary"])
async def test_no_key_is_401_and_a_key_without_the_scope_403(http: AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 401
    assert (await http.get(path, headers=bearer(BLIND))).status_code == 403


@pytest.mark.parametrize("path", PATHS)
async def test_another_tenants_delivery_is_not_there(http: AsyncClient, path: str) -> None:
    assert (await http.get(path, headers=bearer(NORTHSIDE))).status_code == 200
    assert (await http.get(path, headers=bearer(SOUTHSIDE))).status_code == 404


async def test_a_delivery_tells_its_state_and_codes_and_nothing_of_the_learner(http: AsyncClient) -> None:
    answer = (await http.get(PATHS[0], headers=bearer(NORTHSIDE))).json()
    (delivery,) = answer["deliveries"]
    assert delivery["state"] == "pending"
    assert delivery["last_error"]["code"] == 451
    assert set(delivery) == {
        "id", "credential_id", "occasion", "state", "attempts", "due_at", "cancel_reason", "last_error",
        "created_at", "sent_at",
    }  # fmt: skip
    assert (await http.get(PATHS[1], headers=bearer(NORTHSIDE))).json() == delivery


async def test_the_summary_counts_every_state_of_the_callers_issuer(http: AsyncClient) -> None:
    mine = (await http.get("/v1/deliveries/summary", headers=bearer(NORTHSIDE))).json()
    assert mine["issuer_id"] == "northside"
    assert mine["total"] == mine["states"]["sent"] == 3
    assert set(mine["states"]) == set(State)
    assert (await http.get("/v1/deliveries/summary", headers=bearer(SOUTHSIDE))).json()["total"] == 0


async def test_an_id_that_is_none_is_refused_in_words(http: AsyncClient) -> None:
    answer = await http.get("/v1/deliveries?credential_id=x", headers=bearer(NORTHSIDE))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
