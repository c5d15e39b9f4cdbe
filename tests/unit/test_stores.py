"""`bowerbird stores` tells what is wrong with MongoDB and Kafka, and of what is right that it is."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bowerbird.stores import of_connections, of_members, of_partitions

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
BROKERS = [{"node_id": 1, "host": "one", "port": 9092}, {"node_id": 2, "host": "two", "port": 9092}]


def member(name: str, state: str, behind: int = 0) -> dict[str, Any]:
    return {"name": name, "stateStr": state, "optimeDate": NOW - timedelta(seconds=behind)}


def topic(*, leader: int = 1, isr: tuple[int, ...] = (1, 2)) -> dict[str, Any]:
    return {"topic": "t", "partitions": [{"partition": 3, "leader": leader, "replicas": [1, 2], "isr": list(isr)}]}


def test_a_replica_set_with_a_primary_is_right_and_says_how_far_each_member_is_behind() -> None:
    told = of_members({"members": [member("a", "PRIMARY"), member("b", "SECONDARY", 7)]})
    assert told.right
    assert told.lines == [
        "MongoDB  primary a",
        "         member a: PRIMARY",
        "         member b: SECONDARY, 7 s behind",
    ]


def test_without_a_primary_it_says_so_and_which_members_are_away() -> None:
    told = of_members({"members": [member("a", "SECONDARY"), member("b", "(not reachable/healthy)")]})
    assert not told.right
    assert "no primary" in told.lines[0]
    assert "b: (not reachable/healthy)" in told.lines[-1]


def test_a_member_that_is_away_is_told_though_another_is_primary() -> None:
    assert not of_members({"members": [member("a", "PRIMARY"), member("b", "RECOVERING")]}).right


@pytest.mark.parametrize(("current", "right"), [(80, True), (81, False)])
def test_connections_are_right_until_most_are_in_use_and_are_told_by_client(current: int, right: bool) -> None:
    told = of_connections({"current": current, "available": 100 - current}, Counter({"bowerbird-issuer": 4, None: 9}))
    assert told.right is right
    assert told.lines[1:] == ["               9 of one without a name", "               4 of bowerbird-issuer"]


def test_partitions_with_leaders_and_all_copies_are_right() -> None:
    told = of_partitions(BROKERS, [topic()])
    assert told.right
    assert told.lines[-1] == "         1 partitions, 0 without a leader, 0 short of copies"


@pytest.mark.parametrize(
    ("brokers", "described", "said"),
    [
        (BROKERS, topic(leader=-1, isr=(1,)), "t/3: no leader; copies on [1, 2], current on [1]"),
        (BROKERS, topic(isr=(1,)), "t/3: short of copies; copies on [1, 2], current on [1]"),
        (BROKERS[:1], topic(), "broker 2: AWAY"),
    ],
)
def test_what_a_partition_lacks_is_told_with_where_its_copies_are(
    brokers: list[dict[str, Any]], described: dict[str, Any], said: str
) -> None:
    told = of_partitions(brokers, [described])
    assert not told.right
    assert any(said in line for line in told.lines)
