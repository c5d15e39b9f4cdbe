"""Daily quotas: never passed over by however many replicas, and used up but for a block of each."""

import asyncio
from datetime import datetime, timedelta

import pytest

from libs.access.api_keys import Caller
from libs.common.errors import TooManyRequestsError
from services.evidence.batches.quotas import BLOCK_BYTES, BLOCK_ROWS, DailyLimits, Quotas
from tests.evidence_doubles import NOW, Taken, quotas

OFFICE = Caller("north", frozenset({"evidence:write"}), "Office", "0123456789abcdef")
SENSOR = Caller("north", frozenset({"evidence:write"}), "Sensor", "fedcba9876543210")
SOUTH = Caller("south", frozenset({"evidence:write"}), "Office", "00000000ffffffff")


async def taken(replica: Quotas, caller: Caller, tries: int, count: int = 1, what: str = "rows") -> int:
    """How much was allowed."""
    allowed = 0
    for _ in range(tries):
        try:
            await replica.take(caller, what, count)
        except TooManyRequestsError:
            continue
        allowed += count
        await asyncio.sleep(0)
    return allowed


@pytest.mark.parametrize(("limit", "count"), [(10_000, 1), (10_000, 7), (2_500, 500), (1, 1), (4_321, 100)])
async def test_replicas_together_let_through_no_more_than_the_quota_and_less_by_a_block_each(
    limit: int, count: int
) -> None:
    shared = Taken()
    replicas = [quotas(DailyLimits(key_rows=limit), shared) for _ in range(4)]
    allowed = await asyncio.gather(*(taken(each, OFFICE, limit // count + 5, count) for each in replicas * 2))
    assert limit - len(replicas) * max(BLOCK_ROWS, count) <= sum(allowed) <= limit


async def test_one_process_lets_through_exactly_the_quota() -> None:
    assert await taken(quotas(DailyLimits(key_rows=2_500)), OFFICE, 3_000) == 2_500
    assert await taken(quotas(DailyLimits(key_bytes=3 * BLOCK_BYTES)), OFFICE, 99, BLOCK_BYTES // 2, "bytes") == (
        3 * BLOCK_BYTES
    )


async def test_the_keys_of_an_issuer_share_its_quota_and_another_issuer_has_its_own() -> None:
    shared = quotas(DailyLimits(key_rows=1_500, issuer_rows=2_000))
    assert await taken(shared, OFFICE, 3_000) == 1_500
    assert await taken(shared, SENSOR, 3_000) == 500
    assert await taken(shared, SOUTH, 3_000) == 1_500


async def test_the_refusal_says_when_the_next_day_begins_and_then_all_is_there_again() -> None:
    now = [NOW]
    stored = Taken()
    mine = quotas(DailyLimits(key_rows=10), stored, lambda: now[0])
    await mine.take(OFFICE, "rows", 10)
    with pytest.raises(TooManyRequestsError, match="has sent the 10 rows") as caught:
        await mine.take(OFFICE, "rows", 1)
    midnight = datetime.combine(NOW.date() + timedelta(days=1), datetime.min.time(), NOW.tzinfo)
    assert caught.value.seconds == (midnight - NOW).total_seconds()
    for _ in range(3):
        now[0] += timedelta(days=1)
        await mine.take(OFFICE, "rows", 10)
    assert len(stored.documents) == 2, "only yesterday's and today's are kept"


async def test_without_a_limit_nothing_is_counted_or_asked_of_the_database() -> None:
    stored = Taken()
    await quotas(DailyLimits(), stored).take(OFFICE, "rows", 10**12)
    assert not stored.documents
