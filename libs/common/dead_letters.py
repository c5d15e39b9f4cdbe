"""Makes the dead letter of a record that a service cannot process, and the record of one that is sent again."""

import base64
import hashlib
from datetime import UTC, datetime

from aiokafka import ConsumerRecord

from libs.common import metrics
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing, UnreadableRecordError, read_event, readable_headers
from libs.contracts.events import DeadLetter, RecordSentAgain
from libs.contracts.topics import LARGEST_LETTER_BYTES

# What of a dead letter is not its JSON (headers of its own, framing) is far less than the rest.
_LARGEST_JSON_BYTES = LARGEST_LETTER_BYTES - 64 * 1024


def dead_letter(
    record: ConsumerRecord, *, service: str, consumer: str, reason: str, detail: str, attempt: int
) -> Outgoing:
    """Return the dead letter to publish. It leaves out what none can hold (a record that was compressed on its way).

    Args:
        record: as the client library gave it.
        service: whose topic of dead letters it goes to.
        consumer: the consumer group that met the record.
        reason: a stable code.
        detail: for its operators; free of personal data.
        attempt: how often the record was tried.
    """
    letter = DeadLetter(
        service=service,
        consumer=consumer,
        source_topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        record_key=_base64(record.key),
        record_value=_base64(record.value),
        record_headers=[(name, _base64(value)) for name, value in record.headers],
        reason=reason,
        detail=detail,
        attempt=attempt,
        failed_at=datetime.now(UTC),
    )
    if len(letter.model_dump_json().encode()) > _LARGEST_JSON_BYTES:
        digest = hashlib.sha256(record.value or b"").hexdigest()
        bare: dict[str, object] = {
            "record_key": None,
            "record_value": None,
            "record_headers": [],
            "record_sha256": digest,
        }
        letter = DeadLetter.model_validate({**letter.model_dump(), **bare})
    return Outgoing(letter, readable_headers(record.headers).get("traceparent") or new_trace())


def record_of(letter: DeadLetter) -> ConsumerRecord:
    """Return the record as it came, where it stood; one whose letter leaves it out is without a value.

    Raises:
        ValueError: what it holds is no base64.
    """
    value = _bytes(letter.record_value)
    headers = tuple((name, _bytes(raw)) for name, raw in letter.record_headers)
    place = (letter.source_topic, letter.partition, letter.offset)
    return ConsumerRecord(*place, 0, 0, _bytes(letter.record_key), value, None, 0, 0, headers)


def sent_again(carrier: ConsumerRecord, group: str) -> ConsumerRecord | None:
    """Return the record that an operator sends again in this one, or None where it is for another consumer group.

    Raises:
        UnreadableRecordError: it is no such record.
    """
    event = read_event(readable_headers(carrier.headers), carrier.value or b"")
    if not isinstance(event, RecordSentAgain):
        raise UnreadableRecordError("unknown_type", "the topic holds what is sent again, and nothing else")
    if event.consumer != group:
        return None
    try:
        record = record_of(event)
    except ValueError:
        raise UnreadableRecordError("breaks_contract", "what it holds is no base64") from None
    metrics.SENT_AGAIN.labels(group).inc()
    return record


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()
