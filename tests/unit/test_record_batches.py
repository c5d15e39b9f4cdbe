"""Records as they are published: partitions are those of Kafka's own clients, bodies what the contracts write."""

import json
from datetime import UTC, timedelta, timezone
from typing import get_args

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as of_the_client_library
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime

from libs.common.publishing import _batches, murmur2, partition_of
from libs.contracts import topics
from libs.contracts.cloudevents import Record, body_of
from libs.contracts.events import EVENTS, Event, EvidenceSubmitted, SigningKeyState
from libs.contracts.results import Result, SoloLevel
from libs.contracts.unchecked import unchecked


@given(st.binary(max_size=100))
def test_the_hash_of_a_key_is_the_client_librarys(key: bytes) -> None:
    assert murmur2(key) == of_the_client_library(key)


@given(st.binary(max_size=64), st.integers(1, 64))
def test_a_key_goes_to_the_partition_that_kafkas_clients_choose(key: bytes, partitions: int) -> None:
    everywhere = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, everywhere, everywhere)


# What pydantic's AwareDatetime stands for, which Hypothesis does not know; offsets are whole minutes (RFC 3339).
_OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_MOMENTS = st.datetimes(timezones=st.just(UTC) | _OFFSETS)


# Values as the contracts' constraints allow them, where Hypothesis does not see those.
_BY_ANNOTATION: dict[object, st.SearchStrategy[object]] = {
    AwareDatetime: _MOMENTS,
    Result: st.builds(Result, level=st.sampled_from(SoloLevel)) | st.builds(Result, score=st.floats(0, 100)),
    int: st.integers(1, 2**53),
    EvidenceSubmitted: st.deferred(lambda: events(EvidenceSubmitted)),
}
_BY_NAME: dict[str, st.SearchStrategy[object]] = {
    "key_sha256": st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    "times": st.dictionaries(st.sampled_from(get_args(SigningKeyState)), _MOMENTS),
}


def events(contract: type[Event]) -> st.SearchStrategy[Event]:
    known = {
        name: strategy
        for name, field in contract.model_fields.items()
        if (strategy := _BY_NAME.get(name, _BY_ANNOTATION.get(field.annotation))) is not None
    }
    return st.builds(contract, **known)


@given(st.one_of([events(contract) for contract in EVENTS]))
def test_the_body_of_an_event_is_what_its_contract_writes(event: Event) -> None:
    assert json.loads(body_of(event)) == json.loads(event.model_dump_json(exclude_none=True))
    assert type(event).model_validate_json(body_of(event)) == event


def test_what_the_broker_compresses_for_partners_is_sent_plain_and_all_else_as_zstd() -> None:
    for topic in topics.TOPICS:
        (batch,) = _batches(topic.name, [Record(topic.name, b"key", b"value" * 1000, [])], now=1)
        sent = DefaultRecordBatch(bytes(batch._build()))
        assert sent.compression_type == (0 if topic.for_partners else 4), topic.name
        assert [record.value for record in sent] == [b"value" * 1000]


def test_what_is_small_is_sent_plain() -> None:
    name = topics.EVIDENCE_SUBMITTED.name
    (batch,) = _batches(name, [Record(name, b"key", b"value", [])] * 100, now=1)
    assert DefaultRecordBatch(bytes(batch._build())).compression_type == 0


@given(st.one_of([events(contract) for contract in EVENTS]))
def test_an_event_made_unchecked_is_the_one_that_its_contract_makes(event: Event) -> None:
    given_values = {name: value for name, value in event.__dict__.items() if value is not None}
    made = unchecked(type(event))(**given_values)
    assert made == event
    assert (made.model_dump_json(), body_of(made)) == (event.model_dump_json(), body_of(event))
    assert type(event).model_validate_json(body_of(made)) == event
