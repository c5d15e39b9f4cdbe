"""Makes the dead letter of a record that a service cannot process: as it came, with where from and why."""

import base64
import hashlib
from datetime import UTC, datetime

from aiokafka import ConsumerRecord

from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing, readable_headers
from libs.contracts.events import DeadLetter
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


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()
