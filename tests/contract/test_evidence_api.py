"""What the evidence service answers, and what stands on Kafka and in the database when it does."""

import asyncio
import csv
import gzip
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import generate_latest
from pymongo.errors import AutoReconnect

from libs.common.contact_details import ContactPolicy
from libs.contracts.cloudevents import body_of
from libs.contracts.events import BatchStored, EvidenceSubmitted, LearnerContact, OrganisationPublished, Outcome
from libs.contracts.organisations import Closing, ClosingReason, OrganisationKind
from libs.contracts.topics import EVIDENCE_BULK
from services.evidence.batches.batch import BatchState
from services.evidence.batches.quotas import DailyLimits
from services.evidence.sources.columns import COLUMNS
from services.evidence.sources.rows import MAPPING_VERSION
from tests.evidence_doubles import LIMITS, NOW, MemoryBatches, Published, decided, evidence_app, no_organisation
from tests.ids import IDS

ROW = {
    "source_id": "VW-1",
    "learner_id": "S1",
    "learner_name": "Zoë Ånström",
    "learner_email": "zoe@school.example",
    "achievement": "resilience",
    "level": "relational",
    "date": "2026-11-20",
    "activity": "Raft building",
    "assessor": "Ms Pike",
    "comment": "Kept going",
}
HEADER = ",".join(COLUMNS)
BAD_LEVEL = "VW-bad,S1,,,resilience,excellent,,2026-11-20,Raft,,,,,"


def line(number: int) -> str:
    return f"VW-{number},S{number},,,resilience,relational,,2026-11-20,Raft,,,,,"


def table(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines]).encode()


