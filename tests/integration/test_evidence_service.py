"""The evidence service on a real Kafka and a real MongoDB: races, crashes, memory."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
import pytest
from aiokafka import AIOKafkaConsumer
from pymongo import MongoClient

from deploy.embedded.stack import Stack
from libs.access.key_text import new_key
from libs.access.repository import granting
from libs.common import mongo
from libs.common.clock import now
from libs.common.errors import ConflictError, NotFoundError, OtherTenantError
from libs.common.kafka import Kafka
from libs.common.settings import Settings
from libs.common.telemetry import new_trace
from libs.contracts import ids, topics
from libs.contracts.cloudevents import Outgoing, Received, body_of, read_event, readable_headers
from libs.contracts.events import BatchStored, EvidenceDecided, EvidenceSubmitted, Outcome
from libs.contracts.results import Result, SoloLevel
from services.evidence.batches.batch import NewRow, Progress, RowFault, RowWarning, Upload, UploadLease
from services.evidence.batches.ingestion import Intake
from services.evidence.batches.repository import Batches
from services.evidence.batches.sealing import Header, StoredRows
from services.evidence.batches.submissions import packed
from services.evidence.batches.worker import StoredBatches
from services.evidence.sources.columns import COLUMNS
from services.evidence.sources.csv_reader import CsvReader
from tests.evidence_doubles import BATCH_SEALING, CONTACT_SEALING, ORIGINALS, MemoryBatches, Published, contacts_topic
from tests.ids import IDS, SUPERSEDING_PROOFS, ids_of
from tests.keys_in_memory import grant

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HEADER = (",".join(COLUMNS) + "\n").encode()


def line(number: int, comment: str = "Kept going, even in the rain") -> bytes:
    level = "excellent" if number % 20 == 0 else ("relational", "Multistructural")[number % 2]
    learner = number % 5_000
    return (
        f"VW-{number},S{learner},Zoë {learner},s{learner}@school.example,resilience,{level},,2026-03-09,"
        f'Raft building,7B,2026-T1,Ms Pike,"{comment}",https://school.example/{number}\n'
    ).encode()


def file_of(rows: int, pause_seconds: float = 0, comments: Sequence[str] = ()) -> Iterator[bytes]:
    """A file, made as it is sent."""
    yield HEADER
    for start in range(0, rows, 500):
        numbers = range(start + 1, min(start + 500, rows) + 1)
        yield b"".join(line(each, *comments) for each in numbers)
        time.sleep(pause_seconds)


class Door:
    """A school of its own at the service's door."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.issuer_id = name
        self._url = stack.url("evidence")
        key = new_key()
        self._headers = {"authorization": f"Bearer {key}", "content-type": "text/csv"}
        granted = grant(key, name, ["evidence:read", "evidence:write"])
        with MongoClient[dict[str, Any]](stack.mongo_url) as client:
            client["evidence"]["api_keys"].bulk_write([granting(granted)])

    def send(self, content: Iterator[bytes], key: str | None = None) -> httpx.Response:
        headers = self._headers | ({} if key is None else {"idempotency-key": key})
        return httpx.post(f"{self._url}/v1/batches", content=content, headers=headers, timeout=600)

    def batch(self, batch_id: str | UUID) -> dict[str, Any]:
        answer = httpx.get(f"{self._url}/v1/batches/{batch_id}", headers=self._headers, timeout=60)
        body: dict[str, Any] = answer.json()
        assert answer.status_code == 200, body
        assert body["received"] == sum(body["counts"].values())
        return body


@pytest.fixture(scope="module")
def stack(infrastructure: Stack) -> Iterator[Stack]:
    infrastructure.start("evidence")
    yield infrastructure
    infrastructure.stop("evidence")


@pytest.fixture
async def database(infrastructure: Stack) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    yield client["evidence"]
    await mongo.close(client)


def decision(
    batch_id: UUID, row: int, outcome: Outcome = Outcome.ISSUED, reason: str | None = None, sequence: int = 1
) -> EvidenceDecided:
    return EvidenceDecided(
        submission_id=ids.submission_id(batch_id, row),
        evidence_id=uuid4(),
        batch_id=batch_id,
        row=row,
        issuer_id="north",
        source_id=f"VW-{row}",
        learner_id=uuid4(),
        sequence=sequence,
        outcome=outcome,
        reason=reason,
        rule_version="d/resilience/1",
        decided_at=NOW,
    )


