"""What awarding by hand answers, what is recorded before it, and what stands on Kafka then."""

from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from libs.audit.entry import Action, Entry
from libs.contracts.cloudevents import body_of
from libs.contracts.events import EvidenceSubmitted
from libs.contracts.reasons import AwardReason
from tests.contract.test_evidence_api import ROW
from tests.evidence_doubles import MemoryBatches, Published, evidence_app
from tests.ids import IDS, SUPERSEDING_PROOFS

PATH = "/v1/awards?reason=prior_learning"


class Office:
    """The service, and what is recorded, with what was published by then."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.by_then: list[int] = []
        self.published = Published()
        app = evidence_app(MemoryBatches(), self.published, uuid4, audit=self)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    async def record(self, *entries: Entry) -> None:
        self.entries += entries
        self.by_then.append(len(self.published.outgoing))

    async def award(self, *rows: dict[str, Any], path: str = PATH, as_: str = "north-award", **headers: str) -> Any:
        given = {"authorization": f"Bearer {as_}", "content-type": "application/json", "idempotency-key": "k"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"\n".join(map(orjson.dumps, rows))
        return await self.client.post(path, content=content, headers=given)

    @property
    def submissions(self) -> list[EvidenceSubmitted]:
        return self.published.submissions


async def test_one_award_is_recorded_and_then_published_with_who_awards_and_why() -> None:
    office = Office()
    answer = await office.award(ROW)
    assert answer.status_code == 202, answer.text
    batch_id = IDS.batch_id("north", "award k")
    assert (answer.json()["id"], answer.json()["source"]) == (str(batch_id), "by-hand")
    (entry,), (event,) = office.entries, office.submissions
    assert office.by_then == [0]
    assert (entry.action, entry.subject, entry.reason) == (
        Action.AWARDED_BY_HAND, f"batch {batch_id}", "prior_learning",
    )  # fmt: skip
    assert entry.tenants == ("north",)
    assert event.by_hand is not None
    assert (event.by_hand.reason, event.by_hand.awarded_by) == (AwardReason.PRIOR_LEARNING, entry.cause.principal)
    assert (await office.award(ROW)).json()["id"] == str(batch_id)
    assert len(office.submissions) == 1


async def test_a_file_of_awards_is_a_batch_and_stands_for_one_reason_under_its_key() -> None:
    office, rows = Office(), [{**ROW, "source_id": f"a{number}"} for number in range(7)]
    answer = await office.award(*rows, content_type="application/x-ndjson")
    assert (answer.status_code, answer.json()["received"]) == (202, 7)
    assert all(each.by_hand is not None for each in office.submissions)
    again = await office.award(*rows, content_type="application/x-ndjson", path="/v1/awards?reason=appeal")
    assert again.status_code == 409


async def test_one_award_takes_the_place_of_a_badge_with_the_proof_of_this_service() -> None:
    office, old = Office(), uuid4()
    answer = await office.award(ROW, path=f"{PATH}&supersedes={old}")
    assert answer.status_code == 202, answer.text
    (entry,), (event,) = office.entries, office.submissions
    assert entry.details == {"supersedes": str(old)}
    assert event.supersedes == old
    received = EvidenceSubmitted.model_validate_json(body_of(event))
    assert SUPERSEDING_PROOFS.hold_for(received, received.proof)
    other = await office.award(ROW, path=f"{PATH}&supersedes={uuid4()}")
    assert other.status_code == 409, "under one key all is awarded in the place of the same"
    another = await office.award(ROW, path=PATH, idempotency_key="another")
    assert another.status_code == 202
    assert [each.proof is None for each in office.submissions] == [False, True]
    assert office.submissions[1].digest != event.digest


async def test_a_file_of_awards_and_what_is_no_id_take_the_place_of_nothing() -> None:
    office = Office()
    file = await office.award(ROW, path=f"{PATH}&supersedes={uuid4()}", content_type="application/x-ndjson")
    assert (file.status_code, file.json()["errors"][0]["field"]) == (400, "supersedes")
    assert (await office.award(ROW, path=f"{PATH}&supersedes=the-last-one")).status_code == 400
    assert not office.entries


@pytest.mark.parametrize(
    ("path", "as_", "headers", "status"),
    [
        (PATH, "north", {}, 403),
        ("/v1/awards", "north-award", {}, 400),
        ("/v1/awards?reason=kindness", "north-award", {}, 400),
        (PATH, "north-award", {"idempotency_key": "two words"}, 400),
        (PATH, "north-award", {"content_type": "text/csv"}, 415),
    ],
)
async def test_what_is_no_good_award_is_refused_before_anything_is_recorded(
    path: str, as_: str, headers: dict[str, str], status: int
) -> None:
    office = Office()
    assert (await office.award(ROW, path=path, as_=as_, **headers)).status_code == status
    assert (await office.award({**ROW, "level": "superb"})).status_code == 400
    assert not office.entries
    assert not office.published.outgoing


async def test_evidence_under_the_same_key_is_another_batch() -> None:
    office = Office()
    award = await office.award(ROW)
    evidence = await office.award(ROW, path="/v1/evidence", as_="north")
    assert evidence.status_code == 202
    assert award.json()["id"] != evidence.json()["id"]