class Service:
    """The service without sockets, and a caller."""

    def __init__(
        self,
        contact_policy: ContactPolicy = ContactPolicy.WARN,
        daily: DailyLimits | None = None,
        newest_organisation: Callable[[str], Awaitable[OrganisationPublished | None]] = no_organisation,
    ) -> None:
        self.batches = MemoryBatches()
        self.published = Published()
        counter: Iterator[int] = iter(range(1, 10_000))
        self.app = evidence_app(
            self.batches,
            self.published,
            lambda: UUID(int=next(counter) << 96),
            contact_policy=contact_policy,
            daily=daily,
            newest_organisation=newest_organisation,
        )
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://test")

    async def send(
        self, content: Any, *, as_: str = "north", path: str = "/v1/batches", **headers: str
    ) -> httpx.Response:
        given = {"content-type": "text/csv", "authorization": f"Bearer {as_}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, content=content, headers=given)

    async def get(self, path: str, as_: str = "north") -> httpx.Response:
        return await self.client.get(path, headers={"authorization": f"Bearer {as_}"})


@pytest.fixture
async def evidence() -> AsyncIterator[Service]:
    built = Service()
    async with built.client:
        yield built


async def test_one_piece_is_a_batch_of_one_row(evidence: Service) -> None:
    answer = await evidence.send(orjson.dumps(ROW), path="/v1/evidence", content_type="application/json")
    assert answer.status_code == 202
    body = answer.json()
    assert (body["state"], body["received"], body["counts"]["pending"]) == ("accepted", 1, 1)
    assert answer.headers["location"] == body["links"]["self"]
    assert (await evidence.get(body["links"]["self"])).json() == body


def school(last_day: date, **closing: Any) -> OrganisationPublished:
    content: dict[str, Any] = {"version": 2, "kind": OrganisationKind.SCHOOL, "name": "N", "registered_at": NOW}
    end = Closing(last_day=last_day, **closing)
    return OrganisationPublished(organisation_id="north", closing=end, published_at=NOW, **content)


async def test_an_organisation_takes_evidence_on_its_last_day_and_none_after_it_by_any_door() -> None:
    merged = {"reason": ClosingReason.MERGED, "successor": "south"}
    organisations = {"north": school(NOW.date() - timedelta(days=1), **merged), "west": school(NOW.date(), **merged)}

    async def newest(issuer_id: str) -> OrganisationPublished | None:
        return organisations.get(issuer_id)

    built = Service(newest_organisation=newest)
    async with built.client:
        for path in ("/v1/batches", "/v1/batches?dry_run=true"):
            answer = await built.send(table(line(1)), path=path)
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:bowerbird:problem:organisation-closed")
            assert "its last day was 2026-11-22. It has become part of its successor. south" in answer.json()["detail"]
        one = {"path": "/v1/evidence", "content_type": "application/json"}
        assert (await built.send(orjson.dumps(ROW), **one)).status_code == 409
        assert built.published.submissions == []
        assert (await built.get("/v1/evidence/template")).status_code == 200
        for open_ in ("west", "nowhere"):
            assert (await built.send(orjson.dumps(ROW), as_=open_, **one)).status_code == 202


async def test_batches_are_listed_in_pages_to_their_own_issuer_alone(evidence: Service) -> None:
    for source in ("sis", "sis", "lms"):
        assert (await evidence.send(table(line(1)), path=f"/v1/batches?source={source}")).status_code == 202
    await evidence.send(table(line(1)), as_="south")
    path, seen = "/v1/batches?limit=2", list[dict[str, Any]]()
    while path:
        page = (await evidence.get(path)).json()
        seen += page["batches"]
        path = page["next"]
    assert [each["source"] for each in seen] == ["lms", "sis", "sis"]
    assert (await evidence.get(seen[0]["link"])).json()["id"] == seen[0]["id"]
    assert len((await evidence.get("/v1/batches?source=sis")).json()["batches"]) == 2
    assert (await evidence.get("/v1/batches?state=receiving")).json() == {"batches": [], "next": None}
    assert (await evidence.get("/v1/batches?organisation=south")).status_code == 404
    assert (await evidence.get("/v1/batches?after=1")).status_code == 400


async def test_who_has_sent_what_may_be_sent_in_a_day_is_told_when_the_next_one_begins() -> None:
    built = Service(daily=DailyLimits(key_rows=4, issuer_bytes=50_000))
    until_midnight = str(15 * 3600)
    async with built.client:
        answer = await built.send(table(*(line(number) for number in range(8))))
        assert (answer.status_code, answer.headers["retry-after"]) == (429, until_midnight)
        assert "the 4 rows" in answer.json()["detail"]
        assert len(built.published.submissions) == 3, "the chunk that would pass it over is not taken in"
        one = {"path": "/v1/evidence", "content_type": "application/json"}
        assert (await built.send(orjson.dumps(ROW), **one)).status_code == 202
        assert (await built.send(orjson.dumps(ROW), **one)).status_code == 429
        assert (await built.send(orjson.dumps(ROW), as_="south", **one)).status_code == 202
        # No row of it can be read before its bytes are counted.
        large = await built.send(table(*(line(number) for number in range(1_500))), as_="west")
        assert (large.status_code, large.headers["retry-after"]) == (429, until_midnight)


async def test_a_contact_is_published_before_its_submission_and_nothing_else_names_the_learner(
    evidence: Service,
) -> None:
    await evidence.send(orjson.dumps(ROW), path="/v1/evidence", content_type="application/json")
    contact, submission, batch = (each.event for each in evidence.published.outgoing)
    assert isinstance(contact, LearnerContact)
    assert isinstance(submission, EvidenceSubmitted)
    assert isinstance(batch, BatchStored)
    assert (contact.name, contact.email) == ("Zoë Ånström", "zoe@school.example")
    assert contact.learner_id == submission.learner_id
    (stored,) = evidence.batches.rows_of.values()
    for text in (submission.model_dump_json(), batch.model_dump_json(), repr(stored), repr(evidence.batches.batches)):
        assert "Zo" not in text
        assert "zoe@" not in text
    assert (stored["new"].assessor, stored["new"].comment) == ("Ms Pike", "Kept going")
    assert "Pike" not in submission.model_dump_json()
    assert submission.assessor_id == IDS.assessor_id("north", "Ms Pike")


async def test_a_submission_says_class_and_term_and_which_rules_read_it(evidence: Service) -> None:
    row = ROW | {"class": "7B", "term": "2026-T4"}
    await evidence.send(orjson.dumps(row), path="/v1/evidence", content_type="application/json")
    (submission,) = evidence.published.submissions
    assert (submission.class_id, submission.term, submission.mapping_version) == ("7B", "2026-T4", MAPPING_VERSION)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"level": "excellent"}, "level"), ({"date": "20/11/2026"}, "date"), ({"source_id": None}, "source_id"),
     ({"klass": "7b"}, "body"), ({"score": 80}, "score")],
)  # fmt: skip
async def test_a_piece_whose_form_is_wrong_is_a_problem_that_names_the_field(
    evidence: Service, change: dict[str, object], field: str
) -> None:
    answer = await evidence.send(orjson.dumps(ROW | change), path="/v1/evidence", content_type="application/json")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert error["reason"]
    assert not evidence.published.outgoing
    assert not evidence.batches.batches


async def test_bad_rows_are_refused_one_by_one_and_the_rest_goes_on(evidence: Service) -> None:
    answer = await evidence.send(table(line(1), BAD_LEVEL, line(3), "VW-4,S/4" + line(4)[7:], "", line(6)))
    body = answer.json()
    assert (body["received"], body["counts"]["pending"], body["counts"]["refused"]) == (5, 3, 2)
    assert body["reasons"] == {"refused": {"level_unknown": 1, "learner_id_form": 1}}
    assert (await evidence.get(body["links"]["self"])).json() == body
    assert [submission.row for submission in evidence.published.submissions] == [1, 3, 6]
    rows = (await evidence.get(body["links"]["rows"] + "?state=refused")).json()["rows"]
    assert [(r["row"], r["source_id"], r["column"], r["reason"]) for r in rows] == [
        (4, "VW-4", "learner_id", "learner_id_form"),
        (2, "VW-bad", "level", "level_unknown"),
    ]
    assert all(row["detail"] for row in rows)