def new_rows(batch_id: UUID, numbers: Sequence[int]) -> list[NewRow]:
    return [NewRow(ids.submission_id(batch_id, n), n, f"VW-{n}", "pending", comment="Kept going") for n in numbers]


async def leased(batches: Batches) -> UploadLease:
    return await batches.acquire(uuid4(), Upload("north", "upload", "csv", ""), uuid4(), NOW, NOW, first=Progress())


async def begun(batches: Batches) -> UUID:
    lease = await leased(batches)
    assert await batches.accept(lease, Progress(), NOW)
    return lease.batch_id


async def test_what_an_upload_announced_outlives_it_and_binds_the_next_one_under_its_key(either: Batches) -> None:
    batch_id, upload = uuid4(), Upload("north", "upload", "csv", "", "week-1")
    first = Progress(2, 2, "ab")
    lease = await either.acquire(batch_id, upload, uuid4(), NOW, NOW - timedelta(seconds=10), first=first)
    assert (lease.progress, lease.announced) == (Progress(), first)
    assert await either.announce(lease, Progress(3, 3, "abc"))
    later = NOW + timedelta(minutes=1)
    other = Progress(1, 1, "cd")
    again = await either.acquire(batch_id, upload, uuid4(), later, later - timedelta(seconds=10), first=other)
    assert (again.progress, again.announced) == (Progress(), Progress(3, 3, "abc"))
    assert not await either.announce(lease, Progress(6, 6, "def"))


async def test_decisions_and_rows_that_race_leave_every_row_decided_and_every_comment_kept(
    database: mongo.Database,
) -> None:
    batches = Batches(database)
    lease = await leased(batches)
    batch_id, numbers = lease.batch_id, range(1, 3001)
    parts = [numbers[start : start + 100] for start in range(0, 3000, 100)]
    for part in parts:
        # Both at once, as when the issuer is faster than the insert.
        await asyncio.gather(
            batches.store(lease, "north", new_rows(batch_id, part), Progress(part[-1], part[-1])),
            batches.decide([decision(batch_id, row) for row in part]),
        )
    told = await batches.batch(batch_id, "north")
    assert told.tally.by_state["issued"] == told.tally.received == 3000
    blocks = await database["row_blocks"].find({"batch_id": batch_id}).to_list(None)
    kept = [row for block in blocks for row in block["rows"]]
    assert sorted(row["row"] for row in kept if row["comment"] == "Kept going") == [*numbers]


async def test_rows_are_kept_as_they_were_published_until_they_are_decided_or_their_life_ends(
    database: mongo.Database,
) -> None:
    batches = Batches(database)
    batch_id = uuid4()
    shared = set(EvidenceSubmitted.model_fields) - {"achievement", "received_at"}
    sent = [
        EvidenceSubmitted(
            **decision(batch_id, row).model_dump(include=shared),
            digest="d",
            source="upload",
            achievement="resilience",
            result=Result(level=SoloLevel.RELATIONAL),
            observed_on=NOW.date(),
            activity="Raft building",
            received_at=NOW - timedelta(days=row),
        )
        for row in range(1, 5)
    ]

    async def pending() -> list[EvidenceSubmitted]:
        return [each async for some in batches.sent.pending() for each in some if each.batch_id == batch_id]

    for chunk in (sent[:2], sent[:2], sent[2:]):  # one is done again, as after a crash
        await batches.sent.keep(chunk, packed(list(map(body_of, chunk))))
    assert await pending() == sent
    await batches.decide([decision(batch_id, 2, Outcome.WAITING)])
    assert await pending() == [sent[0], *sent[2:]]
    assert await batches.sent.oldest() == sent[2].received_at
    assert await batches.sent.ended(sent[1].received_at) == 1
    assert await batches.sent.remove(sent[1].received_at, 5) == 1
    assert await pending() == [sent[0]]


