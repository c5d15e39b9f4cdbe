"""Reading topics to their ends, and knowing the topic: also where brokers have lost what stood before the end."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition

from libs.common.topic_reading import Ends, RecordsGoneError, TopicReader, reading
from libs.contracts import topics
from libs.contracts.events import Event, StoreMoment
from services.issuer.recovery import metrics
from services.issuer.recovery.marks import TOPICS, Marks
from tests.brokers_in_memory import Brokers
from tests.positions_in_memory import MemoryPositions

LEFT, RIGHT = (TopicPartition(topics.STORE_MOMENTS.name, number) for number in (0, 1))


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


async def test_a_topic_is_not_fetched_while_only_its_ends_are_asked_for() -> None:
    brokers: Any = Brokers({LEFT: range(4), RIGHT: range(3)}, {LEFT: 4, RIGHT: 3})
    async with reading(brokers, topics.STORE_MOMENTS) as reader:
        assert await reader.ends() == {LEFT: 4, RIGHT: 3}
        assert brokers.paused == {LEFT, RIGHT}
        assert [each async for each in reader.events({}, {LEFT: 4})]
        assert RIGHT in brokers.paused


PLACES = {TopicPartition(topic.name, 0): 40 for topic in TOPICS}
DOCUMENTS = TopicPartition(topics.CREDENTIAL_DOCUMENTS.name, 0)


class MemoryRefilled:
    """The note of `bowerbird republish`."""

    def __init__(self) -> None:
        self.noted = frozenset[str]()

    async def topic_ids(self) -> frozenset[str]:
        return self.noted


def marks_of(brokers: Any, positions: Any, refilled: MemoryRefilled | None = None) -> Marks:
    return Marks(positions, brokers, refilled or MemoryRefilled())  # type: ignore[arg-type]  # a fake


def told_lacking() -> float:
    return float(metrics.ANOTHER_TOPIC._value.get())


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


async def test_topics_that_were_made_anew_lack_what_was_published_until_it_was_published_again() -> None:
    brokers, positions, refilled = Brokers({}, PLACES), MemoryPositions(), MemoryRefilled()
    ids = brokers.topics.known = {topic.name: "first" for topic in TOPICS}
    running = marks_of(brokers, positions, refilled)
    await running.keep(PLACES, ids)
    refilled.noted = frozenset({"first"})
    ids[DOCUMENTS.topic] = "second"
    started = marks_of(brokers, positions, refilled)
    assert await since(brokers, started, DOCUMENTS) is None
    await started.keep(PLACES, ids)
    for process in (running, started):
        await process.advance()
        assert told_lacking() == 1, "what was filled is the topic before this one"
    refilled.noted = frozenset({"first", "second"})
    for process in (running, started):
        await process.advance()
        assert told_lacking() == 0
    ids[DOCUMENTS.topic] = "third"
    await started.advance()
    assert told_lacking() == 1


@pytest.mark.parametrize("known", ["first", None])
async def test_no_earlier_note_speaks_for_a_topic_that_ends_before_its_mark_under_the_same_id(
    known: str | None,
) -> None:
    brokers, positions, refilled = Brokers({}, PLACES), MemoryPositions(), MemoryRefilled()
    if known:
        brokers.topics.known = {topic.name: known for topic in TOPICS}
    await marks_of(brokers, positions, refilled).keep(PLACES, brokers.topics.known)
    refilled.noted = frozenset({"first"})
    brokers.at_end = PLACES | {DOCUMENTS: 39}
    started = marks_of(brokers, positions, refilled)
    assert await since(brokers, started, DOCUMENTS) is None
    await started.tell_lacking(brokers.topics.known)
    assert told_lacking() == 1
