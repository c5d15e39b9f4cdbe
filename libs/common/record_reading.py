"""From the raw records of a batch to events: each on its own, so that a bad one costs none of the others."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Generic, NamedTuple

from aiokafka import ConsumerRecord

from libs.common.dead_letters import sent_again
from libs.common.telemetry import continue_trace, get_logger
from libs.contracts.cloudevents import (
    READ_HEADERS,
    EventT,
    Received,
    UnknownTypeError,
    UnreadableRecordError,
    read_event,
    readable_headers,
)
from libs.contracts.events import BY_TYPE
from libs.contracts.topics import SENT_AGAIN

# Of those of one batch; the dead letters have all of them.
_PLACES_LOGGED = 20
_SENT_AGAIN = frozenset(topic.name for topic in SENT_AGAIN.values())


class FailedRecord(NamedTuple):
    """A record that goes to the dead letters: why, as a stable code and in words, and after how many attempts."""

    record: ConsumerRecord
    reason: str
    detail: str
    attempts: int


class ReadRecord(NamedTuple, Generic[EventT]):
    """A record that is one of ours, beside the record it came in."""

    record: ConsumerRecord
    received: Received[EventT]


class RecordReader(Generic[EventT]):
    """Reads the records of one consumer group."""

    def __init__(
        self,
        group: str,
        contracts: Sequence[type[EventT]],
        *,
        tombstones: bool,
        is_known: Callable[[ConsumerRecord], bool],
    ) -> None:
        """Take what the group consumes, whether tombstones too, and which records may have been processed before."""
        self._group = group
        self._contracts = tuple(contracts)
        # By the bytes of their header: most records of a shared topic need no more to be passed over.
        self._others = {name.encode() for name, each in BY_TYPE.items() if not issubclass(each, self._contracts)}
        self._tombstones = tombstones
        self._is_known = is_known

    def read(
        self, records: Sequence[ConsumerRecord], outcomes: "Counter[str]"
    ) -> tuple[list[ReadRecord[EventT]], list[FailedRecord]]:
        """Return those that are for this group, and those that nobody can read; count them and what is for others."""
        good: list[ReadRecord[EventT]] = []
        dead: list[FailedRecord] = []
        # A batch is one span of each trace in it.
        spans: dict[str | None, str] = {}
        for came in records:
            record: ConsumerRecord | None = came
            try:
                if came.topic in _SENT_AGAIN:
                    record = sent_again(came, self._group)
                received = None if record is None else self._read_one(record, spans, known=self._is_known(came))
            except UnreadableRecordError as error:
                dead.append(FailedRecord(record or came, error.reason, str(error), 1))
                outcomes["dead_letter"] += 1
                continue
            if record is None or received is None:
                outcomes["not_for_us"] += 1
            else:
                good.append(ReadRecord(record, received))
        if dead:
            get_logger().error(
                "records cannot be read",
                consumer=self._group,
                records=len(dead),
                places=[f"{each.topic}/{each.partition}:{each.offset}" for each, *_ in dead[:_PLACES_LOGGED]],
                reasons=sorted({each.reason for each in dead}),
            )
        return good, dead

    def _read_one(
        self, record: ConsumerRecord, spans: dict[str | None, str], *, known: bool
    ) -> Received[EventT] | None:
        if record.value is not None and dict(record.headers).get("ce_type") in self._others:
            return None  # another consumer's, who judges it
        headers = readable_headers([each for each in record.headers if each[0] in READ_HEADERS])
        came = headers.get("traceparent")
        trace = spans.get(came) or continue_trace(came)
        if came is not None:
            spans[came] = trace
        key = (record.key or b"").decode("utf-8", "replace")
        if record.value is None:
            return self._tombstone(record, key, trace, known=known) if self._tombstones else None
        try:
            event = read_event(headers, record.value)
        except UnknownTypeError:
            return None  # of a newer version, which runs beside this one while services are upgraded one by one
        if not isinstance(event, self._contracts):
            return None
        return Received(event, key, trace, known, record.offset)

    def _tombstone(self, record: ConsumerRecord, key: str, trace: str, *, known: bool) -> Received[EventT]:
        sent_at = datetime.fromtimestamp(record.timestamp / 1000, UTC) if record.timestamp > 0 else None
        return Received(None, key, trace, known, record.offset, sent_at)