async def test_comments_and_assessors_leave_when_their_life_ends_and_the_rows_and_younger_batches_stay(
    database: mongo.Database,
) -> None:
    batches = Batches(database)
    old, young = await leased(batches), await leased(batches)
    for lease in (old, young):
        await batches.store(lease, "north", new_rows(lease.batch_id, range(1, 601)), Progress(600, 600))
    await database["batches"].update_one({"_id": old.batch_id}, {"$set": {"created_at": NOW - timedelta(days=500)}})
    assert await batches.texts.oldest() == NOW - timedelta(days=500)
    removed = await asyncio.gather(*(batches.texts.remove(NOW - timedelta(days=400), 10) for _ in range(3)))
    assert sum(removed) >= 1
    assert await batches.texts.oldest() == NOW
    both = {"batch_id": {"$in": [old.batch_id, young.batch_id]}}
    blocks = await database["row_blocks"].find(both).to_list(None)
    rows = {lease.batch_id: list[mongo.Document]() for lease in (old, young)}
    for block in blocks:
        rows[block["batch_id"]] += block["rows"]
    assert {tuple(sorted(row)) for row in rows[old.batch_id]} == {("row", "source_id")}
    assert {"comment", "row", "source_id"} <= set(rows[young.batch_id][0])
    assert len(rows[old.batch_id]) == len(rows[young.batch_id]) == 600


async def test_uploads_leave_when_their_life_ends_but_none_with_a_row_that_waits_and_no_key_is_free_again(
    database: mongo.Database,
) -> None:
    batches = Batches(database)
    removal = batches.removal
    sent, before = NOW - timedelta(days=900), NOW - timedelta(days=730)
    plain, pending, keyed = uuid4(), uuid4(), uuid4()
    upload, warned = Upload("north", "upload", "csv", "", "week-1"), (RowWarning("activity", "email_in_text", "Look."),)
    for each in (plain, pending, keyed):
        first = Progress(7, 7, "ab" if each is keyed else "")
        lease = await batches.acquire(each, upload, uuid4(), sent, sent, first=first)
        rows = new_rows(each, range(1, 8))
        rows[6] = rows[6]._replace(state="refused", reason="level_unknown")
        await batches.store(lease, "north", [row._replace(warnings=warned) for row in rows], first, sent)
        await batches.decide([decision(each, row) for row in range(1, 6 if each is pending else 7)])
    young = await begun(batches)
    assert (await removal.oldest(), await removal.ended(before)) == (sent, 3)
    while sum(await asyncio.gather(*(removal.remove(before, 4) for _ in range(3)))):
        for each in (plain, pending, keyed):
            try:
                told = await batches.batch(each, "north")
            except NotFoundError:
                continue
            assert told.tally.received == 7, "whole or not there"
    kept = {each["_id"] for each in await database["batches"].find({}, {"_id": 1}).to_list(None)}
    assert (plain in kept, {pending, keyed, young} <= kept) == (False, True)
    for name in ("rows", "row_warnings", "row_blocks"):
        assert await database[name].count_documents({"batch_id": {"$in": [plain, keyed]}}) == 0
    with pytest.raises(NotFoundError) as gone:
        await batches.format(keyed, "north")
    assert not gone.value.is_refusal, "its own school is refused nothing"
    with pytest.raises(ConflictError, match="long ago"):
        await batches.acquire(keyed, upload, uuid4(), NOW, NOW, first=Progress(7, 7, "ab"))
    (stub,) = await database["batches"].find({"_id": keyed}).to_list(None)
    assert stub.keys() == {"_id", "issuer_id", "schema", "ended"}
    await batches.decide([decision(pending, 6)])
    assert await removal.remove(before, 100) == 0, "it is looked at again a day later"
    assert await removal.remove(before + timedelta(days=1, seconds=1), 100) > 0
    assert await removal.oldest() != sent


async def test_warnings_stay_with_their_rows_whatever_is_decided_and_are_counted(either: Batches) -> None:
    lease = await leased(either)
    batch_id, rows = lease.batch_id, new_rows(lease.batch_id, range(1, 7))
    email = RowWarning("activity", "email_in_text", "Look.")
    rows[1] = rows[1]._replace(warnings=(email, email._replace(column="link")))
    rows[4] = rows[4]._replace(warnings=(email._replace(reason="telephone_in_text"),))
    for _ in range(2):  # as after a kill
        assert await either.store(lease, "north", rows, Progress(6, 6))
    assert await either.accept(lease, Progress(6, 6), NOW)
    for decided in ((), (2, 3), (1, 4, 5, 6)):
        await either.decide([decision(batch_id, row) for row in decided])
        told = await either.batch(batch_id, "north")
        assert told.warnings == {"email_in_text": 1, "telephone_in_text": 1}
        everything = await either.rows(batch_id, "north", state=None, after=("", 0), limit=100)
        assert [(row.row, len(row.warnings)) for row in everything if row.warnings] == [(2, 2), (5, 1)]
        warned = await either.warned_rows(batch_id, "north", after=0, limit=1)
        warned += await either.warned_rows(batch_id, "north", after=2, limit=1)
        assert warned == [row for row in everything if row.warnings]
    issued = await either.rows(batch_id, "north", state="issued", after=("", 0), limit=100)
    assert [row.row for row in issued if row.warnings] == [2, 5]
    assert (await either.batch(batch_id, "north")).complete
    assert (await either.batch(batch_id, "north")).warnings == {"email_in_text": 1, "telephone_in_text": 1}


