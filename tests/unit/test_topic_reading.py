"""Reading topics to their ends, and knowing the topic: also where brokers have lost what stood before the end."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from libs.common.topic_reading import Ends, RecordsGoneError, TopicReader, reading
from libs.contracts import topics
from libs.contracts.cloudevents import Origin, Outgoing, encode
from libs.contracts.events import Event, StoreMoment
from services.issuer.recovery import metrics
from services.issuer.recovery.marks import TOPICS, Marks
from tests.ids import IDS
from tests.positions_in_memory import MemoryPositions, MemoryTopics

LEFT, RIGHT = (TopicPartition(topics.STORE_MOMENTS.name, number) for number in (0, 1))
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
        self._paused: set[TopicPartition] = set()
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
        self._paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused -= set(partitions)

    async def getmany(self, *asked: TopicPartition, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        assert not self._paused & set(asked)
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


async def read(brokers: Brokers, ends: Ends, since: Ends | None = None) -> list[Event]:
    reader = TopicReader(brokers, {})
    return [each async for some in reader.events(since or {}, ends) for each in some]


def offsets(events: Sequence[Event]) -> list[int]:
    return [int(each.service) for each in events if isinstance(each, StoreMoment)]


async def test_reading_ends_where_it_was_to_end_whatever_came_meanwhile() -> None:
    brokers = Brokers({LEFT: range(9), RIGHT: range(3)}, {LEFT: 9, RIGHT: 3})
    assert sorted(offsets(await read(brokers, {LEFT: 5, RIGHT: 3}, {LEFT: 2}))) == [0, 1, 2, 2, 3, 4]


@pytest.mark.parametrize("left", [[], [0], [0, 4, 6]])
async def test_where_brokers_have_lost_what_stood_before_the_end_reading_ends_with_what_they_have(
    left: list[int],
) -> None:
    brokers = Brokers({LEFT: left, RIGHT: range(5)}, {LEFT: 9, RIGHT: 5})
    assert sorted(offsets(await read(brokers, dict(brokers.at_end)))) == sorted([*left, *range(5)])


async def test_brokers_that_do_not_answer_for_long_are_waited_for() -> None:
    brokers = Brokers({LEFT: range(4)}, {LEFT: 4})
    brokers.silent_for = 40
    assert offsets(await read(brokers, {LEFT: 4})) == [0, 1, 2, 3]


async def test_a_topic_that_ends_before_it_did_is_an_error_and_not_the_end_of_it() -> None:
    brokers = Brokers({LEFT: range(2)}, {LEFT: 2})
    with pytest.raises(RecordsGoneError, match="ends before it did"):
        await read(brokers, {LEFT: 9})


PLACES = {TopicPartition(topic.name, 0): 40 for topic in TOPICS}
DOCUMENTS = TopicPartition(topics.CREDENTIAL_DOCUMENTS.name, 0)


def marks_of(brokers: Any, positions: Any) -> Marks:
    return Marks(positions, brokers)


async def since(brokers: Any, marks: Marks, tp: TopicPartition) -> Ends | None:
    async with reading(brokers, *TOPICS) as reader:
        return await marks.since({tp: brokers.at_end[tp]}, reader.ids)


async def test_a_topic_made_anew_beneath_a_running_process_is_told_to_the_next_one_however_far_it_has_grown() -> None:
    brokers, positions = Brokers({}, PLACES), MemoryPositions()
    brokers.topics.known = {topic.name: "first" for topic in TOPICS}
    running = marks_of(brokers, positions)
    await running.keep(PLACES, brokers.topics.known)
    brokers.at_end[DOCUMENTS] = 41
    await running.advance()
    assert await since(brokers, marks_of(brokers, positions), DOCUMENTS) == {DOCUMENTS: 41}
    brokers.topics.known[DOCUMENTS.topic] = "second"
    brokers.at_end = dict.fromkeys(PLACES, 700)
    metrics.ANOTHER_TOPIC.set(0)
    await running.advance()
    assert metrics.ANOTHER_TOPIC._value.get() == 1
    successor = marks_of(brokers, positions)
    assert await since(brokers, successor, DOCUMENTS) is None
    others = [tp for tp in PLACES if tp != DOCUMENTS]
    assert [await since(brokers, successor, tp) for tp in others] == [{tp: 700} for tp in others]
