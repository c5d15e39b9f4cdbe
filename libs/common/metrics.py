"""Prometheus metrics that every service has; label values come from our own code, never from input."""

from collections.abc import Iterable
from itertools import product

from prometheus_client import Counter, Gauge, Histogram

BATCH_RECORDS = Histogram(
    "bowerbird_consumer_batch_records",
    "Records taken in one batch",
    ["consumer"],
    buckets=(1, 5, 10, 50, 100, 250, 500, 1000, 5000),
)
BATCH_SECONDS = Histogram(
    "bowerbird_consumer_batch_seconds",
    "Time from taking a batch to committing its offsets",
    ["consumer"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
RECORDS = Counter("bowerbird_consumer_records", "Records by what became of them", ["consumer", "outcome"])
REREAD = Counter(
    "bowerbird_consumer_records_read_again",
    "Records below the group's committed offset that are read again, as the database does not know that they were read",
    ["consumer"],
)
RETRIES = Counter("bowerbird_consumer_retries", "Attempts repeated because something was unavailable", ["consumer"])
SENT_AGAIN = Counter("bowerbird_consumer_sent_again", "Dead letters taken again, as operators asked", ["consumer"])
LAG_RECORDS = Gauge(
    "bowerbird_consumer_lag_records", "Records not yet committed, by partition", ["consumer", "topic", "partition"]
)
LAG_SECONDS = Gauge("bowerbird_consumer_lag_seconds", "Age of the oldest record in the batch in flight", ["consumer"])
LAST_FETCH = Gauge(
    "bowerbird_consumer_last_fetch_timestamp_seconds",
    "When brokers last answered about the partition that has had no answer for longest, in seconds since 1970; until "
    "the first answer the moment of the start, or of the assignment",
    ["consumer"],
)
ASSIGNED = Gauge("bowerbird_consumer_assigned_partitions", "Partitions that the consumer fetches", ["consumer"])
UNASSIGNED = Gauge(
    "bowerbird_consumer_unassigned_partitions", "Partitions that no member of the group was given", ["consumer"]
)
PUBLISHED = Counter("bowerbird_events_published", "Events confirmed by the broker", ["type"])
HTTP_REQUESTS = Counter("bowerbird_http_requests", "HTTP requests by route template", ["route", "method", "status"])
HTTP_SECONDS = Histogram(
    "bowerbird_http_request_seconds",
    "Time to answer, by route template",
    ["route", "method"],
    # 0.3 and 0.5 are what is promised (deploy/monitoring/slos.py).
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 60),
)
HTTP_REFUSED = Counter(
    "bowerbird_http_refused", "Requests and connections that the edge refused or cut off, by limit", ["reason"]
)
BUILD_INFO = Gauge("bowerbird_build_info", "Always 1; the labels say what runs", ["version", "commit", "python"])
RELOADS = Counter("bowerbird_reloads", "Parts that were read anew on SIGHUP, and those that could not be", ["outcome"])
CERTIFICATE_ENDS = Gauge(
    "bowerbird_certificate_ends_timestamp_seconds",
    "When the first certificate of a file ends, in seconds since 1970: our own for HTTPS, those trusted of stores",
    ["of"],
)
LOG_LINES_LOST = Counter("bowerbird_log_lines_lost", "Log lines that could not be written, as on a full disk")
LOG_LINES_LEFT_OUT = Counter(
    "bowerbird_log_lines_left_out", "Log lines of client libraries beyond so many a minute, by library", ["library"]
)
REFUSED_BY = (
    "answer_slow",
    "bodies_held",
    "body_slow",
    "body_too_large",
    "connections",
    "connections_of_address",
    "head_slow",
    "head_too_large",
    "malformed",
    "pieces_too_small",
    "pipelined",
    "rate_of_address",
    "rate_of_issuer",
    "rate_of_key",
)
CLOCK_AHEAD = Gauge(
    "bowerbird_clock_ahead_seconds", "How far this machine's clock is ahead of another's; negative: behind", ["of"]
)
CANARY_LAST_SEEN = Gauge(
    "bowerbird_canary_last_seen_timestamp_seconds",
    "When a synthetic learner last came to a stage on its way, in seconds since 1970",
    ["stage"],
)
CANARY_SECONDS = Histogram(
    "bowerbird_canary_seconds",
    "From sending a synthetic learner to its coming to a stage",
    ["stage"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
LOOP_STALL = Histogram(
    "bowerbird_event_loop_stall_seconds",
    "By how much the event loop came too late to look at the network",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
LOOP_LONGEST_STALL = Gauge("bowerbird_event_loop_longest_stall_seconds", "The longest of these in the last minute")


def from_zero(counter: Counter | Histogram, *values: Iterable[str]) -> None:
    """Let a counter begin at zero for each combination of its labels' values.

    What is first seen at one has no increase: an alert would miss the first of anything.
    """
    for each in product(*values):
        counter.labels(*each)


from_zero(HTTP_REFUSED, REFUSED_BY)
from_zero(RELOADS, ["done", "failed"])
from_zero(LOG_LINES_LEFT_OUT, ["aiokafka", "asyncio", "bowerbird", "pymongo", "uvicorn"])