STORES = ("batches", "rows", "row_blocks", "row_warnings")


async def stored_of(database: mongo.Database, batch_id: UUID) -> dict[str, list[Any]]:
    """Return all that is stored of a batch, but for what belongs to its upload while it is under way."""
    found = {name: await database[name].find({"_id": batch_id}).to_list(None) for name in STORES[:1]}
    for name in STORES[1:]:
        found[name] = await database[name].find({"batch_id": batch_id}).sort("_id", 1).to_list(None)
    for each in found["batches"]:
        del each["upload"], each["alive_at"]
    return found


async def uploaded(database: mongo.Database, rows: int, key: str | None = None) -> tuple[UUID, list[BatchStored]]:
    """Send a file, some rows of which are refused and one of which is warned of, in chunks of 300 rows."""
    published, text = Published(), b"".join(map(line, range(1, rows + 1)))

    async def blocks() -> AsyncIterator[bytes]:
        yield HEADER + text.replace(b"Raft building", b"Ask pike@school.example", 1)

    intake = Intake(
        batches=Batches(database, ORIGINALS), ids=IDS, publish=published, clock=now, new_id=uuid4,
        sealing=BATCH_SEALING, contact_sealing=CONTACT_SEALING, contacts_topic=contacts_topic,
        proofs=SUPERSEDING_PROOFS, chunk_rows=300,
    )  # fmt: skip
    batch = await intake.receive(Upload("north", "sis", "csv", new_trace(), key), CsvReader(66_000), blocks())
    return batch.batch_id, [each.event for each in published.outgoing if isinstance(each.event, BatchStored)]


@pytest.mark.parametrize("rows", [700, 600])  # of which the last chunk is the end, and is not
@pytest.mark.parametrize("kept", [None, 0, 1, 2])  # the header and so many chunks are in the store that was put back
@pytest.mark.parametrize("has_key", [True, False])
async def test_a_batch_that_the_database_lacks_is_taken_up_as_it_was_acknowledged(
    database: mongo.Database, rows: int, kept: int | None, has_key: bool
) -> None:
    key = f"again-{rows}-{kept}" if has_key else None
    batch_id, events = await uploaded(database, rows, key)
    whole = await stored_of(database, batch_id)
    assert (whole["batches"][0]["received"], len(whole["row_warnings"])) == (rows, 1)
    assert len(whole["rows"]) == rows // 20
    for name in STORES:
        await database[name].delete_many({"_id" if name == "batches" else "batch_id": batch_id})
    batches = Batches(database, ORIGINALS)
    if kept is not None:
        upload = Upload("north", "sis", "csv", "", key)
        created = whole["batches"][0]["created_at"]
        await batches.acquire(batch_id, upload, uuid4(), created, created, first=Progress())
    consumer = StoredBatches(batches, BATCH_SEALING, now)
    for event in events[: kept or 0]:
        await consumer.apply([Received(event, event.key, "", known=True)])
    await consumer.apply([Received(event, event.key, "", known=True) for event in events])
    assert await stored_of(database, batch_id) == whole
    if key is not None:
        # The sender's repetition is the same batch, and nothing of it is published again.
        assert await uploaded(database, rows, key) == (batch_id, [])


async def test_where_the_database_lacks_nothing_no_record_of_a_batch_is_opened(database: mongo.Database) -> None:
    _, events = await uploaded(database, 700)
    missing = Batches(database).adoption.missing
    assert await missing([Received(event, event.key, "", known=True) for event in events], now()) == []


