"""Worker processes: limits that end a job and nobody else's, a bounded queue, nothing left behind."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import AnyHttpUrl

from benchmarks import hostile
from libs.common.errors import InvalidRequestError, UnavailableError
from libs.common.workers.jobs import JobEndedError, JobLimits
from libs.common.workers.pool import WorkerPool
from libs.openbadges.model.profile import PRODUCTION
from libs.openbadges.verify import Report, ResolvedInputs
from services.verifier.service import ServiceSettings, stranger_workers
from services.verifier.verification.jobs import credential_job
from tests import worker_jobs as jobs
from tests.verifier_doubles import PUBLIC, MemoryRepository, School, application, client
from tests.waiting import async_eventually

LIMITS = JobLimits(cpu_seconds=0.3, memory_bytes=64 * 1024 * 1024, result_bytes=100_000, seconds=20)


def pool_of(workers: int = 1, waiting: int = 8, limits: JobLimits = LIMITS) -> WorkerPool:
    packages = ("libs.openbadges.",)
    return WorkerPool("tests.worker_jobs", packages=packages, workers=workers, waiting=waiting, limits=limits)


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    made = pool_of()
    yield made
    await made.close()


async def unasked(question: Any) -> Any:
    raise AssertionError(question)


async def run(pool: WorkerPool, job: Callable[..., Any], *arguments: Any) -> Any:
    return await pool.run(job, *arguments, answer=unasked)


async def test_jobs_run_in_another_process_one_after_the_other(pool: WorkerPool) -> None:
    first, second = await run(pool, jobs.pid_job), await run(pool, jobs.pid_job)
    assert first == second != os.getpid()


async def test_a_job_is_answered_what_it_asks(pool: WorkerPool) -> None:
    async def answer(question: str) -> str:
        return question.upper()

    assert await pool.run(jobs.asking_job, "why", answer=answer) == ["WHY", "WHY"]


@pytest.mark.parametrize(
    ("job", "arguments"),
    [
        (jobs.spinning_job, ()),
        (jobs.native_job, ()),
        (jobs.hungry_job, (200 * 1024 * 1024,)),
        (jobs.talkative_job, (200_000,)),
        (jobs.dying_job, ()),
        (jobs.commanding_job, ()),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
async def test_a_job_beyond_a_limit_ends_and_the_next_one_runs(
    pool: WorkerPool, job: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(JobEndedError) as ended:
        await run(pool, job, *arguments)
    assert ended.value.end == "too_costly"
    assert await run(pool, jobs.pid_job) != os.getpid()


async def test_a_job_that_is_killed_takes_no_other_one_with_it() -> None:
    pool = pool_of(workers=2)
    spinning = asyncio.create_task(run(pool, jobs.spinning_job))
    for _ in range(20):
        await run(pool, jobs.pid_job)
    with pytest.raises(JobEndedError):
        await spinning
    await pool.close()


async def test_what_a_job_refuses_is_raised_as_it_was(pool: WorkerPool) -> None:
    with pytest.raises(InvalidRequestError, match="this is not right") as refused:
        await run(pool, jobs.refusing_job)
    assert refused.value.errors == [{"field": "x", "reason": "y"}]
    assert isinstance(await run(pool, jobs.pid_job), int)


async def test_more_than_can_wait_is_refused_at_once() -> None:
    pool = pool_of(waiting=1)
    spinning = asyncio.create_task(run(pool, jobs.spinning_job))
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await run(pool, jobs.pid_job)
    with pytest.raises(JobEndedError):
        await spinning
    await pool.close()


async def test_a_caller_who_waits_too_long_is_told_and_the_worker_is_replaced() -> None:
    pool = pool_of(limits=JobLimits(cpu_seconds=60, seconds=2))
    await run(pool, jobs.pid_job)
    with pytest.raises(JobEndedError) as ended:
        await run(pool, jobs.spinning_job)
    assert ended.value.end == "took_too_long"
    assert isinstance(await run(pool, jobs.pid_job), int)
    await pool.close()


async def test_a_job_that_nobody_waits_for_ends_at_once_and_leaves_its_place() -> None:
    pool = pool_of(waiting=1, limits=JobLimits(cpu_seconds=600, seconds=600))
    first = await run(pool, jobs.pid_job)
    spinning = asyncio.create_task(run(pool, jobs.spinning_job))
    await asyncio.sleep(0)
    spinning.cancel()
    await asyncio.gather(spinning, return_exceptions=True)
    assert await run(pool, jobs.pid_job) != first
    await pool.close()


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("turns", [1, 3, 10, 200])
async def test_a_job_that_is_given_up_while_its_worker_starts_leaves_nothing_and_the_next_one_runs(turns: int) -> None:
    pool = pool_of(limits=JobLimits(cpu_seconds=600, seconds=600))
    given_up = asyncio.create_task(run(pool, jobs.spinning_job))
    for _ in range(turns):
        await asyncio.sleep(0.002)  # wherever its start is by then
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    running = await run(pool, jobs.pid_job)
    assert pool._server is not None
    forked = Path(f"/proc/{pool._server.pid}/task/{pool._server.pid}/children")
    await async_eventually(lambda: forked.read_text(encoding="ascii").split() == [str(running)])
    await pool.close()


async def test_nothing_is_left_behind_neither_process_nor_zombie() -> None:
    pool = pool_of(workers=2)
    await pool.maintain()
    first = await run(pool, jobs.pid_job)
    with pytest.raises(JobEndedError):
        await run(pool, jobs.spinning_job)
    second = await run(pool, jobs.pid_job)
    await pool.close()
    assert not _exists(first)
    assert not _exists(second)


async def test_a_hostile_credential_is_given_up_within_the_cpu_time_of_one_request() -> None:
    pool = WorkerPool(
        "services.verifier.warm_up",
        packages=("libs.openbadges.",),
        workers=1,
        waiting=8,
        limits=JobLimits(cpu_seconds=1, seconds=60),
    )
    body = orjson.dumps(hostile.endorsed())

    async def nothing(_: Any) -> ResolvedInputs:
        return ResolvedInputs()

    report = await pool.run(credential_job, body, None, datetime.now(UTC), PRODUCTION, answer=nothing)
    assert isinstance(report, Report)
    assert report.verdict == "unknown"
    await pool.close()


CREDENTIAL_ID = UUID("0f4ac6a1-59e9-4a3c-95ad-000000000001")
HEADERS = {"Content-Type": "application/json"}


async def test_a_stranger_is_answered_by_a_process_as_by_a_thread() -> None:
    school, repository = School(), MemoryRepository()
    repository.learn(school)
    text = school.badge(CREDENTIAL_ID)
    repository.keep(CREDENTIAL_ID, text)
    strangers = stranger_workers(ServiceSettings(public_url=AnyHttpUrl(PUBLIC), verify_workers=1))
    answers = []
    for app in (application(repository), application(repository, strangers)):
        async with client(app) as http:
            answers.append((await http.post("/v1/verify", content=text, headers=HEADERS)).json())
    await strangers.close()
    assert answers[0] == answers[1]
    assert answers[0]["verdict"] == "pass"


async def test_a_badge_of_ours_is_shown_while_strangers_keep_every_worker_busy() -> None:
    school, repository = School(), MemoryRepository()
    repository.learn(school)
    repository.keep(CREDENTIAL_ID, school.badge(CREDENTIAL_ID))
    busy = WorkerPool("tests.worker_jobs", packages=(), workers=1, waiting=1, limits=LIMITS)
    spinning = asyncio.create_task(run(busy, jobs.spinning_job))
    await asyncio.sleep(0)
    async with client(application(repository, busy)) as http:
        stranger = await http.post("/v1/verify", content=school.badge(CREDENTIAL_ID, index=8), headers=HEADERS)
        assert stranger.status_code == 503
        assert int(stranger.headers["Retry-After"]) > 0
        assert (await http.get(f"/badges/{CREDENTIAL_ID}")).status_code == 200
        assert not spinning.done()
    with pytest.raises(JobEndedError):
        await spinning
    await busy.close()


async def test_poison_that_is_sent_again_costs_nothing() -> None:
    pool = stranger_workers(ServiceSettings(public_url=AnyHttpUrl(PUBLIC), verify_workers=1))
    async with client(application(MemoryRepository(), pool)) as http:
        body = orjson.dumps(hostile.endorsed())
        first = (await http.post("/v1/verify", content=body, headers=HEADERS)).json()
        await pool.close()
        # There is no process any more that could do any work.
        again = (await http.post("/v1/verify", content=body, headers=HEADERS)).json()
    assert first["verdict"] == again["verdict"] == "unknown"
    assert first["checks"] == again["checks"]
