"""POST /v1/verify takes many documents as NDJSON and answers for each line, whatever stands in the others."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import orjson
import pytest
from httpx import AsyncClient, Response
from pydantic import AnyHttpUrl
from pymongo.errors import ServerSelectionTimeoutError

from benchmarks import hostile
from libs.common.rate_limits import Rates
from libs.common.stalls import LONGEST_STALL_SECONDS
from libs.common.workers.pool import WorkerPool
from libs.contracts.reasons import TakeDownReason
from services.verifier.material.records import TakenDown
from services.verifier.service import ServiceSettings, stranger_workers
from services.verifier.verification.line_reports import MOST_LINES, MOST_LINES_BYTES
from tests.stalls import watched
from tests.verifier_doubles import (
    LEARNER,
    NOW,
    PUBLIC,
    REVOKED,
    MemoryRepository,
    School,
    application,
    client,
)

NDJSON = {"Content-Type": "application/x-ndjson"}
SCHOOL = School()
IDS = [UUID(int=one) for one in range(1, 5)]
GOOD, ANOTHER, TAKEN_BACK = (SCHOOL.badge(one, index=one.int) for one in IDS[:3])


def url(badge_id: UUID) -> bytes:
    return orjson.dumps({"url": f"{PUBLIC}/badges/{badge_id}"})


@pytest.fixture
def repository() -> MemoryRepository:
    known = MemoryRepository()
    known.learn(SCHOOL)
    known.keep(IDS[0], GOOD)
    known.keep(IDS[1], ANOTHER)
    known.keep(IDS[2], TAKEN_BACK, REVOKED)
    return known


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[WorkerPool]:
    settings = ServiceSettings(public_url=AnyHttpUrl(PUBLIC), verify_workers=1, verify_seconds=30)
    workers = stranger_workers(settings)
    yield workers
    await workers.close()


@pytest.fixture
async def http(repository: MemoryRepository, pool: WorkerPool) -> AsyncIterator[AsyncClient]:
    async with client(application(repository, pool)) as connected:
        yield connected


async def sent(http: AsyncClient, lines: Sequence[str | bytes]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    body = b"\n".join(one.encode() if isinstance(one, str) else one for one in lines)
    answer = await http.post("/v1/verify", content=body, headers=NDJSON)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.text.endswith("\n")
    *found, counted = [orjson.loads(one) for one in answer.content.splitlines()]
    return found, counted


async def test_each_line_is_answered_as_it_would_be_alone(http: AsyncClient) -> None:
    lines = [
        GOOD.encode(),
        orjson.dumps({"credential": orjson.loads(ANOTHER), "recipient": LEARNER}),
        url(IDS[2]),
        ANOTHER.replace("Resilience", "Kindness").encode(),
    ]
    found, counted = await sent(http, lines)
    for number, line in enumerate(lines, 1):
        alone = await http.post("/v1/verify", content=line, headers={"Content-Type": "application/json"})
        told = {name: value for name, value in found[number - 1].items() if name not in {"line", "id"}}
        assert told == alone.json()
    assert [one["line"] for one in found] == [1, 2, 3, 4]
    assert [one["verdict"] for one in found] == ["pass", "pass", "fail", "fail"]
    assert found[0]["id"] == f"{PUBLIC}/badges/{IDS[0]}"
    assert counted == {"lines": 4, "pass": 2, "fail": 2, "unknown": 0, "refused": 0}


async def test_a_line_that_cannot_be_read_says_why_and_the_others_are_verified(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    repository.taken_down[IDS[3]] = TakenDown(IDS[3], NOW, TakeDownReason.PERSONAL_DATA)
    lines: list[str | bytes] = [
        "{nonsense",
        "",
        "\ufeff" + GOOD,
        "[]",
        url(IDS[3]),
        '{"url":"https://x.example"}',
        GOOD,
    ]
    found, counted = await sent(http, lines)
    assert [one["line"] for one in found] == [1, 3, 4, 5, 6, 7]
    assert [one.get("verdict", one.get("error", {}).get("status")) for one in found] == [
        400,
        "pass",
        400,
        410,
        400,
        "pass",
    ]
    assert "not JSON" in found[0]["error"]["detail"]
    assert found[4]["error"]["errors"] == [{"field": "url", "reason": "not a badge of ours"}]
    assert counted == {"lines": 6, "pass": 2, "fail": 0, "unknown": 0, "refused": 4}


async def test_a_line_whose_badge_cannot_be_looked_up_is_refused_for_now(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    repository.away = ServerSelectionTimeoutError("away")
    found, _ = await sent(http, [url(IDS[0])])
    assert found[0]["error"]["status"] == 503


async def test_the_line_that_takes_all_is_too_costly_and_later_ones_are_not_looked_at(http: AsyncClient) -> None:
    costly = orjson.dumps(hostile.endorsed())
    found, counted = await sent(http, [costly, GOOD])
    assert "too_costly" in {check["code"] for report in found[0]["endorsements"] for check in report["checks"]}
    assert {check["code"] for check in found[1]["checks"]} == {"not_looked_at"}
    assert "another request" in found[1]["checks"][0]["message"]
    assert counted == {"lines": 2, "pass": 0, "fail": 0, "unknown": 2, "refused": 0}
    # It is remembered, and takes nothing from the others any more.
    found, _ = await sent(http, [costly, GOOD])
    assert [one["verdict"] for one in found] == ["unknown", "pass"]


async def test_a_line_for_which_others_left_too_little_is_not_held_against_it(http: AsyncClient) -> None:
    costly = orjson.dumps({**hostile.endorsed(), "name": "Second"})
    found, _ = await sent(http, [GOOD, costly, GOOD])
    assert [one["verdict"] for one in found] == ["pass", "unknown", "unknown"]
    assert "lines before it" in found[1]["checks"][0]["message"]
    found, _ = await sent(http, [costly])
    assert "endorsements" in found[0]


async def test_a_worker_that_is_killed_leaves_what_was_answered_before(repository: MemoryRepository) -> None:
    settings = ServiceSettings(public_url=AnyHttpUrl(PUBLIC), verify_workers=1, verify_cpu_seconds=0.05)
    workers = stranger_workers(settings)
    async with client(application(repository, workers)) as connected:
        found, counted = await sent(connected, [GOOD, orjson.dumps(hostile.endorsed()), ANOTHER])
    await workers.close()
    assert [one["checks"][0]["code"] for one in found] == ["credential", "too_costly", "not_looked_at"]
    assert counted["lines"] == 3


@pytest.mark.parametrize(
    "body",
    [b"{}\n" * (MOST_LINES + 1), b"\n" * (MOST_LINES_BYTES - 1), b" " * (MOST_LINES_BYTES + 1)],
    ids=["lines", "empty lines", "bytes"],
)
async def test_more_than_is_taken_is_refused_with_what_to_do(http: AsyncClient, body: bytes) -> None:
    async with watched() as monitor:
        answer = await http.post("/v1/verify", content=body, headers=NDJSON)
    assert answer.status_code == 413
    assert "in another" in answer.json()["detail"]
    assert monitor.held_seconds < LONGEST_STALL_SECONDS


async def test_no_line_at_all_is_refused(http: AsyncClient) -> None:
    assert (await http.post("/v1/verify", content=b" \n\r\n", headers=NDJSON)).status_code == 400


async def test_as_many_badges_as_are_taken_are_verified_on_one_budget_without_a_stall(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    badges = [SCHOOL.badge(UUID(int=100 + one), index=one) for one in range(MOST_LINES)]
    for one, text in enumerate(badges):
        repository.keep(UUID(int=100 + one), text)
    async with watched() as monitor:
        found, counted = await sent(http, badges)
    assert counted["pass"] == MOST_LINES == len(found)
    assert monitor.held_seconds < LONGEST_STALL_SECONDS


@pytest.mark.parametrize("line", [b"{}", b'{"a":' * 500, b"[" * 10_000, orjson.dumps(hostile.record(10))])
async def test_no_lines_keep_the_verifier_from_answering(http: AsyncClient, line: bytes) -> None:
    lines = [line] * min(MOST_LINES, (MOST_LINES_BYTES - MOST_LINES) // len(line))
    async with watched() as monitor:
        _, counted = await sent(http, lines)
    assert counted["lines"] == len(lines)
    assert monitor.held_seconds < LONGEST_STALL_SECONDS


async def test_lines_count_as_requests_of_their_address(repository: MemoryRepository) -> None:
    async def post(http: AsyncClient, lines: int) -> Response:
        return await http.post("/v1/verify", content=b"{}\n" * lines, headers=NDJSON)

    async with client(application(repository, rates=Rates(address=400))) as http:
        assert (await post(http, 200)).status_code == 200
        refused = await post(http, 1)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