async def test_an_upload_that_is_under_way_is_left_to_itself_unless_its_record_is_read_again(
    database: mongo.Database,
) -> None:
    lease = await leased(Batches(database))
    header = Header(lease.batch_id, "north", "upload", "csv", NOW)
    (event,) = BATCH_SEALING.seal(StoredRows(header, (), Progress(1, 1)), NOW, accepted=True)
    missing, received = Batches(database).adoption.missing, Received(event, event.key, "")
    assert await missing([received], NOW) == []
    assert await missing([received._replace(known=True)], NOW) == [event]
    assert await missing([received], NOW + timedelta(seconds=11)) == [event]


@pytest.fixture(params=["in memory", "MongoDB"])
def either(request: pytest.FixtureRequest, database: mongo.Database) -> Batches:
    """Both repositories: what the unit tests believe of the one in memory must be true of the real one."""
    return MemoryBatches() if request.param == "in memory" else Batches(database, ORIGINALS)


async def test_rows_that_failed_are_given_back_in_the_files_order_whenever_they_were_refused(either: Batches) -> None:
    lease = await leased(either)
    batch_id = lease.batch_id
    rows = [
        row._replace(original={"source_id": f"VW-{row.row}", "comment": "Kept going"})
        for row in new_rows(batch_id, range(1, 1201))
    ]
    fault = RowFault("date", "date_form", "No date.")
    for number in (7, 600):
        refused = rows[number - 1]._replace(state="refused", column="level", reason="level_unknown", detail="None.")
        rows[number - 1] = refused._replace(also=(fault,), original={"learner_name": "Zoë", "level": "wrong"})
    rows[8] = rows[8]._replace(original=None)
    for part in (rows[:500], rows[500:]):
        assert await either.store(lease, "north", part, Progress(part[-1].row, part[-1].row))
    await either.decide([decision(batch_id, row, Outcome.REFUSED, "score_needed") for row in (9, 250, 252, 1200)])
    await either.decide([decision(batch_id, row) for row in (8, 251)])
    first = await either.failed.page(batch_id, "north", after=0, limit=3)
    rest = await either.failed.page(batch_id, "north", after=first[-1].row.row, limit=9)
    assert [each.row.row for each in first + rest] == [7, 9, 250, 252, 600, 1200]
    assert first[0].row.faults == (RowFault("level", "level_unknown", "None."), fault)
    assert first[0].sent == rest[1].sent == {"learner_name": "Zoë", "level": "wrong"}
    assert (first[1].sent, rest[2].sent) == ({}, {"source_id": "VW-1200", "comment": "Kept going"})
    assert await either.failed.page(batch_id, "south", after=0, limit=9) == []


async def test_rows_as_they_were_sent_leave_when_their_life_ends_and_their_reasons_stay(
    database: mongo.Database,
) -> None:
    batches = Batches(database, ORIGINALS)
    lease = await leased(batches)
    rows = [row._replace(original={"comment": "Kept going"}) for row in new_rows(lease.batch_id, range(1, 3))]
    rows[1] = rows[1]._replace(state="refused", reason="level_unknown")
    await batches.store(lease, "north", rows, Progress(2, 2))
    await batches.decide([decision(lease.batch_id, 1, Outcome.REFUSED, "score_needed")])
    ended = {"created_at": NOW - timedelta(days=500)}
    await database["batches"].update_one({"_id": lease.batch_id}, {"$set": ended})
    assert await batches.originals.oldest() == NOW - timedelta(days=500)
    assert await batches.originals.remove(NOW - timedelta(days=400), 10) >= 1
    failed = await batches.failed.page(lease.batch_id, "north", after=0, limit=9)
    assert [(each.row.reason, each.sent) for each in failed] == [("score_needed", {}), ("level_unknown", {})]


DECISIONS = ((Outcome.WAITING, "unknown_achievement", 1), (Outcome.ISSUED, None, 2), (Outcome.REFUSED, "withdrawn", 3))


@pytest.mark.parametrize("order", [*permutations(range(3)), (0, 2, 0, 1, 2, 0), (2, 1, 1)])
@pytest.mark.parametrize("together", [True, False])
async def test_a_row_has_the_state_of_its_newest_decision_in_whatever_order_they_arrive(
    either: Batches, order: Sequence[int], together: bool
) -> None:
    lease = await leased(either)
    batch_id = lease.batch_id
    arriving = [decision(batch_id, 1, *DECISIONS[each]) for each in order]
    for some in [arriving] if together else [[each] for each in arriving]:
        await either.decide(some)
        told = await either.batch(batch_id, "north")
        assert told.tally.received == 1
    assert await either.store(lease, "north", new_rows(batch_id, [1]), Progress(1, 1))
    outcome, reason, _ = DECISIONS[max(order)]
    rows = await either.rows(batch_id, "north", state=None, after=("", 0), limit=10)
    assert [(row.row, row.source_id, row.state, row.reason) for row in rows] == [(1, "VW-1", outcome, reason)]
    assert (await either.batch(batch_id, "north")).tally.by_state[outcome] == 1


