"""What aiokafka is told about offsets: a canary, since a timer that commits loses evidence only when processes die."""

from collections.abc import Iterable

from aiokafka import ConsumerRebalanceListener, TopicPartition

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
