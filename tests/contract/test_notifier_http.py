"""What the notifier answers over HTTP, over stand-ins for its collections."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import ASGITransport, AsyncClient

from libs.access.api_keys import ApiKeys
from libs.access.audited import record_refusals
from libs.access.key_text import new_key
from libs.audit.entry import Action, Entry
from libs.audit.refusals import Refusals
from libs.common.errors import NotFoundError, OtherTenantError
from libs.common.health import Health
from libs.common.http import create_app
from services.notifier.contacts.repository import Contact
from services.notifier.deliveries.api import routes
from services.notifier.deliveries.delivery import StoredDelivery, address_mark
from services.notifier.deliveries.resending import Resending
from services.notifier.deliveries.schedule import State
from services.notifier.occasion import Occasion
from tests.ids import IDS
from tests.keys_in_memory import MemoryKeys

NORTHSIDE, SOUTHSIDE, BLIND = new_key(), new_key(), new_key()
NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)
CREDENTIAL = uuid4()
DELIVERY = IDS.delivery_id(CREDENTIAL, "issued")


STORED_KEYS = MemoryKeys()
STORED_KEYS.add("northside", "deliveries:read", "deliveries:send", key=NORTHSIDE)
STORED_KEYS.add("southside", "deliveries:read", "deliveries:send", key=SOUTHSIDE)
STORED_KEYS.add("northside", "evidence:read", key=BLIND)


LEARNER = uuid4()
EMAIL = "mia.tran@students.northside.example"


class StoredDeliveries:
    """One delivery of Northside's, as it stands; sending it again is noted."""

    def __init__(self, **changed: Any) -> None:
        fields: dict[str, Any] = {
            "id": DELIVERY,
            "issuer_id": "northside",
            "credential_id": CREDENTIAL,
            "occasion": Occasion.ISSUED,
            "learner_id": LEARNER,
            "achievement": "dept/resilience/1",
            "level": None,
            "state": State.PENDING,
            "attempts": 1,
            "last_error": {"kind": "temporary", "code": 451, "enhanced": "4.7.1", "at": NOW},
            "due_at": NOW,
            "created_at": NOW,
            "changed_at": NOW - timedelta(hours=1),
            "trace": "",
        }
        self.stored = StoredDelivery(**(fields | changed))

    async def of_issuer(self, issuer_id: str, wanted: Sequence[UUID]) -> list[StoredDelivery]:
        return [self.stored] if DELIVERY in wanted and issuer_id == "northside" else []

    async def not_found(self, issuer_id: str, ids: Sequence[UUID], what: str) -> NotFoundError:
        return (OtherTenantError if DELIVERY in ids else NotFoundError).for_caller(what)

    async def send_again(self, delivery: StoredDelivery, now: datetime) -> bool:
        if delivery != self.stored:
            return False
        self.stored = replace(delivery, state=State.PENDING, sending=delivery.sending + 1, due_at=now, changed_at=now)
        return True

    async def counts(self, issuer_id: str) -> dict[State, int]:
        return dict.fromkeys(State, 0) | ({State.SENT: 3} if issuer_id == "northside" else {})


class StoredContacts:
    async def reachable(self, learner_ids: Iterable[UUID]) -> dict[UUID, Contact]:
        return {each: Contact(EMAIL, "Mia Tran") for each in learner_ids if each == LEARNER}


class Audited:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def record(self, *entries: Entry) -> None:
        self.entries += entries


def resending(deliveries: StoredDeliveries, audit: Audited) -> Resending:
    return Resending(deliveries, StoredContacts(), audit, lambda: NOW)  # type: ignore[arg-type]  # fakes


@pytest.fixture
def deliveries() -> StoredDeliveries:
    return StoredDeliveries()


@pytest.fixture
def audit() -> Audited:
    return Audited()


@pytest.fixture
async def http(deliveries: StoredDeliveries, audit: Audited) -> AsyncIterator[AsyncClient]:
    app = create_app("test", Health())
    keys = ApiKeys(STORED_KEYS)
    again = resending(deliveries, audit)
    record_refusals(app, Refusals(audit, "notifier"))  # type: ignore[arg-type]  # a fake
    app.include_router(routes(deliveries, again, keys, IDS, lambda: NOW))  # type: ignore[arg-type]  # a fake
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


@pytest.mark.parametrize(
    ("method", "path"), [*(("GET", each) for each in PATHS), ("POST", f"/v1/deliveries/{DELIVERY}/send-again")]
)
async def test_to_ask_for_another_tenants_delivery_is_a_refusal_in_the_audit_log_and_looks_like_any_unknown_id(
    http: AsyncClient, audit: Audited, method: str, path: str
) -> None:
    nowhere = path.replace(str(DELIVERY), str(uuid4())).replace(str(CREDENTIAL), str(uuid4()))
    unknown = await http.request(method, nowhere, headers=bearer(SOUTHSIDE))
    assert audit.entries == []
    foreign = await http.request(method, path, headers=bearer(SOUTHSIDE))
    (entry,) = audit.entries
    assert (entry.action, entry.reason, entry.tenants) == (Action.ACCESS_REFUSED, "not-found", ("southside",))
    assert (foreign.status_code, foreign.headers.keys()) == (unknown.status_code, unknown.headers.keys())
    assert foreign.json() | {"instance": ""} == unknown.json() | {"instance": ""}


