"""A dead letter always fits onto its topic, whatever the record was; sent again it is that record."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from bowerbird import dead_letters
from libs.common.dead_letters import dead_letter, sent_again
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Origin, Outgoing, UnreadableRecordError, headers_of
from libs.contracts.events import DeadLetter, RecordSentAgain
from libs.contracts.topics import DEAD_LETTERS, LARGEST_LETTER_BYTES, SENT_AGAIN, Topic
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


@pytest.mark.parametrize("part", ["record_key", "record_value", "record_headers"])
def test_what_is_sent_again_and_cannot_be_unpacked_is_a_dead_letter_itself(part: str) -> None:
    broken = carrier("issuer-evidence")
    broken.value = json.dumps(json.loads(broken.value) | {part: [["a", "b"]] if part == "record_headers" else "b"})
    with pytest.raises(UnreadableRecordError):
        sent_again(broken, "issuer-evidence")


class Aside:
    """The topics of what the issuer set aside and what was sent to it again, with records of others beside."""

    def __init__(self, letters: list[bytes | None], again: list[bytes | None]) -> None:
        self._values = {DEAD_LETTERS["issuer"].name: letters, SENT_AGAIN["issuer"].name: again}

    async def records(self, _settings: object, topic: Topic) -> AsyncIterator[ConsumerRecord]:
        for offset, value in enumerate(self._values[topic.name]):
            yield ConsumerRecord(topic.name, 0, offset, 0, 0, None, value, None, 0, 0, ())


@pytest.fixture
def beside_foreign_records(monkeypatch: pytest.MonkeyPatch) -> str:
    """Set one record aside, and send another again, beside what nobody can read; return the first one's place."""
    known, sent = letter(), letter(offset=42)
    strange = known.model_copy(update={"record_value": "b"}).model_dump_json().encode()
    again = RecordSentAgain(**sent.model_dump(), sent_at=datetime.now(UTC)).model_dump_json().encode()
    letters = [b"{", None, known.model_dump_json().encode(), b"\xff", strange, sent.model_dump_json().encode()]
    topics = Aside(letters, [b"[]", again])
    monkeypatch.setattr(dead_letters, "_records", topics.records)
    monkeypatch.setattr(dead_letters, "store_settings", SimpleNamespace)
    return f"{known.source_topic}/{known.partition}/{known.offset}"


def test_a_record_that_is_no_letter_is_told_by_its_place_and_hides_no_other(
    beside_foreign_records: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = beside_foreign_records
    assert dead_letters.list_letters("issuer", as_json=True) == 0
    listed = capsys.readouterr()
    assert [(each["offset"], each["sent_at"] is None) for each in json.loads(listed.out)] == [(41, True), (42, False)]
    told = (
        "bowerbird: records that cannot be read are left out (5): "
        + ", ".join(f"dead-letters.issuer.v1/0/{offset}" for offset in (0, 1, 3, 4))
        + ", sent-again.issuer.v1/0/0\n"
    )
    assert listed.err == told
    assert dead_letters.show("issuer", place) == 0
    shown = capsys.readouterr()
    assert (json.loads(shown.out)["place"], shown.err) == (place, told)
    assert dead_letters.send_again("issuer", dry_run=True) == 0
    sent = capsys.readouterr()
    assert (sent.out, sent.err) == (f"would be sent to issuer-evidence: {place}\n", told)


def test_of_many_records_that_are_no_letters_the_first_are_named_and_all_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dead_letters, "_records", Aside([b"{"] * 1000, []).records)
    monkeypatch.setattr(dead_letters, "store_settings", SimpleNamespace)
    assert dead_letters.list_letters("issuer", as_json=True) == 0
    told = capsys.readouterr().err
    assert told.startswith("bowerbird: records that cannot be read are left out (1000): dead-letters.issuer.v1/0/0, ")
    assert told.endswith(" dead-letters.issuer.v1/0/19, …\n")
