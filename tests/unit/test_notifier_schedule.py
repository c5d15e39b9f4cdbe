"""When a mail is tried again, and how connections are shared: pure functions."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.channels.email.smtp import _failure, _told
from services.notifier.channels.failure import Failure, FailureKind
from services.notifier.deliveries.schedule import RetryPolicy, State, after_failure
from services.notifier.deliveries.share import FairShare

NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)
POLICY = RetryPolicy()


def failing(kind: FailureKind) -> tuple[State, list[timedelta]]:
    """Fail every attempt of one delivery; returns its last state and the waits between attempts."""
    now, attempts = NOW, 1
    waits: list[timedelta] = []
    while True:
        then = after_failure(Failure(kind), attempts=attempts, first_attempt_at=NOW, now=now, policy=POLICY, draw=0.5)
        if then.due_at is None:
            return then.state, waits
        waits.append(then.due_at - now)
        now, attempts = then.due_at, attempts + 1


def test_a_permanent_refusal_is_final_at_once() -> None:
    assert failing(FailureKind.PERMANENT) == (State.FAILED_PERMANENTLY, [])


def test_temporary_refusals_are_retried_from_a_minute_to_twelve_hours_and_given_up_after_three_days() -> None:
    state, waits = failing(FailureKind.TEMPORARY)
    assert state is State.GAVE_UP
    assert waits[0] == timedelta(minutes=1)
    assert waits[1] == timedelta(minutes=2)
    assert max(waits) == timedelta(hours=12)
    assert sum(waits, timedelta()) == timedelta(days=3), "the last attempt is at the deadline itself"


def test_a_lost_connection_is_retried_sooner_since_it_says_nothing_of_the_recipient() -> None:
    state, waits = failing(FailureKind.LOST)
    assert state is State.GAVE_UP
    assert waits[0] == timedelta(seconds=5)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_every_wait_lies_within_a_quarter_of_its_step(attempts: int, draw: float) -> None:
    step = min(POLICY.refused_first * 2 ** min(attempts - 1, 30), POLICY.longest)
    wait = POLICY.wait(FailureKind.TEMPORARY, attempts, draw)
    assert 0.74 * step <= wait <= 1.26 * step


@pytest.mark.parametrize(
    ("code", "text", "kind", "enhanced"),
    [
        (550, "5.1.1 <mia@x.example> unknown", FailureKind.PERMANENT, "5.1.1"),
        (554, "no", FailureKind.PERMANENT, None),
        (451, "4.7.1 greylisted", FailureKind.TEMPORARY, "4.7.1"),
        (421, "2.10.3.4 is our address", FailureKind.TEMPORARY, None),
        (-1, "garbage", FailureKind.LOST, None),
        (250, "what?", FailureKind.LOST, None),
    ],
)
def test_an_answer_is_read_by_its_codes_alone(code: int, text: str, kind: FailureKind, enhanced: str | None) -> None:
    failure = _failure(code, text)
    assert (failure.kind, failure.enhanced) == (kind, enhanced)
    assert "mia" not in repr(failure)


def test_what_is_told_of_an_error_holds_no_text_of_the_server() -> None:
    assert _told(ConnectionRefusedError("mia@x.example")) == "ConnectionRefusedError"


def test_only_rate_complaints_slow_a_domain_down() -> None:
    slowing = {code for code in range(400, 600) if Failure(FailureKind.TEMPORARY, code).is_throttle}
    assert slowing == {421, 450, 451}


def take_all(share: FairShare, domain: str) -> int:
    taken = 0
    while share.take(domain):
        taken += 1
    return taken


def test_one_domain_takes_three_quarters_and_leaves_the_rest() -> None:
    share = FairShare(32)
    assert share.allowance() == 24
    assert take_all(share, "slow.example") == 24
    assert share.allowance() == 0
    assert share.take("other.example")


@given(st.integers(1, 200), st.lists(st.sampled_from("abcdefgh"), max_size=400))
def test_connections_are_never_overdrawn_and_all_come_back(connections: int, wanted: list[str]) -> None:
    share = FairShare(connections)
    held = [domain for domain in wanted if share.take(domain)]
    assert len(held) + share.free == connections
    if share.free:
        assert share.take("a domain that holds nothing")
        share.release("a domain that holds nothing")
    for domain in held:
        share.release(domain)
    assert share.free == connections


def test_one_place_serves_any_domain() -> None:
    share = FairShare(1)
    assert share.take("a.example")
    assert not share.take("a.example")
    share.release("a.example")
    assert share.take("b.example")
