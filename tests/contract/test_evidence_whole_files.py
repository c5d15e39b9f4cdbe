"""Workbooks and ZIP archives over HTTP, opened in a worker process that is ended where a file costs too much."""

import asyncio
import io
import threading
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from socket import create_connection
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from services.evidence.batches.whole_files import unpacking_workers
from services.evidence.sources.forms import XLSX, ZIP
from tests.evidence_doubles import LIMITS, MemoryBatches, Published, evidence_app
from tests.served import served
from tests.waiting import eventually
from tests.workbooks import GOOD, HEADER, packed, workbook

BAD = [*GOOD[:3], "wrong", *GOOD[4:]]
LARGE = replace(LIMITS, sent_bytes=4_000_000, plain_bytes=4_000_000, idle_seconds=5, total_seconds=60)


class Evidence:
    def __init__(self, runner: Any) -> None:
        self.batches, self.published = MemoryBatches(), Published()
        app = evidence_app(
            self.batches, self.published, uuid4, LARGE, longest_row=65_536, chunk_rows=500, runner=runner
        )
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    async def send(self, content: bytes, media_type: str = XLSX, query: str = "", **headers: str) -> httpx.Response:
        given = {"content-type": media_type, "authorization": "Bearer north"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(f"/v1/batches{query}", content=content, headers=given)


@pytest.fixture(scope="module")
async def workers() -> AsyncIterator[Any]:
    pool = unpacking_workers(cpu_seconds=2, memory_bytes=64 << 20)
    yield pool
    await pool.close()


@pytest.fixture
async def evidence(workers: Any) -> AsyncIterator[Evidence]:
    built = Evidence(workers)
    async with built.client:
        yield built


async def test_a_workbook_is_taken_row_by_row_and_what_fails_comes_back_with_the_sheets_own_number(
    evidence: Evidence,
) -> None:
    file = workbook(GOOD, BAD, [*GOOD[:1], 1001, *GOOD[2:]])
    tried = (await evidence.send(file, query="?dry_run=true")).json()
    sent = await evidence.send(file, idempotency_key="week-1")
    body = sent.json()
    assert (sent.status_code, body["format"], body["received"]) == (202, "xlsx", 3)
    assert tried["counts"] == body["counts"]
    assert tried["columns"] == [*HEADER]
    assert [each.row for each in evidence.published.submissions] == [1, 3]
    assert (await evidence.send(file, idempotency_key="week-1")).json() == body
    assert len(evidence.published.submissions) == 2
    rows = await evidence.client.get(
        body["links"]["rows"] + "?state=refused", headers={"authorization": "Bearer north"}
    )
    ((row,),) = (rows.json()["rows"],)
    assert (row["row"], row["sheet_row"], row["reason"]) == (2, 3, "level_unknown")


async def test_the_same_evidence_in_each_form_says_the_same(evidence: Evidence) -> None:
    line = ",".join("" if cell is None else str(cell) for cell in GOOD)
    text = f"{','.join(HEADER)}\n{line}\n".encode()
    await evidence.send(text, "text/csv")
    await evidence.send(workbook(GOOD))
    await evidence.send(packed({"evidence.csv": text}), ZIP)
    await evidence.send(packed({"evidence.xlsx": workbook(GOOD)}), ZIP)
    assert len({each.digest for each in evidence.published.submissions}) == 1
    assert len(evidence.published.submissions) == 4


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"no workbook", XLSX, 400),
        (workbook(GOOD, header=["id", *HEADER[1:]]), XLSX, 400),
        (workbook(), XLSX, 400),
        (packed({"a.csv": b"x", "b.csv": b"x"}), ZIP, 400),
        (packed({"a.csv": b"a" * 5_000_000}), ZIP, 413),
        (b"x" * 4_000_001, XLSX, 413),
    ],
)
async def test_a_file_that_cannot_be_opened_is_a_problem_and_takes_nothing(
    evidence: Evidence, content: bytes, media_type: str, status: int
) -> None:
    answer = await evidence.send(content, media_type)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert not evidence.batches.batches


async def test_columns_that_are_wrong_are_named_through_the_worker(evidence: Evidence) -> None:
    answer = await evidence.send(workbook(GOOD, header=["id", *HEADER[1:]]))
    assert {error["field"] for error in answer.json()["errors"]} == {"id", "source_id"}


async def test_a_file_that_costs_too_much_ends_its_worker_and_the_next_one_is_read(evidence: Evidence) -> None:
    good = workbook(GOOD)
    shared = "".join(f"<si><t>{number:x}</t></si>" for number in range(1_500_000))
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    part = b'<Override PartName="/xl/sharedStrings.xml" ContentType="' + kind + b'"/></Types>'
    files["[Content_Types].xml"] = files["[Content_Types].xml"].replace(b"</Types>", part)
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    costly = packed({**files, "xl/sharedStrings.xml": f'<sst xmlns="{space}">{shared}</sst>'.encode()})
    answer = await evidence.send(costly)
    assert (answer.status_code, "more time or memory" in answer.json()["detail"]) == (413, True), answer.text
    assert (await evidence.send(good)).status_code == 202


class _Endless:
    """Runs jobs that never end."""

    def __init__(self) -> None:
        self.started, self.ended = threading.Event(), threading.Event()

    async def run(self, *_: Any, answer: Any) -> Any:
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_a_file_whose_sender_has_left_is_opened_no_further(query: str) -> None:
    runner, file = _Endless(), workbook(GOOD)
    app = evidence_app(MemoryBatches(), Published(), uuid4, LARGE, longest_row=65_536, chunk_rows=500, runner=runner)
    head = (
        f"POST /v1/batches{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer north\r\nContent-Type: {XLSX}\r\n"
        f"Content-Length: {len(file)}\r\n\r\n"
    )
    with served(app) as url:
        address = urlsplit(url)
        with create_connection((address.hostname, address.port)) as connection:
            connection.sendall(head.encode() + file)
            eventually(runner.started.is_set, 30)
            assert not runner.ended.is_set()
        eventually(runner.ended.is_set, 30)
