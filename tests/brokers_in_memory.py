"""Brokers in memory, and their client: partitions with what is left of their records, for tests of reading."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from libs.common.topic_reading import Ends
from libs.contracts.cloudevents import Origin, Outgoing, encode
from libs.contracts.events import StoreMoment
from tests.ids import IDS
from tests.positions_in_memory import MemoryTopics

MOMENT = datetime(2026, 11, 23, 16, 20, tzinfo=UTC)


def record(tp: TopicPartition, offset: int) -> ConsumerRecord:
    sent = encode(
        Outgoing(StoreMoment(service=f"{offset}", used_at=MOMENT), ""), Origin("https://a.example", "a", IDS.event_id)
    )
    return ConsumerRecord(tp.topic, tp.partition, offset, 0, 0, sent.key, sent.value, None, 0, 0, sent.headers)


class Brokers:
    """Stands for Kafka and for its client: partitions with what is left of their records."""

    def __init__(self, offsets: Mapping[TopicPartition, Sequence[int]], ends: Ends) -> None:
        self.topics = MemoryTopics()
        self._offsets = {tp: list(each) for tp, each in offsets.items()}
        self.at_end = dict(ends)
        self._positions = dict.fromkeys(ends, 0)
        self.paused: set[TopicPartition] = set()
        self._answers = 0
        self.silent_for = 0

    def reader(self, *_topics: object) -> Any:
        return self

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return

    def assignment(self) -> list[TopicPartition]:
        return list(self.at_end)

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Ends:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> Ends:
        return {tp: self.at_end[tp] for tp in partitions}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= set(partitions)

    async def getmany(self, *asked: TopicPartition, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        assert not self.paused & set(asked)
        if self.silent_for:
            self.silent_for -= 1
            return {}
        self._answers += 1
        taken = {}
        for tp in asked:
            found = [each for each in self._offsets.get(tp, ()) if each >= self._positions[tp]][:2]
            if found:
                taken[tp] = [record(tp, each) for each in found]
                self._positions[tp] = found[-1] + 1
        return taken

    def last_poll_timestamp(self, _tp: TopicPartition) -> int | None:
        return self._answers or None

    def highwater(self, tp: TopicPartition) -> int:
        return int(self.at_end[tp])