async def test_a_batch_of_another_school_is_refused_and_reads_like_one_that_exists_nowhere(either: Batches) -> None:
    batch_id = (await leased(either)).batch_id
    for read in (either.batch, either.format):
        with pytest.raises(OtherTenantError) as refused:
            await read(batch_id, "south")
        with pytest.raises(NotFoundError) as unknown:
            await read(uuid4(), "south")
        assert type(unknown.value) is NotFoundError
        assert str(refused.value) == str(unknown.value)


async def test_a_later_decision_takes_away_what_the_earlier_one_said(database: mongo.Database) -> None:
    batches = Batches(database)
    batch_id = await begun(batches)
    waiting = decision(batch_id, 1, Outcome.WAITING, "unknown_achievement").model_copy(update={"detail": "It waits."})
    await batches.decide([waiting])
    await batches.decide([decision(batch_id, 1, sequence=2)])
    (row,) = await batches.rows(batch_id, "north", state="issued", after=("", 0), limit=10)
    assert (row.reason, row.detail) == (None, None)


async def test_the_numbers_of_a_complete_batch_follow_a_decision_that_is_reviewed(database: mongo.Database) -> None:
    batches = Batches(database)
    batch_id = await begun(batches)
    await batches.decide([decision(batch_id, row) for row in range(1, 11)])
    assert (await batches.batch(batch_id, "north")).complete
    await batches.decide([decision(batch_id, 3, Outcome.REFUSED, "withdrawn", sequence=2)])
    told = await batches.batch(batch_id, "north")
    assert (told.complete, told.tally.by_state["issued"], told.tally.by_state["refused"]) == (True, 9, 1)


async def test_numbers_that_are_counted_while_decisions_are_reviewed_are_not_kept(database: mongo.Database) -> None:
    batches = Batches(database)
    batch_id = await begun(batches)
    await batches.decide([decision(batch_id, row) for row in range(1, 401)])
    reviewing = asyncio.gather(
        *(
            batches.decide([decision(batch_id, row, Outcome.REFUSED, "withdrawn", sequence=2)])
            for row in range(1, 401, 2)
        )
    )
    sums = set()
    while not reviewing.done():
        sums.add((await batches.batch(batch_id, "north")).tally.received)
    await reviewing
    told = [await batches.batch(batch_id, "north") for _ in range(2)]
    assert sums == {400}
    assert [(each.tally.by_state["issued"], each.tally.by_state["refused"]) for each in told] == [(200, 200)] * 2


async def test_the_sum_is_the_same_at_every_moment_while_rows_move(database: mongo.Database) -> None:
    batches = Batches(database)
    lease = await leased(batches)
    batch_id = lease.batch_id
    assert await batches.store(lease, "north", new_rows(batch_id, range(1, 5001)), Progress(5000, 5000))
    assert await batches.accept(lease, Progress(5000, 5000), NOW)
    moving = asyncio.gather(
        *(
            batches.decide([decision(batch_id, row, list(Outcome)[row % 5]) for row in range(start, start + 100)])
            for start in range(1, 5001, 100)
        )
    )
    sums = set()
    while not moving.done():
        sums.add((await batches.batch(batch_id, "north")).tally.received)
    await moving
    told = await batches.batch(batch_id, "north")
    assert sums <= {5000}
    assert told.tally.by_state["waiting"] == 1000
    assert not told.complete
    await batches.decide([decision(batch_id, row, sequence=2) for row in range(1, 5001) if row % 5 == 3])
    told = await batches.batch(batch_id, "north")
    assert told.complete
    stored = await database["batches"].find_one({"_id": batch_id})
    assert stored is not None
    assert sum(count for _state, _reason, count in stored["tally"]) == 5000
    assert await batches.batch(batch_id, "north") == told


