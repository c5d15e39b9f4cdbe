"""Uploads made to keep the evidence service busy: it goes on answering, holds little, and refuses some of them."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from socket import create_connection
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from httpx import ASGITransport, AsyncClient, Response

from libs.common.errors import TooLargeError, TooManyRequestsError
from libs.common.stalls import LONGEST_STALL_SECONDS
from services.evidence.batches import metrics
from services.evidence.batches.batch import Batch, Upload
from services.evidence.batches.body import Limits, plain_blocks
from services.evidence.batches.ingestion import Intake
from services.evidence.sources.csv_reader import CsvReader
from tests.evidence_doubles import (
    BATCH_SEALING,
    CONTACT_SEALING,
    NOW,
    MemoryBatches,
    Published,
    contacts_topic,
    evidence_app,
)
from tests.ids import IDS, SUPERSEDING_PROOFS
from tests.served import served
from tests.stalls import held_each_time
from tests.waiting import eventually

HEADER = "source_id,learner_id,achievement,level,date,activity,comment\n"
ROW = "vw-{0},S{0},resilience,relational,2026-03-09,Raft building,{1}\n"
LARGE = Limits(1 << 30, 1 << 30, 30, 300)


async def sent(body: bytes, *, packed: bool = False, media: str = "text/csv") -> Response:
    app = evidence_app(MemoryBatches(), Published(), uuid4, LARGE, longest_row=65_536, chunk_rows=500)
    headers = {"Authorization": "Bearer wattle", "Content-Type": media}
    async with AsyncClient(transport=ASGITransport(app), base_url="https://evidence.example") as http:
        return await http.post(
            "/v1/batches",
            content=body,
            headers=headers | ({"Content-Encoding": "gzip"} if packed else {}),
        )


BLANK = HEADER.encode() + b"\n" * 600_000
COSTLY = {
    "blank lines": (BLANK, "text/csv"),
    "lines of empty cells": (HEADER.encode() + b",,,\n" * 60_000, "text/csv"),
    "blank lines of JSON": (b"\n" * 900_000 + b"{}\n", "application/x-ndjson"),
    "a text that is never closed": (HEADER.encode() + b'"\n' * 10_000, "text/csv"),
    "a quotation mark in each line": (HEADER.encode() + b'a"b,"\n' * 5_000, "text/csv"),
    "very wide rows": (HEADER.encode() + (b"," * 60_000 + b"\n") * 12, "text/csv"),
    "very long lines": (HEADER.encode() + (b"x" * 900_000 + b"\n") * 2, "text/csv"),
    "columns that are nearly right": (
        ",".join(f"learner_nam{number:x}" for number in range(4_000)).encode() + b"\n",
        "text/csv",
    ),
    "one wrong column of great length": (b"learner_name" * 4_000 + b"\n", "text/csv"),
    "rows that are refused": (HEADER.encode() + b"x\n" * 5_000, "text/csv"),
}


@pytest.mark.parametrize("name", COSTLY)
async def test_no_upload_keeps_the_service_from_answering(name: str) -> None:
    body, media = COSTLY[name]

    async def work() -> None:
        assert (await sent(body, media=media)).status_code in {202, 400}

    assert await held_each_time(work) < LONGEST_STALL_SECONDS


async def test_gzip_that_unpacks_to_far_more_than_evidence_does_is_refused() -> None:
    packed = gzip.compress(HEADER.encode() + b"\n" * (8 << 20))

    async def work() -> None:
        assert (await sent(packed, packed=True)).status_code == 413

    assert await held_each_time(work) < LONGEST_STALL_SECONDS


async def test_gzip_of_ordinary_evidence_is_taken() -> None:
    rows = "".join(ROW.format(number, "") for number in range(2_000))
    assert (await sent(gzip.compress((HEADER + rows).encode()), packed=True)).status_code == 202


async def test_a_small_file_may_shrink_as_it_likes() -> None:
    async def piece() -> AsyncIterator[bytes]:
        yield gzip.compress(b"\n" * 1_000_000)

    assert sum([len(block) async for block in plain_blocks(piece(), LARGE, gzipped=True)]) == 1_000_000

    async def bomb() -> AsyncIterator[bytes]:
        yield gzip.compress(b"\n" * 4_000_000)

    with pytest.raises(TooLargeError, match="100 times"):
        async for _ in plain_blocks(bomb(), LARGE, gzipped=True):
            pass


async def test_rows_go_out_by_their_size_and_not_only_by_their_number() -> None:
    batches = MemoryBatches()
    intake = Intake(
        ids=IDS,
        batches=batches,
        publish=Published(),
        clock=lambda: NOW,
        new_id=uuid4,
        sealing=BATCH_SEALING,
        contact_sealing=CONTACT_SEALING,
        contacts_topic=contacts_topic,
        proofs=SUPERSEDING_PROOFS,
        chunk_rows=500,
    )
    # A row is about as long as a block, and sixteen of them are as much as is held.
    row = ROW.format(1, "x" * 65_000).encode()

    async def blocks() -> AsyncIterator[bytes]:
        yield HEADER.encode()
        for number in range(499):
            assert len(batches.rows_of) >= number - 20
            yield row

    await intake.receive(Upload("wattle", "upload", "csv", "00-0-0-00"), CsvReader(66_000), blocks())
    assert len(batches.rows_of) == 499


async def test_one_more_upload_than_an_issuer_may_have_at_once_is_429_and_others_go_on() -> None:
    intake = Intake(
        ids=IDS,
        batches=MemoryBatches(),
        publish=Published(),
        clock=lambda: NOW,
        new_id=uuid4,
        sealing=BATCH_SEALING,
        contact_sealing=CONTACT_SEALING,
        contacts_topic=contacts_topic,
        proofs=SUPERSEDING_PROOFS,
        chunk_rows=500,
        uploads_per_issuer=1,
    )
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield HEADER.encode()
        await go_on.wait()
        yield ROW.format(1, "").encode()

    async def quick() -> AsyncIterator[bytes]:
        yield (HEADER + ROW.format(2, "")).encode()

    async def send(issuer: str, blocks: AsyncIterator[bytes]) -> Batch:
        return await intake.receive(Upload(issuer, "upload", "csv", "00-0-0-00"), CsvReader(1_000), blocks)

    first = asyncio.create_task(send("wattle", slow()))
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequestsError):
        await send("wattle", quick())
    assert await send("banksia", quick())
    go_on.set()
    assert await first
    assert await send("wattle", quick())


def test_a_dry_run_ends_when_its_sender_has_left_though_more_of_its_file_is_to_be_read() -> None:
    ends = {end: metrics.UPLOADS.labels(end) for end in ("checked", "invalid-request")}
    before = {end: each._value.get() for end, each in ends.items()}
    rows = "".join(ROW.format(number, "").replace("Raft", f"{number} +1 234 567 8" * 9) for number in range(20_000))
    file = gzip.compress((HEADER + rows).encode())
    headers = (
        f"Host: x\r\nAuthorization: Bearer wattle\r\nContent-Type: text/csv\r\nContent-Length: {len(file)}\r\n"
        "Content-Encoding: gzip"
    )
    app = evidence_app(MemoryBatches(), Published(), uuid4, LARGE, longest_row=65_536, chunk_rows=500)
    with served(app) as url:
        address = urlsplit(url)
        with create_connection((address.hostname, address.port)) as connection:
            connection.sendall(f"POST /v1/batches?dry_run=true HTTP/1.1\r\n{headers}\r\n\r\n".encode() + file)
        eventually(lambda: any(each._value.get() > before[end] for end, each in ends.items()))
    assert ends["checked"]._value.get() == before["checked"]