async def failed_rows(evidence: Service, batch: dict[str, Any]) -> tuple[str, list[dict[str, str]]]:
    """The file of failed rows of a batch, and its rows as a spreadsheet shows them."""
    answer = await evidence.get(batch["links"]["failed"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    return answer.text, list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


async def test_failed_rows_come_back_as_they_were_sent_with_all_their_faults_and_are_taken_once_corrected(
    evidence: Service,
) -> None:
    two = "VW-2,S2,Zoë Å,zoe at school.example,Team Work,relationl,,9/3/2026,Raft,,,,,"
    batch = (await evidence.send(table(line(1), two, line(3), "VW-4,S/4" + line(4)[7:]))).json()
    text, failed = await failed_rows(evidence, batch)
    assert [(row["failed_row"], row["failed_sheet_row"], row["source_id"]) for row in failed] == [
        ("2", "3", "VW-2"), ("4", "5", "VW-4")
    ]  # fmt: skip
    assert failed[0]["failed_code"] == "email_form | achievement_form | level_unknown | date_form"
    assert failed[0]["failed_column"] == "learner_email | achievement | level | date"
    assert failed[0]["failed_value"] == "zoe at school.example | Team Work | relationl | 9/3/2026"
    assert failed[0]["failed_suggestion"].split(" | ")[1:] == [
        "Did you mean team-work?", "Did you mean relational?", "Did you mean 2026-03-09 or 2026-09-03?"
    ]  # fmt: skip
    assert (failed[0]["learner_name"], failed[0]["date"], failed[0]["failed_text"]) == ("Zoë Å", "9/3/2026", "")
    fixed = text.replace('"S/4"', '"S4"', 1)
    again = (await evidence.send(fixed.encode())).json()
    assert (again["received"], again["counts"]["pending"], again["counts"]["refused"]) == (2, 1, 1)
    assert [row["source_id"] for row in (await failed_rows(evidence, again))[1]] == ["VW-2"]
    assert len({each.evidence_id for each in evidence.published.submissions}) == len(evidence.published.submissions)
    rows = (await evidence.get(batch["links"]["rows"] + "?state=refused")).json()["rows"]
    assert [[fault["reason"] for fault in row["faults"]] for row in rows if row["row"] == 2] == [
        ["email_form", "achievement_form", "level_unknown", "date_form"]
    ]


async def test_what_could_not_be_parted_into_columns_comes_back_as_text_and_fails_until_it_is_written_out(
    evidence: Service,
) -> None:
    broken = (
        b'VW-2,S2,,,resilience,relational,,2026-11-20,"Raft\n'
        + line(3).encode()
        + b"\nVW-4,S4,Z\xebo"
        + line(4)[8:].encode()
    )
    batch = (await evidence.send(f"{HEADER}\n{line(1)}\n".encode() + broken)).json()
    text, failed = await failed_rows(evidence, batch)
    assert [row["failed_code"] for row in failed] == ["columns_wrong", "not_utf8"]
    assert failed[0]["failed_text"] == 'VW-2,S2,,,resilience,relational,,2026-11-20,"Raft'
    assert failed[1]["learner_name"] == "Z\ufffdo"
    again = (await evidence.send(text.encode())).json()
    assert again["reasons"] == {"refused": {"columns_wrong": 1, "text_form": 1}}
    assert (await failed_rows(evidence, again))[1][0]["failed_text"] == failed[0]["failed_text"]
    ndjson = b'{"source_id": "VW-1", "klass": "7b"}\n' + orjson.dumps(ROW)
    lines = (await evidence.send(ndjson, content_type="application/x-ndjson")).json()
    ((row,),) = ((await failed_rows(evidence, lines))[1],)
    assert (row["failed_sheet_row"], row["failed_text"]) == ("", '{"source_id": "VW-1", "klass": "7b"}')


async def test_of_a_row_refused_by_its_decision_all_comes_back_but_name_and_address(evidence: Service) -> None:
    batch = (
        await evidence.send(orjson.dumps(ROW | {"level": " Relational"}), content_type="application/x-ndjson")
    ).json()
    assert (await failed_rows(evidence, batch))[1] == []
    (submission,) = evidence.published.submissions
    await evidence.batches.decide([decided(submission, Outcome.REFUSED, "score_needed")])
    (row,) = (await failed_rows(evidence, batch))[1]
    assert (row["learner_id"], row["level"], row["comment"]) == ("S1", " Relational", "Kept going")
    assert (row["learner_name"], row["learner_email"]) == ("", "")
    assert (row["failed_code"], row["failed_column"]) == ("score_needed", "")


async def test_no_cell_of_failed_rows_is_a_formula_and_the_texts_are_read_again_as_they_were(
    evidence: Service,
) -> None:
    row = ROW | {"activity": "=HYPERLINK(1)", "comment": "a;=1+1", "assessor": "'@Pike", "level": "wrong"}
    batch = (await evidence.send(orjson.dumps(row), content_type="application/x-ndjson")).json()
    text, (failed,) = await failed_rows(evidence, batch)
    assert (failed["activity"], failed["comment"], failed["assessor"]) == ("'=HYPERLINK(1)", "a;'=1+1", "''@Pike")
    await evidence.send(text.replace('"wrong"', '"relational"', 1).encode())
    await evidence.send(orjson.dumps(row | {"level": "relational"}), content_type="application/x-ndjson")
    first, second = evidence.published.submissions
    assert first.digest == second.digest


async def test_failed_rows_are_given_to_a_key_that_reads_and_sends_evidence_of_that_school_alone(
    evidence: Service,
) -> None:
    failed = (await evidence.send(table(BAD_LEVEL))).json()["links"]["failed"]
    for caller, status in (("north", 200), ("north-read", 403), ("north-write", 403), ("south", 404)):
        assert (await evidence.get(failed, as_=caller)).status_code == status


async def test_a_dry_run_counts_as_the_upload_does_and_leaves_no_trace(evidence: Service) -> None:
    two = "VW-2,S2,,,Team Work,relationl,,9/3/2026,Raft,,,,,"
    file = table(line(1), two, CALLS, line(3), "VW-4,S/4" + line(4)[7:], '"a')
    answer = await evidence.send(file, path="/v1/batches?dry_run=true", idempotency_key="week-1")
    assert answer.status_code == 200
    assert (evidence.published.outgoing, evidence.batches.batches, evidence.batches.rows_of) == ([], {}, {})
    tried, sent = answer.json(), (await evidence.send(file, idempotency_key="week-1")).json()
    same = ("source", "format", "received", "counts", "reasons", "warnings", "public_columns")
    assert [tried[name] for name in same] == [sent[name] for name in same]
    assert (tried["dry_run"], tried["columns"], tried["more"]) == (True, list(COLUMNS), False)
    rows = (await evidence.get(sent["links"]["rows"])).json()["rows"]
    assert tried["rows"] == [row for row in rows if row["state"] == "refused" or row["warnings"]]


@pytest.mark.parametrize(("rows", "status"), [(10_100, 400), (9_999, 200)])
async def test_a_dry_run_reads_no_further_than_the_upload_does(evidence: Service, rows: int, status: int) -> None:
    take_large(evidence)
    for file in (table(*['"a'] * rows), table(*map(line, range(300)), *['"a'] * rows)):
        tried = await evidence.send(file, path="/v1/batches?dry_run=true")
        sent = await evidence.send(file)
        assert (tried.status_code, sent.status_code) == (status, 202 if status == 200 else status)
        if status == 200:
            assert tried.json()["more"]
            assert len(tried.json()["rows"]) == 1_000
            assert tried.json()["counts"] == sent.json()["counts"]


@pytest.mark.parametrize("content", [b"", table(), b"not,a,header\n1,2,3\n", b"PK\x03\x04xl/"])
async def test_a_file_that_cannot_be_read_is_the_same_problem_in_a_dry_run(evidence: Service, content: bytes) -> None:
    tried = await evidence.send(content, path="/v1/batches?dry_run=true")
    sent = await evidence.send(content)
    assert tried.status_code == sent.status_code == 400
    assert tried.json()["detail"] == sent.json()["detail"]


async def test_dry_runs_take_nothing_of_what_may_be_sent_and_are_bounded_as_that_is() -> None:
    built = Service(daily=DailyLimits(key_rows=1_000, key_bytes=4 << 20))
    dry = "/v1/batches?dry_run=true"
    async with built.client:
        file = table(*map(line, range(400)))
        assert [(await built.send(file, path=dry)).status_code for _ in range(3)] == [200, 200, 429]
        assert (await built.send(file)).status_code == 202
        large = Service(daily=DailyLimits(key_bytes=len(file) + 10))
        assert [(await large.send(file, path=dry)).status_code for _ in range(2)] == [200, 429]
        assert (await large.send(file)).status_code == 202


async def test_a_dry_run_ends_when_its_sender_has_left(evidence: Service) -> None:
    """The file is here as a whole; behind it comes the end of the connection."""
    take_large(evidence)
    file = gzip.compress(table(*map(line, range(9_000))))
    coming = [{"type": "http.request", "body": file}, {"type": "http.disconnect"}]
    answered: list[Any] = []

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        answered.append(message)

    headers = [(b"host", b"test"), (b"content-type", b"text/csv"), (b"content-encoding", b"gzip")]
    headers.append((b"authorization", b"Bearer north"))
    scope = {"type": "http", "method": "POST", "path": "/v1/batches", "query_string": b"dry_run=true"}
    scope |= {"headers": headers, "http_version": "1.1", "scheme": "http", "client": ("192.0.2.1", 1)}
    await evidence.app(scope, receive, send)
    assert answered[0]["status"] == 400
    assert b"The connection ended" in answered[1]["body"]


async def test_a_school_has_two_dry_runs_under_way_and_uploads_beside_them() -> None:
    built, begun, go = Service(), asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield table(line(1))
        begun.release()
        await go.wait()

    dry = "/v1/batches?dry_run=true"
    async with built.client:
        waiting = [asyncio.create_task(built.send(slow(), path=dry)) for _ in range(2)]
        for _ in waiting:
            await begun.acquire()
        assert (await built.send(table(line(1)), path=dry)).status_code == 429
        assert (await built.send(table(line(1)), path=dry, as_="south")).status_code == 200
        assert (await built.send(table(line(1)))).status_code == 202
        go.set()
        assert [each.status_code for each in await asyncio.gather(*waiting)] == [200, 200]


CALLS = "VW-call,S1,,,resilience,relational,,2026-11-20,Raft; ring Jo on 0412 345 678,,,,,"


async def test_a_row_with_a_telephone_number_is_taken_with_a_warning_that_the_batch_counts(evidence: Service) -> None:
    body = (await evidence.send(table(line(1), CALLS, line(3)))).json()
    assert (body["counts"]["pending"], body["warnings"]) == (3, {"telephone_in_text": 1})
    assert (await evidence.get(body["links"]["self"])).json() == body
    rows = (await evidence.get(body["links"]["rows"] + "?warned=true&limit=1")).json()
    (row,) = rows["rows"]
    (warning,) = row["warnings"]
    assert (row["row"], row["state"], warning["column"], warning["reason"]) == (
        2, "pending", "activity", "telephone_in_text"
    )  # fmt: skip
    assert "0412" not in warning["detail"]
    assert (await evidence.get(rows["next"])).json() == {"rows": [], "next": None}
    assert (await evidence.get(body["links"]["rows"] + "?warned=true&state=issued")).status_code == 400


async def test_by_policy_a_row_with_a_telephone_number_is_refused() -> None:
    service = Service(ContactPolicy.REFUSE)
    async with service.client:
        body = (await service.send(table(line(1), CALLS))).json()
        assert (body["reasons"], body["warnings"]) == ({"refused": {"telephone_in_text": 1}}, {})
        piece = orjson.dumps(ROW | {"activity": "Raft; ring Jo on 0412 345 678"})
        answer = await service.send(piece, path="/v1/evidence", content_type="application/json")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "telephone_in_text")


async def test_rows_are_paged_in_order(evidence: Service) -> None:
    batch = (await evidence.send(table(*map(line, range(1, 8))))).json()
    address, seen = batch["links"]["rows"] + "?limit=3", []
    while address:
        page = (await evidence.get(address)).json()
        seen += [row["row"] for row in page["rows"]]
        address = page["next"]
    assert seen == list(range(1, 8))


async def test_the_same_file_as_ndjson_csv_and_gzip_says_the_same(evidence: Service) -> None:
    documents = [dict(zip(COLUMNS, line(n).split(","), strict=True)) for n in (1, 2)]
    ndjson = b"\n".join(map(orjson.dumps, documents))
    await evidence.send(table(line(1), line(2)))
    await evidence.send(ndjson, content_type="application/x-ndjson; charset=utf-8")
    await evidence.send(
        gzip.compress(table(line(1))) + gzip.compress(b"\n" + line(2).encode()), content_encoding="gzip"
    )
    digests = [submission.digest for submission in evidence.published.submissions]
    assert digests[:2] == digests[2:4] == digests[4:]


async def test_what_becomes_public_is_marked_in_the_template_and_the_report_and_the_marks_may_stay(
    evidence: Service,
) -> None:
    template = await evidence.get("/v1/evidence/template")
    assert (template.status_code, template.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    names = template.text.removeprefix("\ufeff").strip().split(",")
    assert {"activity (public by choice)", "link (public by choice)", "level (public)", "comment"} <= set(names)
    row = ",".join(str(ROW.get(name.partition(" ")[0], "")) for name in names)
    answer = await evidence.send(f"{template.text}{row}\r\n".encode())
    assert answer.status_code == 202, answer.text
    assert answer.json()["counts"]["pending"] == 1
    assert answer.json()["public_columns"] == {
        **dict.fromkeys(("achievement", "level", "score", "date"), "public"),
        **dict.fromkeys(("activity", "link"), "public by choice"),
    }


async def test_a_file_without_a_needed_column_is_refused_before_anything_is_taken(evidence: Service) -> None:
    answer = await evidence.send(b"source_id,learner_id,date,level\nVW-1,S1,2026-11-20,relational\n")
    assert answer.status_code == 400
    assert {error["field"] for error in answer.json()["errors"]} == {"achievement", "activity"}
    assert not evidence.batches.batches


@pytest.mark.parametrize("content", [b"", table(), b"\n\n"])
async def test_a_file_without_rows_is_refused(evidence: Service, content: bytes) -> None:
    assert (await evidence.send(content)).status_code == 400
    assert not evidence.batches.batches


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "application/json"}, 415),
        ({"content_type": "text/csv; charset=windows-1252"}, 415),
        ({"content_encoding": "br"}, 415),
        ({"content_encoding": "gzip"}, 400),
        ({"idempotency_key": "x" * 201}, 400),
        ({"idempotency_key": "two words"}, 400),
        ({"path": "/v1/batches?source=Not A Slug"}, 400),
        ({"as_": "north-read"}, 403),
    ],
)
async def test_a_wrong_request_takes_nothing(evidence: Service, headers: dict[str, str], status: int) -> None:
    answer = await evidence.send(table(line(1)), **headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert not evidence.batches.batches


async def test_another_tenants_batch_is_not_there(evidence: Service) -> None:
    links = (await evidence.send(table(line(1)))).json()["links"]
    for address in links.values():
        assert (await evidence.get(address)).status_code == 200
        assert (await evidence.get(address, as_="south")).status_code == 404
        assert (await evidence.get(address, as_="north-write")).status_code == 403


async def test_the_same_row_of_two_schools_is_two_learners_and_two_pieces_of_evidence(evidence: Service) -> None:
    await evidence.send(table(line(1)))
    await evidence.send(table(line(1)), as_="south")
    first, second = evidence.published.submissions
    assert first.learner_id != second.learner_id
    assert first.evidence_id != second.evidence_id


async def test_a_file_sent_twice_is_published_twice_as_the_same_evidence(evidence: Service) -> None:
    ids = {(await evidence.send(table(line(1)))).json()["id"] for _ in range(2)}
    first, second = evidence.published.submissions
    assert len(ids) == 2
    assert first.submission_id != second.submission_id
    assert (first.evidence_id, first.digest) == (second.evidence_id, second.digest)


async def test_the_same_key_and_file_are_the_same_batch_and_nothing_is_published_again(
    evidence: Service,
) -> None:
    first = await evidence.send(table(*map(line, range(1, 6))), idempotency_key="week-1")
    again = await evidence.send(table(*map(line, range(1, 6))), idempotency_key="week-1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert len(evidence.published.submissions) == 5
    other = await evidence.send(table(line(1)), idempotency_key="week-1", as_="south")
    assert other.json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    "other", [table(line(1), line(3)), table(line(1)), table(line(1), line(2), line(3)), table(line(9), line(2))]
)
async def test_the_same_key_with_another_file_is_a_conflict_and_not_silence(evidence: Service, other: bytes) -> None:
    first = await evidence.send(table(line(1), line(2)), idempotency_key="week-1")
    answer = await evidence.send(other, idempotency_key="week-1")
    assert answer.status_code == 409
    assert len(evidence.published.submissions) == 2
    assert (await evidence.get(first.json()["links"]["self"])).json() == first.json()


async def killed_before_storing(evidence: Service, file: bytes, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """Send a file whose process ends after the first chunk is published; the batch, whose lease has run out."""

    async def killed(*_: object, **__: object) -> bool:
        raise SystemError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(evidence.batches, "store", killed)
        with pytest.raises(SystemError):
            await evidence.send(file, idempotency_key="week-1")
    ((batch_id, batch),) = evidence.batches.batches.items()
    batch["alive_at"] -= timedelta(minutes=1)
    for submission in evidence.published.submissions:
        await evidence.batches.decide([decided(submission)])
    return batch_id


@pytest.mark.parametrize(
    "other",
    [
        table(line(1), "", line(3)),
        table(line(1)),
        table(line(1), line(2), line(4)),
        table(line(4), *map(line, range(9))),
    ],
    ids=["a row blank", "shorter", "the last row another", "all others"],
)
async def test_rows_published_before_a_crash_bind_the_key_to_their_file(
    evidence: Service, other: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = await killed_before_storing(evidence, table(line(1), line(2), line(3)), monkeypatch)
    answer = await evidence.send(other, idempotency_key="week-1")
    assert answer.status_code == 409
    assert len(evidence.published.submissions) == 3
    told = (await evidence.get(f"/v1/batches/{batch_id}")).json()
    assert (told["complete"], told["received"], told["counts"]["issued"]) == (False, 3, 3)


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 5])
async def test_the_file_itself_goes_on_after_a_crash_whatever_the_chunks_are_by_then(
    evidence: Service, monkeypatch: pytest.MonkeyPatch, chunk_rows: int
) -> None:
    file = table(*map(line, range(1, 8)))
    await killed_before_storing(evidence, file, monkeypatch)
    evidence.app = evidence_app(evidence.batches, evidence.published, uuid4, chunk_rows=chunk_rows)
    evidence.client = httpx.AsyncClient(transport=httpx.ASGITransport(evidence.app), base_url="http://test")
    answer = await evidence.send(file, idempotency_key="week-1")
    assert (answer.status_code, answer.json()["received"]) == (202, 7)
    assert [each.row for each in evidence.published.submissions] == [1, 2, 3, *range(1, 8)]


async def test_a_file_that_is_one_chunk_and_no_more_goes_before_large_ones_each_row_of_which_yields(
    evidence: Service,
) -> None:
    chunk = 3
    await evidence.send(orjson.dumps(ROW), path="/v1/evidence", content_type="application/json")
    await evidence.send(table(*map(line, range(chunk - 1))))
    assert {each.destination.name for each in evidence.published.submissions} == {"evidence.submitted.v1"}
    before = len(evidence.published.submissions)
    await evidence.send(table(*map(line, range(chunk * 2 + 1))))
    large = evidence.published.submissions[before:]
    assert len(large) == chunk * 2 + 1
    assert {each.destination.name for each in large} == {"evidence.bulk.v1"}
    # As it is read, and published again, it goes the same way.
    assert {EvidenceSubmitted.model_validate_json(body_of(each)).destination for each in large} == {EVIDENCE_BULK}


async def test_an_upload_that_breaks_off_is_interrupted_and_goes_on_under_its_key(evidence: Service) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield gzip.compress(table(*map(line, range(1, 6))))[:-9]

    cut = await evidence.send(broken(), idempotency_key="week-1", content_encoding="gzip")
    assert cut.status_code == 400
    whole = await evidence.send(table(*map(line, range(1, 8))), idempotency_key="week-1")
    assert whole.status_code == 202
    assert whole.json()["received"] == 7


async def test_what_was_taken_before_an_interruption_is_told_and_not_taken_again(evidence: Service) -> None:
    async def pausing() -> AsyncIterator[bytes]:
        # More than a block, so that rows are taken before the silence.
        yield table(*map(line, range(1, 1501)))
        await asyncio.sleep(10)

    slow = await evidence.send(pausing(), idempotency_key="week-1")
    assert slow.status_code == 408
    taken = len(evidence.published.submissions)
    assert taken >= 3
    (batch_id,) = evidence.batches.batches
    assert str(batch_id) in slow.json()["detail"]
    told = (await evidence.get(f"/v1/batches/{batch_id}")).json()
    assert (told["state"], told["complete"], told["received"]) == ("interrupted", False, taken)
    assert "Nothing arrived" in told["problem"]
    again = await evidence.send(table(*map(line, range(1, 1501))), idempotency_key="week-1")
    assert (again.json()["state"], again.json()["received"]) == ("accepted", 1500)
    rows = [submission.row for submission in evidence.published.submissions]
    assert sorted(rows) == list(range(1, 1501))


async def test_each_limit_has_its_error(evidence: Service) -> None:
    limits = replace(LIMITS, sent_bytes=5_000, plain_bytes=20_000)
    app = evidence_app(evidence.batches, evidence.published, lambda: UUID(int=7), limits)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        headers = {"content-type": "text/csv", "authorization": "Bearer north"}
        large = await client.post("/v1/batches", content=table(*map(line, range(200))), headers=headers)
        bomb = gzip.compress(table(line(1)) + b"\n" * 1_000_000)
        packed = await client.post("/v1/batches", content=bomb, headers={**headers, "content-encoding": "gzip"})
        one = await client.post("/v1/evidence", content=b" " * 1_001, headers=headers)
    assert (large.status_code, packed.status_code, one.status_code) == (413, 413, 413)
    assert "5000 bytes" in large.json()["detail"]
    assert "20000 bytes once it is unpacked" in packed.json()["detail"]


async def test_kafka_away_for_a_moment_is_waited_for(evidence: Service) -> None:
    failures = iter([KafkaConnectionError(), KafkaConnectionError()])

    async def fail() -> None:
        await asyncio.sleep(0)
        for failure in failures:
            raise failure

    evidence.published.before = fail
    answer = await evidence.send(table(line(1)))
    assert answer.status_code == 202


async def test_what_kafka_has_confirmed_is_not_published_anew_while_the_database_is_away(
    evidence: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([AutoReconnect(), AutoReconnect()])
    real = MemoryBatches.store

    async def store(*given: Any, beside: Callable[[], Awaitable[None]], **named: Any) -> bool:
        await beside()
        for failure in failures:
            raise failure
        return await real(*given, **named)

    monkeypatch.setattr(MemoryBatches, "store", store)
    answer = await evidence.send(table(line(1), line(2)))
    assert answer.status_code == 202
    published = [each.event for each in evidence.published.outgoing]
    assert len(published) == len(set(published))
    assert len(evidence.published.submissions) == 2


@pytest.mark.parametrize(
    ("rows", "expected"), [(2, ["acquire", "store"]), (4, ["acquire", "store", "announce", "store"])]
)
async def test_the_first_rows_begin_a_batch_and_the_last_accept_it_without_writes_of_their_own(
    evidence: Service, monkeypatch: pytest.MonkeyPatch, rows: int, expected: list[str]
) -> None:
    calls: list[str] = []
    for name in ("acquire", "announce", "store"):
        real = getattr(MemoryBatches, name)

        async def noted(*given: Any, name: str = name, real: Any = real, **named: Any) -> Any:
            calls.append(name)
            return await real(*given, **named)

        monkeypatch.setattr(MemoryBatches, name, noted)
    # A chunk has three rows here.
    answer = await evidence.send(table(*map(line, range(1, rows + 1))), idempotency_key="week-7")
    assert (answer.status_code, answer.json()["state"]) == (202, "accepted")
    assert calls == expected


async def test_no_row_is_stored_before_its_submission_is_confirmed(evidence: Service) -> None:
    seen: list[int] = []

    async def look() -> None:
        await asyncio.sleep(0)
        seen.append(len(evidence.batches.rows_of))

    evidence.published.before = look
    await evidence.send(table(*map(line, range(1, 7))))
    # Submissions, and what is stored, of each chunk of three; then that the upload is whole.
    assert seen == [0, 0, 3, 3, 6]
    assert all(batch["state"] is BatchState.ACCEPTED for batch in evidence.batches.batches.values())


async def test_a_second_upload_under_a_key_in_use_is_asked_to_come_back(evidence: Service) -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        waiting.set()
        await go_on.wait()

    evidence.published.before = wait
    first = asyncio.create_task(evidence.send(table(line(1)), idempotency_key="week-1"))
    await waiting.wait()
    second = await evidence.send(table(line(1)), idempotency_key="week-1")
    assert (second.status_code, second.headers["retry-after"]) == (503, "5")
    go_on.set()
    assert (await first).status_code == 202


async def test_a_batch_is_complete_when_every_row_is_decided(evidence: Service) -> None:
    batch = (await evidence.send(table(line(1), line(2), BAD_LEVEL))).json()
    assert batch["complete"] is False
    first, second = evidence.published.submissions
    await evidence.batches.decide([decided(first), decided(second, Outcome.DUPLICATE, "sent_before")])
    told = (await evidence.get(batch["links"]["self"])).json()
    assert (told["complete"], told["received"]) == (True, 3)
    assert told["counts"] == {
        "pending": 0, "issued": 1, "not_yet": 0, "duplicate": 1, "waiting": 0, "refused": 1, "withdrawn": 0
    }  # fmt: skip


async def test_a_row_that_waits_keeps_its_batch_open_until_a_later_decision(evidence: Service) -> None:
    batch = (await evidence.send(table(line(1)))).json()
    (piece,) = evidence.published.submissions
    await evidence.batches.decide([decided(piece, Outcome.WAITING, "unknown_achievement")])
    told = (await evidence.get(batch["links"]["self"])).json()
    assert (told["complete"], told["counts"]["waiting"], told["counts"]["pending"]) == (False, 1, 0)
    assert told["reasons"] == {"waiting": {"unknown_achievement": 1}}
    await evidence.batches.decide([decided(piece, sequence=2)])
    told = (await evidence.get(batch["links"]["self"])).json()
    assert (told["complete"], told["counts"]["waiting"], told["counts"]["issued"]) == (True, 0, 1)


async def test_metrics_count_rows_by_reason(evidence: Service) -> None:
    await evidence.send(table(line(1), BAD_LEVEL))
    text = generate_latest().decode()
    assert 'bowerbird_evidence_rows_total{outcome="level_unknown"}' in text
    assert 'bowerbird_evidence_rows_total{outcome="taken"}' in text


async def test_a_row_of_a_sheet_is_named_by_the_number_that_the_sheet_shows(evidence: Service) -> None:
    answer = await evidence.send(b"\n,,,\n" + table(BAD_LEVEL))
    (row,) = (await evidence.get(answer.json()["links"]["rows"])).json()["rows"]
    assert (row["row"], row["sheet_row"]) == (3, 4)
    answer = await evidence.send(orjson.dumps(ROW), content_type="application/x-ndjson")
    (row,) = (await evidence.get(answer.json()["links"]["rows"])).json()["rows"]
    assert (row["row"], row["sheet_row"]) == (1, None)


async def test_a_field_that_stands_twice_is_a_problem(evidence: Service) -> None:
    twice = orjson.dumps(ROW)[:-1] + b',"learner_id":"S2"}'
    answer = await evidence.send(twice, path="/v1/evidence", content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "duplicate_field"


def take_large(evidence: Service) -> None:
    limits = replace(LIMITS, plain_bytes=5_000_000, sent_bytes=5_000_000)
    evidence.app = evidence_app(evidence.batches, evidence.published, uuid4, limits, chunk_rows=500)
    evidence.client = httpx.AsyncClient(transport=httpx.ASGITransport(evidence.app), base_url="http://test")


@pytest.mark.parametrize(("good", "junk", "read"), [(0, 12_000, 10_000), (4_000, 16_000, 14_000)])
async def test_of_a_file_of_junk_no_more_is_read_after_ten_thousand_refused_rows_and_what_came_is_kept(
    evidence: Service, good: int, junk: int, read: int
) -> None:
    take_large(evidence)
    refused = await evidence.send(table(*map(line, range(good)), *['"a'] * junk, *map(line, range(9_000, 9_003))))
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (400, "invalid-request")
    assert "10,000 rows were refused" in refused.json()["detail"]
    (batch_id,) = evidence.batches.batches
    told = (await evidence.get(f"/v1/batches/{batch_id}")).json()
    assert (told["state"], told["received"]) == ("interrupted", read)
    assert len(evidence.published.submissions) == good


async def test_good_rows_among_junk_do_not_let_it_be_read_to_its_end(evidence: Service) -> None:
    take_large(evidence)
    rows = (line(number) if number % 100 == 0 else "a" for number in range(12_000))
    refused = await evidence.send(table(*rows))
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (400, "invalid-request")
    (batch_id,) = evidence.batches.batches
    assert (await evidence.get(f"/v1/batches/{batch_id}")).json()["received"] == 10_500


async def test_junk_of_a_few_bytes_ends_a_file_of_which_less_was_taken_however_they_are_mixed(
    evidence: Service,
) -> None:
    take_large(evidence)
    junk = ("a", 'a"b', "a,b", "=,,,,,,,,,,,,,,,,,1")
    rows = (line(number) if number % 3 == 0 else junk[number % len(junk)] for number in range(18_000))
    refused = await evidence.send(table(*rows))
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (400, "invalid-request")
    (batch_id,) = evidence.batches.batches
    assert (await evidence.get(f"/v1/batches/{batch_id}")).json()["received"] == 15_000


async def test_rows_with_a_fault_or_two_are_no_junk(evidence: Service) -> None:
    take_large(evidence)
    rows = (
        line(number) if number % 3 == 0 else line(number).replace("2026-11-20", "9 March") for number in range(16_000)
    )
    assert (await evidence.send(table(*rows))).status_code == 202


async def test_ten_thousand_refused_rows_are_no_end_of_a_file_of_which_more_was_taken(evidence: Service) -> None:
    take_large(evidence)
    sent = await evidence.send(table(*map(line, range(10_500)), *['"a'] * 10_100, line(20_000)))
    assert (sent.status_code, sent.json()["received"]) == (202, 20_601)
    assert len(evidence.published.submissions) == 10_501
