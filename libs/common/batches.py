"""What is logged and counted of batches of records: what became of them, which wait and why; never what they hold."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from aiokafka import ConsumerRecord
from pymongo.errors import PyMongoError

from libs.common import metrics
from libs.common.telemetry import get_logger, trace_id

OUTCOMES: Final = ("done", "dead_letter", "not_for_us", "redelivered")
"""What becomes of records."""
TRACES_LOGGED: Final = 20
_ISSUERS_LOGGED: Final = 5
_OURS: Final = ("libs.", "services.")


def start_counting(consumer: str) -> None:
    """Let the counters of a consumer begin at zero."""
    metrics.from_zero(metrics.RECORDS, [consumer], OUTCOMES)
    metrics.from_zero(metrics.RETRIES, [consumer])
    metrics.from_zero(metrics.REREAD, [consumer])
    metrics.from_zero(metrics.SENT_AGAIN, [consumer])


def account(
    consumer: str,
    records: Sequence[ConsumerRecord],
    outcomes: Mapping[str, int],
    traces: Iterable[str],
    seconds: float,
) -> None:
    """Count and log one batch that was taken: all its records, how many ended how, and the traces of those of ours."""
    metrics.BATCH_RECORDS.labels(consumer).observe(len(records))
    metrics.BATCH_SECONDS.labels(consumer).observe(seconds)
    for outcome, count in outcomes.items():
        metrics.RECORDS.labels(consumer, outcome).inc(count)
    get_logger().info(
        "batch",
        consumer=consumer,
        records=len(records),
        seconds=round(seconds, 4),
        places=places(records),
        **trace_fields(traces),
        **outcomes,
    )


def trace_fields(traces: Iterable[str]) -> dict[str, Any]:
    """Return the fields for the traces (`traceparent`) of a batch's records, in their order.

    All of them where there are no more than 20. Beyond that the first 20, how many there are, and a digest, by which
    those who read the records again can tell that they have the same ones: SHA-256 over the trace ids, each once, in
    the order of the batch, with a line feed after each.
    """
    ids = list(dict.fromkeys(map(trace_id, traces)))
    if len(ids) <= TRACES_LOGGED:
        return {"traces": ids}
    digest = hashlib.sha256("".join(f"{each}\n" for each in ids).encode()).hexdigest()
    return {"traces": ids[:TRACES_LOGGED], "traces_in_all": len(ids), "traces_sha256": digest}


def places(records: Iterable[ConsumerRecord]) -> list[str]:
    """Return where the records stand, in their order: TOPIC/PARTITION:FIRST-LAST for each partition."""
    partitions = groupby(records, lambda record: (record.topic, record.partition))
    return [
        f"{topic}/{partition}:{taken[0].offset}-{taken[-1].offset}"
        for (topic, partition), each in partitions
        if (taken := list(each))
    ]


def waiting_fields(error: Exception, records: Sequence[ConsumerRecord], issuers: Iterable[str]) -> dict[str, Any]:
    """Return the fields for records that wait because of an error: its cause, whose they are, where the first stands.

    Args:
        error: what keeps them waiting.
        records: those that wait.
        issuers: the issuer of each, where it has one; the first five different ones are named.
    """
    fields: dict[str, Any] = {"problem": type(error).__name__, "cause": _cause(error)}
    if records:
        first = records[0]
        fields |= {"topic": first.topic, "partition": first.partition, "offset": first.offset, "records": len(records)}
    whose = list(dict.fromkeys(issuers))
    if whose:
        fields |= {"issuers": whose[:_ISSUERS_LOGGED], "issuers_in_all": len(whose)}
    return fields


def _cause(error: Exception) -> str | None:
    """Return why, in words that hold nothing of a record: our own, the database's name of it, the system's."""
    if type(error).__module__.startswith(_OURS):
        return str(error)
    if isinstance(error, PyMongoError):
        name = (getattr(error, "details", None) or {}).get("codeName")
        return None if name is None else str(name)
    return error.strerror if isinstance(error, OSError) else None
