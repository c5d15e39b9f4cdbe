"""A consumer that receives nothing is found out: what the brokers say of its group against what it fetches."""

from dataclasses import dataclass, field

import pytest
from confluent_kafka import KafkaError, KafkaException

from libs.common import metrics
from libs.common.assignments import DEAF_AFTER_SECONDS, Assignments, ClusterState, GroupState, Partition
from libs.common.topic_states import TopicState

TOPIC = "catalogue.v1"
BOTH = frozenset({Partition(TOPIC, 0), Partition(TOPIC, 1)})
ALIVE = {TOPIC: TopicState("first", 2)}


@dataclass
class Member:
    """What this process thinks of itself."""

    assigned: frozenset[Partition] = BOTH
    member_id: str = "us"
    name: str = "verifier-issuers"
    group: str = "verifier-issuers"
    topics: frozenset[str] = field(default_factory=lambda: frozenset({TOPIC}))


class Watched:
    """One member, watched; the brokers say what the test sets."""

    def __init__(self, member: Member | None = None) -> None:
        self.member = member or Member()
        self.now = 0.0
        self.cluster: ClusterState | None = None
        self.watch = Assignments([self.member], self._look, lambda: self.now)

    async def _look(self) -> ClusterState:
        if self.cluster is None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return self.cluster

    async def see(self, group: GroupState, topics: dict[str, TopicState] | None = None, *, at: float = 0) -> None:
        self.now = at
        self.cluster = ClusterState(ALIVE if topics is None else topics, {self.member.group: group})
        await self.watch.tick()


def group(rebalancing: bool = False, **members: frozenset[Partition]) -> GroupState:
    return GroupState(rebalancing, members)


async def test_a_member_that_fetches_what_it_was_given_is_ready() -> None:
    watched = Watched()
    await watched.see(group(us=BOTH))
    assert await watched.watch.probe() is None
    assert watched.watch.problem() is None
    assert metrics.ASSIGNED.labels("verifier-issuers")._value.get() == 2
    assert metrics.UNASSIGNED.labels("verifier-issuers")._value.get() == 0


async def test_a_member_without_partitions_is_not_ready_before_the_brokers_say_that_others_take_them() -> None:
    watched = Watched(Member(assigned=frozenset()))
    assert await watched.watch.probe() == "verifier-issuers: no partition yet"
    await watched.see(group(us=frozenset(), another=BOTH))
    assert await watched.watch.probe() is None
    await watched.see(group(us=frozenset(), another=BOTH), at=10 * DEAF_AFTER_SECONDS)
    assert watched.watch.problem() is None


DEAF = {
    "no member takes 2 of 2 partitions": (Member(assigned=frozenset()), group(us=frozenset()), ALIVE),
    "no member takes 1 of 2 partitions": (
        Member(assigned=frozenset({Partition(TOPIC, 0)})),
        group(us=frozenset({Partition(TOPIC, 0)})),
        ALIVE,
    ),
    "the brokers do not know it as a member": (Member(), group(another=BOTH), ALIVE),
    "it does not fetch the partitions": (Member(assigned=frozenset()), group(us=BOTH), ALIVE),
    "topics missing: catalogue.v1": (Member(), group(us=BOTH), {}),
}


@pytest.mark.parametrize("fault", DEAF)
async def test_a_deaf_member_is_not_ready_at_once_and_ends_the_process_within_a_minute(fault: str) -> None:
    member, seen, topics = DEAF[fault]
    watched = Watched(member)
    await watched.see(seen, topics)
    assert fault in (await watched.watch.probe() or "")
    assert watched.watch.problem() is None
    for second in range(5, int(DEAF_AFTER_SECONDS) + 6, 5):
        await watched.see(seen, topics, at=second)
    assert fault in (watched.watch.problem() or "")
    assert DEAF_AFTER_SECONDS < 50


async def test_a_process_that_stood_still_has_time_to_join_its_group_again() -> None:
    watched = Watched()
    await watched.see(group(another=BOTH))
    await watched.see(group(another=BOTH), at=10 * DEAF_AFTER_SECONDS)
    assert watched.watch.problem() is None


async def test_brokers_that_list_no_members_end_nothing() -> None:
    watched = Watched()
    for second in range(0, int(3 * DEAF_AFTER_SECONDS), 5):
        await watched.see(group(), at=second)
    assert await watched.watch.probe() is None
    assert watched.watch.problem() is None


async def test_a_group_that_lost_its_listed_members_is_deaf() -> None:
    watched = Watched()
    await watched.see(group(us=BOTH))
    for second in range(5, int(DEAF_AFTER_SECONDS) + 11, 5):
        await watched.see(group(), at=second)
    assert "do not know it" in (watched.watch.problem() or "")


async def test_a_fault_that_passes_ends_nothing() -> None:
    watched = Watched()
    await watched.see(group(another=BOTH))
    await watched.see(group(us=BOTH), at=DEAF_AFTER_SECONDS - 1)
    await watched.see(group(another=BOTH), at=DEAF_AFTER_SECONDS + 1)
    assert watched.watch.problem() is None


async def test_a_rebalance_is_no_fault() -> None:
    watched = Watched()
    await watched.see(group(us=BOTH))
    await watched.see(group(rebalancing=True), at=1)
    watched.now = 2 * DEAF_AFTER_SECONDS
    assert watched.watch.problem() is None


async def test_brokers_that_do_not_answer_end_nothing() -> None:
    watched = Watched()
    await watched.see(group(another=BOTH))
    watched.cluster = None
    await watched.watch.tick()
    watched.now = 2 * DEAF_AFTER_SECONDS
    assert watched.watch.problem() is None


async def test_a_topic_that_was_made_anew_ends_the_process_at_once() -> None:
    watched = Watched()
    await watched.see(group(us=BOTH))
    await watched.see(group(us=BOTH), {TOPIC: TopicState("second", 2)}, at=1)
    assert watched.watch.problem() == "catalogue.v1 was deleted and made anew"
