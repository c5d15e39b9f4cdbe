"""Whether the partitions of what this process consumes are taken, as the brokers see it; a deaf process is found out.

A consumer may rightly have no partition: there are more members than partitions, and it stands by. It is deaf where
the brokers no longer know it, gave it other partitions than those it fetches, or where partitions of its topics are
nobody's; and where a topic was deleted and made anew, so that its offsets mean nothing any more. The client library
tells none of this.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, NamedTuple, Protocol

from confluent_kafka import ConsumerGroupState, KafkaException

from libs.common import metrics
from libs.common.telemetry import get_logger
from libs.common.topic_states import ANSWER_SECONDS, TopicState, TopicStates

DEAF_AFTER_SECONDS: Final = 40.0
"""How long a fault lasts until the process counts as dead: longer than a rebalance of members that answer."""

_LOOK_EVERY_SECONDS: Final = 5.0
_REBALANCING: Final = {ConsumerGroupState.PREPARING_REBALANCING, ConsumerGroupState.COMPLETING_REBALANCING}


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


@dataclass(frozen=True)
class GroupState:
    """A consumer group as its coordinator has it: what each member was given, by the member's id."""

    rebalancing: bool
    members: Mapping[str, frozenset[Partition]]


@dataclass(frozen=True)
class ClusterState:
    """Topics that exist, and groups, by their names."""

    topics: Mapping[str, TopicState]
    groups: Mapping[str, GroupState]


class Member(Protocol):
    """One member of a consumer group in this process."""

    name: str
    group: str
    topics: frozenset[str]

    @property
    def member_id(self) -> str:
        """What the coordinator calls it."""
        ...

    @property
    def assigned(self) -> frozenset[Partition]:
        """The partitions that it fetches."""
        ...


Look = Callable[[], Awaitable[ClusterState]]


class Assignments:
    """Compares what each member fetches with what the brokers say, again and again."""

    def __init__(self, members: Sequence[Member], look: Look, clock: Callable[[], float] = monotonic) -> None:
        """Take the members (the list may still grow), what asks the brokers, and a monotonic clock in seconds."""
        self._members = members
        self._look = look
        self._clock = clock
        self._ids: dict[str, str] = {}
        self._made_anew: str | None = None
        # By member: what is wrong, and for how long, counted while this process looked.
        self._faults: dict[str, tuple[str, float]] = {}
        self._looked_at: float | None = None
        # Groups whose members the brokers have listed: there are brokers that list none.
        self._listed: set[str] = set()
        self._standing_by: set[str] = set()

    async def tick(self) -> float:
        """Look once; returns the seconds until the next look. Where the brokers do not answer, nothing is judged."""
        if not self._members:
            return _LOOK_EVERY_SECONDS
        try:
            self.judge(await self._look())
        except KafkaException as error:
            get_logger().warning("assignments are not known", problem=error.args[0].name())
            self._faults.clear()
            for member in self._members:
                metrics.ASSIGNED.labels(member.name).set(len(member.assigned))
        return _LOOK_EVERY_SECONDS

    def judge(self, cluster: ClusterState) -> None:
        """Note what is wrong with each member, and since when."""
        self._find_made_anew(cluster.topics)
        passed = self._passed()
        for member in self._members:
            fetched, group = member.assigned, cluster.groups.get(member.group)
            wanted = _partitions(member.topics, cluster.topics)
            given = frozenset().union(*group.members.values()) if group else frozenset()
            metrics.ASSIGNED.labels(member.name).set(len(fetched))
            metrics.UNASSIGNED.labels(member.group).set(len(wanted - given))
            if group is not None and group.members:
                self._listed.add(member.group)
            fault = _fault(member, cluster, wanted, listed=member.group in self._listed)
            if fault is None and group is not None and group.rebalancing:
                continue
            self._standing_by.discard(member.name)
            if fault is None:
                self._faults.pop(member.name, None)
                if not fetched:
                    self._standing_by.add(member.name)
            else:
                before = self._faults.get(member.name)
                self._faults[member.name] = (fault, 0.0 if before is None else before[1] + passed)

    def _passed(self) -> float:
        """Return the seconds since the last look, but no more than it takes from one to the next.

        A process, or a machine, that stood still in between had no time to join its group again.
        """
        now, before = self._clock(), self._looked_at
        self._looked_at = now
        return 0.0 if before is None else min(now - before, _LOOK_EVERY_SECONDS + ANSWER_SECONDS)

    def _find_made_anew(self, topics: Mapping[str, TopicState]) -> None:
        for name in {name for member in self._members for name in member.topics} & topics.keys():
            if self._ids.setdefault(name, topics[name].id) != topics[name].id:
                self._made_anew = f"{name} was deleted and made anew"

    def problem(self) -> str | None:
        """Return why the process must end: it is deaf, and a new one would not be; None while it is not."""
        if self._made_anew is not None:
            return self._made_anew
        deaf = [f"{name}: {fault}" for name, (fault, seconds) in self._faults.items() if seconds > DEAF_AFTER_SECONDS]
        return "; ".join(deaf) or None

    async def probe(self) -> str | None:
        """Return which members receive nothing though they should; None where all are served or rightly stand by."""
        idle = {each.name: "no partition yet" for each in self._members if not each.assigned}
        wrong = {name: reason for name, reason in idle.items() if name not in self._standing_by}
        wrong |= {name: fault for name, (fault, _) in self._faults.items()}
        return "; ".join(f"{name}: {reason}" for name, reason in sorted(wrong.items())) or None


def _partitions(names: Iterable[str], topics: Mapping[str, TopicState]) -> frozenset[Partition]:
    return frozenset(
        Partition(name, number) for name in names if name in topics for number in range(topics[name].partitions)
    )


def _fault(member: Member, cluster: ClusterState, wanted: frozenset[Partition], *, listed: bool) -> str | None:
    """Return what keeps records of its topics from being received, or None."""
    missing = member.topics - cluster.topics.keys()
    if missing:
        return f"topics missing: {', '.join(sorted(missing))}"
    group = cluster.groups.get(member.group)
    if not listed or (group is not None and group.rebalancing):
        return None
    if group is None or member.member_id not in group.members:
        return "the brokers do not know it as a member of its group"
    if group.members[member.member_id] != member.assigned:
        return "it does not fetch the partitions that it was given"
    nobodys = wanted - frozenset().union(*group.members.values())
    if nobodys:
        return f"no member takes {len(nobodys)} of {len(wanted)} partitions"
    return None


class Brokers:
    """Asks the brokers about the topics and groups of members."""

    def __init__(self, topics: TopicStates, members: Sequence[Member]) -> None:
        """Take what asks about topics, and the members whose topics and groups are asked for."""
        self._topics = topics
        self._members = members

    async def look(self) -> ClusterState:
        """Return what the brokers say now.

        Raises:
            KafkaException: they did not answer in time, or may not be asked.
        """
        groups = sorted({member.group for member in self._members})
        topics = await self._topics.read({name for member in self._members for name in member.topics})
        # Only once brokers have answered: where the connection to a group's coordinator is lost, librdkafka may end the
        # process (confluentinc/librdkafka#4605).
        asked = self._topics.client.describe_consumer_groups(groups, request_timeout=ANSWER_SECONDS)
        described = {name: await asyncio.wrap_future(answer) for name, answer in asked.items()}
        return ClusterState(topics, {name: _group(each) for name, each in described.items()})


def _group(described: Any) -> GroupState:
    members = {
        each.member_id: frozenset(Partition(tp.topic, tp.partition) for tp in each.assignment.topic_partitions)
        for each in described.members
    }
    return GroupState(described.state in _REBALANCING, members)
