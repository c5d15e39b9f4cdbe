"""What is taken first where a consumer has a topic that yields."""

from collections import deque
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from libs.common.lanes import BULK_RECORDS, Lanes
from libs.contracts import topics

ORDINARY, BULK = (TopicPartition(each.name, 3) for each in (topics.EVIDENCE_SUBMITTED, topics.EVIDENCE_BULK))
AGAIN: Final = TopicPartition(topics.SENT_AGAIN["issuer"].name, 0)
MOST: Final = 500


class Client:
    """aiokafka's consumer: so many records of each partition have been fetched."""

    def __init__(self, fetched: Mapping[TopicPartition, int]) -> None:
        self._left = dict(fetched)
        self._fetcher = SimpleNamespace(_prefetch_backoff=0.0)
        self.positions = dict.fromkeys(fetched, 0)
        self.lost: set[TopicPartition] = set()
        # When something is waited for, this comes.
        self.coming: deque[tuple[TopicPartition, int]] = deque()

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._left)

    async def position(self, tp: TopicPartition) -> int:
        if tp in self.lost:
            raise IllegalStateError
        return self.positions[tp]

    @property
    def holds_back(self) -> float:
        """How long it fetches nothing else while it holds records."""
        return float(self._fetcher._prefetch_backoff)

    def come(self, tp: TopicPartition, count: int) -> None:
        self._left[tp] += count

    async def getmany(self, *asked: TopicPartition, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        if timeout_ms and self.coming:
            self.come(*self.coming.popleft())
        taken: dict[TopicPartition, list[ConsumerRecord]] = {}
        for tp in asked or self._left:
            count = min(self._left[tp], max_records - sum(map(len, taken.values())))
            if count:
                taken[tp] = [ConsumerRecord(*tp, 0, 0, 0, None, None, None, 0, 0, ())] * count
                self._left[tp] -= count
                self.positions[tp] += count
        return taken


async def taken(lanes: Lanes, client: Any, times: int = 1) -> list[dict[TopicPartition, int]]:
    found = [await lanes.take(client, timeout_ms=10) for _ in range(times)]
    return [{tp: len(records) for tp, records in each.items()} for each in found]


async def test_bulk_is_taken_a_little_at_a_time_and_only_where_nothing_else_is_there() -> None:
    client, lanes = Client({BULK: 250, ORDINARY: 510, AGAIN: 1}), Lanes(topics.EVIDENCE_BULK, MOST)
    first, second, third = await taken(lanes, client, 3)
    assert BULK not in first | second
    assert sum(first.values()) + sum(second.values()) == 511
    assert third == {BULK: BULK_RECORDS}
    client.come(ORDINARY, 10)
    assert await taken(lanes, client, 3) == [{ORDINARY: 10}, {BULK: BULK_RECORDS}, {BULK: 50}]


async def test_bulk_has_a_turn_however_much_comes_of_others() -> None:
    client, lanes = Client({BULK: 1_000, ORDINARY: 1_000_000}), Lanes(topics.EVIDENCE_BULK, MOST)
    ordinary, bulk = {ORDINARY: MOST}, {BULK: BULK_RECORDS}
    assert await taken(lanes, client, 22) == [*[ordinary] * 10, bulk] * 2


async def test_bulk_is_taken_many_at_a_time_where_nothing_else_has_come_for_ten_seconds() -> None:
    now = 100.0
    client, lanes = Client({BULK: 1_000_000, ORDINARY: 0}), Lanes(topics.EVIDENCE_BULK, MOST, lambda: now)
    assert await taken(lanes, client) == [{BULK: MOST}]
    client.come(ORDINARY, 1)
    assert await taken(lanes, client, 2) == [{ORDINARY: 1}, {BULK: BULK_RECORDS}]
    now += 9.9
    assert await taken(lanes, client) == [{BULK: BULK_RECORDS}]
    now += 0.2
    assert await taken(lanes, client) == [{BULK: MOST}]


async def test_others_that_were_waited_for_have_come_too() -> None:
    client, lanes = Client({BULK: 0, ORDINARY: 0}), Lanes(topics.EVIDENCE_BULK, MOST)
    client.coming.append((ORDINARY, 1))
    assert await taken(lanes, client) == [{ORDINARY: 1}]
    client.come(BULK, MOST)
    assert await taken(lanes, client) == [{BULK: BULK_RECORDS}]


async def test_while_there_is_bulk_the_others_are_asked_for_beside_it() -> None:
    client, lanes = Client({BULK: MOST + 50, ORDINARY: 0}), Lanes(topics.EVIDENCE_BULK, MOST)
    waits = []
    for _ in range(3):
        await taken(lanes, client)
        waits.append(client.holds_back)
    assert waits == [0.05, 0.05, 1.0]


async def test_what_comes_while_nothing_is_there_is_taken_whatever_it_is() -> None:
    for tp in (BULK, ORDINARY, AGAIN):
        client, lanes = Client({BULK: 0, ORDINARY: 0, AGAIN: 0}), Lanes(topics.EVIDENCE_BULK, MOST)
        client.coming.append((tp, 7))
        assert await taken(lanes, client) == [{tp: 7}]
        assert await taken(lanes, client) == [{}]


async def test_a_member_that_has_bulk_alone_or_none_of_it_takes_what_it_has() -> None:
    assert await taken(Lanes(topics.EVIDENCE_BULK, MOST), Client({BULK: 600})) == [{BULK: MOST}]
    assert await taken(Lanes(topics.EVIDENCE_BULK, MOST), Client({ORDINARY: 600})) == [{ORDINARY: MOST}]
    assert await taken(Lanes(None, MOST), Client({BULK: 600})) == [{BULK: MOST}]


async def test_after_an_assignment_bulk_is_read_first_as_far_as_it_may_have_been_processed_before() -> None:
    client, lanes = Client({BULK: 10_000, ORDINARY: 5}), Lanes(topics.EVIDENCE_BULK, MOST)
    lanes.assigned({BULK: MOST + 1, ORDINARY: 5})
    again = {BULK: MOST}
    assert await taken(lanes, client, 4) == [again, again, {ORDINARY: 5}, {BULK: BULK_RECORDS}]
    # What was in flight, given up and to be taken again, is still read first.
    lanes.assigned({BULK: 8_000})
    client.positions[BULK] = 7_950
    client.come(ORDINARY, 1)
    assert await taken(lanes, client) == [again]
    client.positions[BULK] = 7_950
    assert await taken(lanes, client, 2) == [again, {ORDINARY: 1}]


async def test_a_partition_of_bulk_that_has_moved_away_is_waited_for_no_longer() -> None:
    client, lanes = Client({BULK: 0, ORDINARY: 5}), Lanes(topics.EVIDENCE_BULK, MOST)
    lanes.assigned({BULK: 150})
    client.lost.add(BULK)
    assert await taken(lanes, client) == [{ORDINARY: 5}]
