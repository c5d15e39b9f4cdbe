"""What the log says of a batch: where its records stand, its traces however many, and why it waits."""

import hashlib

from aiokafka import ConsumerRecord
from prometheus_client import REGISTRY
from pymongo.errors import NotPrimaryError

from libs.common.batches import OUTCOMES, places, start_counting, trace_fields, waiting_fields
from libs.common.telemetry import new_trace, trace_id


def record(partition: int, offset: int) -> ConsumerRecord:
    return ConsumerRecord("evidence.submitted.v1", partition, offset, 0, 0, b"k", b"v", None, 1, 1, ())


def test_twenty_traces_are_named() -> None:
    traces = [new_trace() for _ in range(20)]
    assert trace_fields([*traces, traces[0]]) == {"traces": [trace_id(each) for each in traces]}


def test_more_traces_are_counted_and_their_digest_can_be_made_again_from_the_records() -> None:
    traces = [new_trace() for _ in range(300)]
    fields = trace_fields(traces)
    ids = [trace_id(each) for each in traces]
    assert fields["traces"] == ids[:20]
    assert fields["traces_in_all"] == 300
    assert fields["traces_sha256"] == hashlib.sha256(("\n".join(ids) + "\n").encode()).hexdigest()
    assert trace_fields([*traces[:-1], new_trace()])["traces_sha256"] != fields["traces_sha256"]


def test_a_batch_says_where_its_records_stand() -> None:
    records = [record(3, 7), record(3, 8), record(3, 12), record(5, 0)]
    assert places(records) == ["evidence.submitted.v1/3:7-12", "evidence.submitted.v1/5:0-0"]


def test_what_waits_says_whose_it_is_where_it_stands_and_why() -> None:
    fields = waiting_fields(OSError(28, "No space left on device"), [record(3, 7), record(3, 8)], ["a", "b", "a"])
    assert fields == {
        "problem": "OSError",
        "cause": "No space left on device",
        "topic": "evidence.submitted.v1",
        "partition": 3,
        "offset": 7,
        "records": 2,
        "issuers": ["a", "b"],
        "issuers_in_all": 2,
    }


def test_a_cause_is_the_databases_name_of_it_and_nothing_that_a_record_may_hold() -> None:
    details = {"codeName": "NotWritablePrimary", "errmsg": "a@example.org"}
    fields = waiting_fields(NotPrimaryError("a@example.org", details), [record(0, 0)], [])
    assert fields["cause"] == "NotWritablePrimary"
    assert "a@example.org" not in str(fields)


def test_the_counters_of_a_consumer_begin_at_zero() -> None:
    start_counting("notifier-new")
    for outcome in OUTCOMES:
        labels = {"consumer": "notifier-new", "outcome": outcome}
        assert REGISTRY.get_sample_value("bowerbird_consumer_records_total", labels) == 0
    assert REGISTRY.get_sample_value("bowerbird_consumer_retries_total", {"consumer": "notifier-new"}) == 0