async def test_a_delivery_tells_its_state_and_codes_and_nothing_of_the_learner(http: AsyncClient) -> None:
    answer = (await http.get(PATHS[0], headers=bearer(NORTHSIDE))).json()
    (delivery,) = answer["deliveries"]
    assert delivery["state"] == "pending"
    assert delivery["last_error"]["code"] == 451
    assert set(delivery) == {
        "id", "credential_id", "occasion", "state", "attempts", "due_at", "cancel_reason", "last_error",
        "created_at", "sent_at", "sent_again", "recipient", "held_until",
    }  # fmt: skip
    assert (await http.get(PATHS[1], headers=bearer(NORTHSIDE))).json() == delivery


@pytest.mark.parametrize(
    ("allowed_after", "admitted", "shown"),
    [(1, False, {"due_at", "held_until"}), (0, False, set()), (0, True, {"due_at"})],
    ids=["its school's own mails hold it", "it waits for the mailbox", "it is tried again"],
)
async def test_what_others_send_to_a_mailbox_shows_in_no_time_of_a_delivery(
    http: AsyncClient, deliveries: StoredDeliveries, allowed_after: int, admitted: bool, shown: set[str]
) -> None:
    due_at = NOW + timedelta(hours=1)
    allowed_at = (NOW + timedelta(hours=allowed_after)).timestamp()
    deliveries.stored = replace(deliveries.stored, due_at=due_at, allowed_at=allowed_at, admitted=admitted)
    answer = (await http.get(PATHS[1], headers=bearer(NORTHSIDE))).json()
    assert {name for name in ("due_at", "held_until") if answer[name] is not None} == shown


@pytest.mark.parametrize(
    ("sent_to", "there"), [(EMAIL, True), ("mai.tran@students.northside.example", False), (None, None)]
)
async def test_a_school_sees_where_a_mail_went_without_the_address(
    http: AsyncClient, deliveries: StoredDeliveries, sent_to: str | None, there: bool | None
) -> None:
    mark = None if sent_to is None else address_mark(DELIVERY, sent_to)
    deliveries.stored = replace(deliveries.stored, address_mark=mark)
    answer = await http.get(PATHS[1], headers=bearer(NORTHSIDE))
    assert answer.json()["recipient"] == {"masked": "m…@students.northside.example", "last_went_there": there}
    assert EMAIL not in answer.text


AGAIN = f"/v1/deliveries/{DELIVERY}/send-again"


@pytest.mark.parametrize("state", [State.SENT, State.FAILED_PERMANENTLY, State.GAVE_UP])
async def test_a_mail_is_sent_again_once_however_often_that_is_asked_and_who_asked_is_recorded(
    http: AsyncClient, deliveries: StoredDeliveries, audit: Audited, state: State
) -> None:
    deliveries.stored = replace(deliveries.stored, state=state)
    for _ in range(3):
        answer = await http.post(AGAIN, headers=bearer(NORTHSIDE))
        assert (answer.status_code, answer.json()["state"], answer.json()["sent_again"]) == (200, "pending", 1)
    (entry,) = audit.entries
    assert (entry.action, entry.tenants) == (Action.MAIL_SENT_AGAIN, ("northside",))
    assert entry.subject == f"delivery {DELIVERY}"
    assert "@" not in repr(entry)


@pytest.mark.parametrize(
    "changed",
    [
        {"state": State.CANCELLED, "cancel_reason": "revoked"},
        {"state": State.MAY_HAVE_BEEN_SENT, "cancel_reason": "revoked"},
        {"state": State.SENT, "sending": 5},
        {"state": State.SENT, "changed_at": NOW - timedelta(minutes=9)},
    ],
    ids=["cancelled", "held and closed", "often enough", "a moment ago"],
)
async def test_a_mail_that_is_not_to_go_again_is_refused_in_words(
    http: AsyncClient, deliveries: StoredDeliveries, audit: Audited, changed: dict[str, Any]
) -> None:
    deliveries.stored = replace(deliveries.stored, **changed)
    answer = await http.post(AGAIN, headers=bearer(NORTHSIDE))
    assert answer.status_code == 409
    assert audit.entries == []


async def test_another_school_and_a_key_without_the_scope_send_nothing_again(
    http: AsyncClient, deliveries: StoredDeliveries
) -> None:
    deliveries.stored = replace(deliveries.stored, state=State.SENT)
    assert (await http.post(AGAIN, headers=bearer(SOUTHSIDE))).status_code == 404
    assert (await http.post(AGAIN, headers=bearer(BLIND))).status_code == 403
    assert deliveries.stored.sending == 0


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