async def test_rows_of_one_state_are_paged_without_gap_or_repeat(database: mongo.Database) -> None:
    batches = Batches(database)
    batch_id = await begun(batches)
    reasons = ("date_form", "level_unknown", None)
    await batches.decide([decision(batch_id, row, Outcome.REFUSED, reasons[row % 3]) for row in range(1, 101)])
    seen, after = [], ("", 0)
    while page := await batches.rows(batch_id, "north", state="refused", after=after, limit=7):
        seen += [(row.reason or "", row.row) for row in page]
        after = seen[-1]
    assert seen == sorted((reasons[row % 3] or "", row) for row in range(1, 101))


async def test_rows_in_their_order_are_paged_without_gap_or_repeat_whatever_their_states(
    database: mongo.Database,
) -> None:
    batches = Batches(database)
    lease = await leased(batches)
    batch_id, numbers = lease.batch_id, [row for row in range(1, 9001) if row % 7]
    for start in range(0, len(numbers), 400):
        part = numbers[start : start + 400]
        rows = [
            row._replace(state="refused", reason="date_form") if row.row % 10 == 0 else row
            for row in new_rows(batch_id, part)
        ]
        assert await batches.store(lease, "north", rows, Progress(part[-1], start + len(part)))
    decided = [row for row in numbers if row % 10 and (row % 3 == 0 or row > 8000)]
    await batches.decide([decision(batch_id, row) for row in [*decided, 9500]])
    states = {row: "refused" if row % 10 == 0 else "pending" for row in numbers}
    states |= dict.fromkeys([*decided, 9500], "issued")
    for limit in (170, 1000, 10_000):
        assert await everything(batches, batch_id, None, limit) == sorted(states.items())
        pending = [(row, state) for row, state in sorted(states.items()) if state == "pending"]
        assert await everything(batches, batch_id, "pending", limit) == pending
    assert (await batches.batch(batch_id, "north")).tally.by_state["pending"] == len(pending)
    assert (await batches.batch(batch_id, "north")).tally.received == len(states)


async def everything(batches: Batches, batch_id: UUID, state: str | None, limit: int) -> list[tuple[int, str]]:
    seen: list[tuple[int, str]] = []
    full = True
    while full:
        after = ("", seen[-1][0] if seen else 0)
        page = await batches.rows(batch_id, "north", state=state, after=after, limit=limit)
        seen += [(row.row, row.state) for row in page]
        full = len(page) == limit
    return seen


async def test_a_lease_that_ran_out_may_be_taken_and_the_old_upload_learns_of_it(database: mongo.Database) -> None:
    batches = Batches(database)
    upload, batch_id, first, second = Upload("north", "upload", "csv", "", "week-1"), uuid4(), uuid4(), uuid4()
    old = await batches.acquire(batch_id, upload, first, NOW, NOW - timedelta(seconds=10), first=Progress())
    assert await batches.store(old, "north", new_rows(batch_id, range(1, 501)), Progress(500, 500, "f"))
    assert await batches.renew(old, NOW)
    new = await batches.acquire(batch_id, upload, second, NOW, NOW + timedelta(seconds=1), first=Progress())
    assert (new.progress, new.accepted) == (Progress(500, 500, "f"), False)
    assert not await batches.renew(old, NOW)
    assert not await batches.store(old, "north", new_rows(batch_id, [501]), Progress(501, 501, "h"))
    assert not await batches.accept(old, Progress(), NOW)
    assert await batches.accept(new, Progress(900, 900, "g"), NOW)
    assert not await batches.renew(new, NOW)
    assert (await batches.acquire(batch_id, upload, uuid4(), NOW, NOW, first=Progress())).accepted


