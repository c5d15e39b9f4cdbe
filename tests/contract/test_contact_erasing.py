"""POST /v1/contacts/erase: a school has names and addresses of its own learners erased, and nobody else's."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from aiokafka.errors import KafkaConnectionError
from httpx import ASGITransport, AsyncClient, Response

from libs.access.api_keys import ApiKeys
from libs.audit.entry import Action, Entry
from libs.common.errors import UnavailableError
from libs.common.health import Health
from libs.common.http import create_app
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import LearnerContact, LearnerErased
from services.notifier.contacts.api import contact_routes
from services.notifier.contacts.erasing import Erasing
from tests.ids import IDS
from tests.keys_in_memory import MemoryKeys

NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)
STORED = MemoryKeys()
NORTHSIDE, SOUTHSIDE = STORED.add("northside", "contacts:erase"), STORED.add("southside", "contacts:erase")
BLIND = STORED.add("northside", "deliveries:read", "deliveries:send", "evidence:write")


class Notifier:
    """Contacts of Northside's learners, the ledger, the audit log and Kafka, in memory, which note what is done."""

    def __init__(self) -> None:
        self.given = {
            IDS.learner_id("northside", each): LearnerContact(
                learner_id=IDS.learner_id("northside", each), issuer_id="northside", email="a@b.example", changed_at=at
            )
            for each, at in {"S-1": NOW - timedelta(days=1), "S-2": NOW + timedelta(seconds=2)}.items()
        }
        self.done: list[object] = []
        self.is_unreachable = False
        self.on_its_way: dict[UUID, LearnerContact] = {}
        self.is_behind = False

    async def all_read(self) -> None:
        if self.is_behind:
            raise UnavailableError("still being read")
        self.given |= self.on_its_way

    async def stored(self, learner_ids: Collection[UUID]) -> list[LearnerContact]:
        return [self.given[each] for each in learner_ids if each in self.given]

    async def note(self, erased: Mapping[UUID, datetime]) -> None:
        self.done.append(dict(erased))

    async def record(self, *entries: Entry) -> None:
        self.done += entries

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        if self.is_unreachable:
            raise KafkaConnectionError
        self.done += [each.event for each in outgoing]


@pytest.fixture
def notifier() -> Notifier:
    return Notifier()


@pytest.fixture
async def http(notifier: Notifier) -> AsyncIterator[AsyncClient]:
    app = create_app("test", Health())
    erasing = Erasing(notifier, notifier, notifier, notifier.publish, all_read=notifier.all_read, clock=lambda: NOW)
    app.include_router(contact_routes(erasing, ApiKeys(STORED), IDS))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://notifier") as client:
        yield client


async def erase(http: AsyncClient, *learners: str, key: str = NORTHSIDE) -> Response:
    headers = {"Authorization": f"Bearer {key}"}
    return await http.post("/v1/contacts/erase", json={"learner_ids": learners}, headers=headers)


async def test_it_is_recorded_then_noted_in_the_ledger_then_published(http: AsyncClient, notifier: Notifier) -> None:
    answer = await erase(http, "S-1", "S-1", "S-404")
    assert (answer.status_code, answer.json()) == (202, {"erased": 1, "erased_at": "2026-10-12T09:00:00Z"})
    learner = IDS.learner_id("northside", "S-1")
    entry, noted, published = notifier.done
    assert isinstance(entry, Entry)
    assert (entry.action, entry.tenants, entry.subject) == (Action.CONTACT_ERASED, ("northside",), f"learner {learner}")
    assert noted == {learner: NOW}
    assert published == LearnerErased(learner_id=learner, erased_at=NOW)


async def test_what_a_service_took_in_whose_clock_is_ahead_is_erased_too(http: AsyncClient, notifier: Notifier) -> None:
    assert (await erase(http, "S-1", "S-2")).json() == {"erased": 2, "erased_at": "2026-10-12T09:00:02Z"}


async def test_what_was_given_and_is_not_read_yet_is_erased_too(http: AsyncClient, notifier: Notifier) -> None:
    learner = IDS.learner_id("northside", "S-3")
    notifier.on_its_way[learner] = LearnerContact(
        learner_id=learner, issuer_id="northside", email="c@b.example", changed_at=NOW
    )
    assert (await erase(http, "S-1", "S-3")).json()["erased"] == 2


async def test_where_what_was_given_is_long_not_read_nothing_is_called_erased(
    http: AsyncClient, notifier: Notifier
) -> None:
    notifier.is_behind = True
    assert (await erase(http, "S-1", "S-3")).status_code == 503
    assert notifier.done == []


async def test_learners_of_others_are_nobody_to_a_school(http: AsyncClient, notifier: Notifier) -> None:
    assert (await erase(http, "S-1", "S-2", key=SOUTHSIDE)).json()["erased"] == 0
    assert notifier.done == []


async def test_it_takes_a_key_with_the_scope_for_it(http: AsyncClient, notifier: Notifier) -> None:
    assert (await erase(http, "S-1", key=BLIND)).status_code == 403
    assert (await http.post("/v1/contacts/erase", json={"learner_ids": ["S-1"]})).status_code == 401
    assert notifier.done == []


@pytest.mark.parametrize("learners", [[], ["Mia Tran"], ["S-1"] * 501, [""], ["S" * 65]])
async def test_what_is_no_list_of_learner_ids_is_refused(http: AsyncClient, learners: list[str]) -> None:
    assert (await erase(http, *learners)).status_code == 400


async def test_as_many_as_may_be_asked_for_at_once_fit_into_a_body_however_long_their_ids(http: AsyncClient) -> None:
    assert (await erase(http, *["S" * 64] * 500)).status_code == 202


async def test_what_may_not_have_been_published_is_not_called_done(http: AsyncClient, notifier: Notifier) -> None:
    notifier.is_unreachable = True
    assert (await erase(http, "S-1")).status_code == 503
    notifier.is_unreachable = False
    assert (await erase(http, "S-1")).json()["erased"] == 1
