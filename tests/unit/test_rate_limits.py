"""Rates: a bucket for each address, key and issuer, bounded in memory, that says when to come again."""

import pytest

from libs.common import rate_limits
from libs.common.errors import TooManyRequestsError
from libs.common.rate_limits import Buckets, RateLimits, Rates


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def allowed(buckets: Buckets, name: str, tries: int) -> int:
    return sum(buckets.take(name) == 0 for _ in range(tries))


def test_half_a_minutes_requests_may_come_at_once_and_then_as_many_as_the_time_brings() -> None:
    clock = Clock()
    buckets = Buckets(60, clock)
    assert allowed(buckets, "a", 100) == 30
    assert buckets.seconds_until_free("a") == pytest.approx(1)
    clock.now += 10
    assert allowed(buckets, "a", 100) == 10
    clock.now += 3600
    assert allowed(buckets, "a", 100) == 30
    assert allowed(buckets, "b", 100) == 30


def test_a_request_that_counts_as_five_takes_five_times_as_long_to_make_up_for() -> None:
    clock = Clock()
    buckets = Buckets(60, clock)
    assert sum(buckets.take("a", 5) == 0 for _ in range(100)) == 6


def test_without_a_rate_everything_is_allowed() -> None:
    assert allowed(Buckets(0, Clock()), "a", 1000) == 1000


def test_each_replica_allows_its_part() -> None:
    clock = Clock()
    limits = [RateLimits(Rates(key=600, replicas=3), clock) for _ in range(3)]

    def taken(limit: RateLimits) -> int:
        for number in range(1000):
            try:
                limit.take_caller("key", "north")
            except TooManyRequestsError as error:
                assert error.seconds == 1
                return number
        return 1000

    assert [taken(limit) for limit in limits] == [100, 100, 100]


def test_the_keys_of_one_issuer_share_its_rate() -> None:
    limits = RateLimits(Rates(key=600, issuer=60), Clock())
    for number in range(30):
        limits.take_caller(f"key {number}", "north")
    with pytest.raises(TooManyRequestsError, match="your issuer together"):
        limits.take_caller("another", "north")
    limits.take_caller("another", "south")


def test_however_many_addresses_call_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "_MOST_BUCKETS", 100)
    buckets = Buckets(60, Clock())
    for number in range(10_000):
        buckets.take(f"address {number}")
    assert len(buckets._full_at) == 100
