"""What aiokafka is told about offsets: a canary, since a timer that commits loses evidence only when processes die."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata

from libs.common.kafka import Kafka
from libs.common.settings import Settings
from libs.contracts import topics
from tests.ids import IDS


class Idle(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None: ...

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None: ...


async def test_no_timer_commits_offsets_and_a_new_group_starts_at_the_earliest_record() -> None:
    kafka = Kafka(Settings.load(), "canary", IDS.event_id)
    kafka.declare_consumer("group", [topics.EVIDENCE_SUBMITTED], Idle())
    (subscriber,) = kafka._broker.subscribers
    told = getattr(subscriber, "_connection_args")  # noqa: B009  # private, and of no type that is published
    assert told["enable_auto_commit"] is False
    assert told["auto_offset_reset"] == "earliest"


class Coordinator:
    """Of a group that has committed nothing on the first partition; while it moves it says nothing of any."""

    def __init__(self, *, moves: bool) -> None:
        self._moves = moves

    async def list_consumer_group_offsets(
        self, _group: str, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        return {} if self._moves else {tp: OffsetAndMetadata(tp.partition * 10 - 1, "") for tp in partitions}


async def test_that_a_coordinator_moves_does_not_read_as_that_its_group_has_committed_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka, partitions = Kafka(Settings.load(), "canary", IDS.event_id), [TopicPartition("t", each) for each in (0, 1)]
    coordinators = iter([Coordinator(moves=True), Coordinator(moves=False)])

    @asynccontextmanager
    async def admin(_kafka: Kafka) -> AsyncIterator[Coordinator]:
        yield next(coordinators)

    monkeypatch.setattr(Kafka, "_admin", admin)
    with pytest.raises(GroupCoordinatorNotAvailableError):
        await kafka.committed("group", partitions)
    assert await kafka.committed("group", partitions) == {partitions[1]: 9}
