"""A dead letter always fits onto its topic, whatever the record was; sent again it is that record."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from libs.common.dead_letters import dead_letter, sent_again
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Origin, Outgoing, UnreadableRecordError, headers_of
from libs.contracts.events import DeadLetter, RecordSentAgain
from libs.contracts.topics import LARGEST_LETTER_BYTES
from tests.ids import IDS

NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)


def letter(**parts: Any) -> DeadLetter:
    whole = {"topic": "evidence.submitted.v1", "partition": 3, "offset": 41, "key": b"k", "value": b"v", "headers": ()}
    record = SimpleNamespace(**(whole | parts))
    outgoing = dead_letter(
        record, service="issuer", consumer="issuer-evidence", reason="no_type", detail="none", attempt=1
    )
    assert isinstance(outgoing.event, DeadLetter)
    return outgoing.event


def test_a_record_of_the_size_that_a_topic_takes_is_kept_whole() -> None:
    assert letter(value=b"a" * 1_000_000).record_value is not None


@pytest.mark.parametrize(
    "parts",
    [
        {"value": b"a" * 10_000_000},
        {"key": b"a" * 10_000_000},
        {"headers": [("", b"")] * 300_000},
        {"headers": [("\x00" * 900_000, None)]},
    ],
)
def test_what_no_letter_holds_is_left_out_and_the_place_and_digest_remain(parts: dict[str, Any]) -> None:
    made = letter(**parts)
    assert len(made.model_dump_json()) < LARGEST_LETTER_BYTES / 2
    assert (made.source_topic, made.partition, made.offset) == ("evidence.submitted.v1", 3, 41)
    assert made.record_sha256 is not None


def carrier(consumer: str) -> ConsumerRecord:
    """Return the record that sends a dead letter to a consumer group again."""
    event = RecordSentAgain(
        **letter(value=b"{}", headers=[("ce_type", b"t"), ("none", None)]).model_dump(), sent_at=NOW
    )
    event = event.model_copy(update={"consumer": consumer})
    headers = headers_of(Outgoing(event, new_trace()), Origin("http://test", "operator", IDS.event_id))
    return ConsumerRecord(
        "sent-again.issuer.v1", 0, 9, 0, 0, b"k", event.model_dump_json().encode(), None, 1, 1, headers
    )


def test_what_is_sent_again_is_the_record_as_it_was_for_its_consumer_alone() -> None:
    record = sent_again(carrier("issuer-evidence"), "issuer-evidence")
    assert record is not None
    assert (record.topic, record.partition, record.offset) == ("evidence.submitted.v1", 3, 41)
    assert (record.key, record.value, record.headers) == (b"k", b"{}", (("ce_type", b"t"), ("none", None)))
    assert sent_again(carrier("issuer-evidence"), "issuer-catalogue") is None


def test_anything_else_on_that_topic_is_a_dead_letter_itself() -> None:
    stray = carrier("issuer-evidence")
    stray.headers = [("ce_type", b"org.bowerbirdbadges.dead-letter.v1")]
    with pytest.raises(UnreadableRecordError):
        sent_again(stray, "issuer-evidence")