async def test_a_file_sent_twice_at_once_is_two_batches_and_under_one_key_it_is_one(stack: Stack) -> None:
    door = Door(stack, "twice")
    answers = await asyncio.gather(*(asyncio.to_thread(door.send, file_of(3_000)) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({answer.json()["id"] for answer in answers}) == 2
    for answer in answers:
        told = await asyncio.to_thread(door.batch, answer.json()["id"])
        assert (told["received"], told["counts"]["refused"]) == (3_000, 150)
    keyed = await asyncio.gather(*(asyncio.to_thread(door.send, file_of(3_000, 0.05), "one") for _ in range(2)))
    assert sorted(answer.status_code for answer in keyed) in ([202, 202], [202, 503])
    again = await asyncio.to_thread(door.send, file_of(3_000), "one")
    assert (again.status_code, again.json()["received"]) == (202, 3_000)


@asynccontextmanager
async def an_issuer(stack: Stack, issuer_id: str) -> AsyncIterator[set[UUID]]:
    """Decides everything that this school submitted; gives the submissions that it has seen."""
    kafka = Kafka(Settings(kafka_bootstrap=stack.kafka_bootstrap), "issuer", IDS.event_id)
    await kafka.start()
    consumer = AIOKafkaConsumer(
        topics.EVIDENCE_SUBMITTED.name,
        topics.EVIDENCE_BULK.name,
        bootstrap_servers=stack.kafka_bootstrap,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    seen: set[UUID] = set()

    async def decide() -> None:
        while True:
            taken = [record for part in (await consumer.getmany(timeout_ms=200)).values() for record in part]
            events = [read_event(readable_headers(record.headers), record.value) for record in taken]
            mine = [e for e in events if isinstance(e, EvidenceSubmitted) and e.issuer_id == issuer_id]
            seen.update(event.submission_id for event in mine)
            await kafka.publish(
                [
                    Outgoing(
                        EvidenceDecided(
                            **event.model_dump(include=set(EvidenceDecided.model_fields)),
                            outcome=Outcome.ISSUED,
                            rule_version="d/resilience/1",
                            decided_at=NOW,
                        ),
                        new_trace(),
                    )
                    for event in mine
                ]
            )

    deciding = asyncio.create_task(decide())
    try:
        yield seen
    finally:
        deciding.cancel()
        await asyncio.wait({deciding})
        await consumer.stop()
        await kafka.stop()


async def test_killed_in_the_middle_of_an_upload_the_numbers_add_up_and_the_file_can_be_sent_again(
    stack: Stack, database: mongo.Database
) -> None:
    door, rows = Door(stack, "killed"), 10_000
    batch_id = ids_of(stack).batch_id("killed", "week-1")
    problems: list[Exception] = []

    def send() -> None:
        try:
            door.send(file_of(rows, 0.1), "week-1")
        except httpx.TransportError as error:
            problems.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    while True:
        if (await database["batches"].find_one({"_id": batch_id}) or {"received": 0})["received"] >= 2_000:
            await asyncio.to_thread(stack.kill, "evidence")
            break
        await asyncio.sleep(0.05)
    await asyncio.to_thread(sending.join)
    assert problems
    await asyncio.to_thread(stack.start, "evidence")
    told = await _until(door, batch_id, lambda batch: batch["state"] == "interrupted")
    assert 2_000 <= told["received"] < rows
    async with an_issuer(stack, "killed") as seen:
        # What was on Kafka without its row gets its row from its decision; no row says pending for ever.
        told = await _until(door, batch_id, lambda batch: batch["counts"]["pending"] == 0)
        assert told["complete"] is False
        again = await asyncio.to_thread(door.send, file_of(rows), "week-1")
        assert (again.status_code, again.json()["id"]) == (202, str(batch_id))
        told = await _until(door, batch_id, lambda batch: batch["complete"])
        assert (told["received"], told["counts"]["issued"], told["counts"]["refused"]) == (rows, 9_500, 500)
        assert len(seen) == 9_500


async def _until(door: Door, batch_id: UUID, holds: Any) -> dict[str, Any]:
    give_up_at = time.monotonic() + 120
    while True:
        told = await asyncio.to_thread(door.batch, batch_id)
        if holds(told):
            return told
        assert time.monotonic() < give_up_at, told
        await asyncio.sleep(0.2)


async def test_memory_stays_flat_however_long_the_file(stack: Stack) -> None:
    door = Door(stack, "long")
    comments = ["Kept going, even in the rain. " * 10]
    await asyncio.to_thread(door.send, file_of(10_000, comments=comments))
    process = psutil.Process(stack.pid("evidence") or 0)
    before = highest = process.memory_info().rss
    sending = asyncio.create_task(asyncio.to_thread(door.send, file_of(80_000, comments=comments)))
    while not sending.done():
        highest = max(highest, process.memory_info().rss)
        await asyncio.sleep(0.2)
    answer = await sending
    assert (answer.status_code, answer.json()["received"]) == (202, 80_000)
    # The file has 36 MB; its rows as objects would have ten times as much.
    assert highest - before < 20 * 1024 * 1024, f"grew by {(highest - before) >> 20} MB"
