"""Series as Prometheus would have them, and which alerts they cause: for each some that fire and some that do not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Case:
    """Series, and whether an alert fires.

    Attributes:
        alert: its name.
        at: when it is looked at, after the first sample.
        series: by name and labels, the values in promtool's notation: `0+2x10` is 0 and ten steps of 2.
        summary: what the alert says then; None where it is silent.
        labels: of the alert, besides its name and severity.
        severity: which of the alerts of this name is meant; None where there is only one.
    """

    alert: str
    at: str
    series: Mapping[str, str]
    summary: str | None
    labels: Mapping[str, str] = field(default_factory=dict)
    severity: str | None = None


def fires(
    alert: str,
    at: str,
    series: Mapping[str, str],
    summary: str,
    *,
    severity: str | None = None,
    **labels: str,
) -> Case:
    """Return a case in which the alert fires."""
    return Case(alert, at, series, summary, labels, severity)


def silent(alert: str, at: str, series: Mapping[str, str], *, severity: str | None = None) -> Case:
    """Return a case in which the alert is silent."""
    return Case(alert, at, series, None, {}, severity)


def _up(service: str, values: str) -> dict[str, str]:
    return {f'up{{job="bowerbird",service="{service}",instance="{service}:1"}}': values}


def _all_up(values: str, **others: str) -> dict[str, str]:
    every = {name: others.get(name, values) for name in ("evidence", "issuer", "verifier", "notifier")}
    return {key: value for name, each in every.items() for key, value in _up(name, each).items()}


def _requests(status: str, values: str, route: str = "/v1/batches") -> dict[str, str]:
    labels = f'service="evidence",route="{route}",method="POST",status="{status}"'
    return {f"bowerbird_http_requests_total{{{labels}}}": values}


_START: Final = 'process_start_time_seconds{job="bowerbird",service="issuer",instance="issuer:1"}'
_STARTED: Final = {"service": "issuer", "instance": "issuer:1"}
_REFUSED: Final = 'bowerbird_http_refused_total{service="verifier",reason="address_rate"}'
_AHEAD: Final = 'bowerbird_clock_ahead_seconds{service="issuer",of="MongoDB"}'
_RELOADS: Final = 'bowerbird_reloads_total{{service="issuer",outcome="{}"}}'.format
_LINES_LOST: Final = 'bowerbird_log_lines_lost_total{service="issuer"}'
_STALL: Final = 'bowerbird_event_loop_longest_stall_seconds{service="issuer"}'
_JOBS: Final = 'bowerbird_jobs_refused_total{service="verifier"}'

SERVICES: Final = (
    fires(
        "BowerbirdServiceDown",
        "3m",
        _up("issuer", "1 0x4"),
        "issuer at issuer:1 does not answer",
        job="bowerbird",
        service="issuer",
        instance="issuer:1",
    ),
    silent("BowerbirdServiceDown", "4m", _up("issuer", "1 0 1 0 1")),
    fires(
        "BowerbirdServiceMissing",
        "5m",
        _all_up("1x9", notifier="1 stale"),
        "Prometheus asks no notifier any more",
        job="bowerbird",
        service="notifier",
    ),
    # It answers nothing, but it is asked: another alert speaks of that.
    silent("BowerbirdServiceMissing", "9m", _all_up("1x9", notifier="0x9")),
    fires(
        "BowerbirdCrashLoop",
        "6m",
        {_START: "100 100 200 300 300 400 400"},
        "issuer at issuer:1 started 3 times in 15 minutes",
        **_STARTED,
        job="bowerbird",
    ),
    # A rolling restart, and another one right after it.
    silent("BowerbirdCrashLoop", "6m", {_START: "100 100 200 200 200 300 300"}),
    # Behind as well as ahead.
    fires(
        "BowerbirdClockOff",
        "5m",
        {_AHEAD: "-6x5"},
        "The clocks of issuer and MongoDB differ by 6s",
        service="issuer",
        of="MongoDB",
    ),
    silent("BowerbirdClockOff", "5m", {_AHEAD: "5x5"}),
    fires(
        "BowerbirdReloadFails",
        "20m",
        {_RELOADS("failed"): "0x10 1x10"},
        "issuer could not read 1 parts anew on SIGHUP",
        service="issuer",
    ),
    silent("BowerbirdReloadFails", "20m", {_RELOADS("failed"): "0x20", _RELOADS("done"): "0x10 3x10"}),
    fires(
        "BowerbirdLogLinesLost",
        "20m",
        {_LINES_LOST: "0x15 40x5"},
        "issuer could not write 40 lines of its log",
        service="issuer",
    ),
    silent("BowerbirdLogLinesLost", "20m", {_LINES_LOST: "40x20"}),
    fires(
        "BowerbirdHttpErrors",
        "15m",
        {**_requests("202", "0+95x15"), **_requests("500", "0+5x15")},
        "evidence answers 5% of its requests with an error of ours",
        service="evidence",
    ),
    silent("BowerbirdHttpErrors", "15m", {**_requests("202", "0+98x15"), **_requests("500", "0+2x15")}),
    # A service that starts answers 503 to whoever asks whether it is ready.
    silent(
        "BowerbirdHttpErrors", "15m", {**_requests("503", "0+60x15", "/health/ready"), **_requests("202", "0+1x15")}
    ),
    # One failed request in a quiet night.
    silent("BowerbirdHttpErrors", "15m", {**_requests("202", "0x15"), **_requests("500", "0x6 1x9")}),
    fires(
        "BowerbirdEdgeRefuses",
        "40m",
        {_REFUSED: "0+120x40"},
        "verifier refuses 2 requests a second (address_rate)",
        service="verifier",
        reason="address_rate",
    ),
    silent("BowerbirdEdgeRefuses", "40m", {_REFUSED: "0+60x40"}),
    fires("BowerbirdLoopStalls", "12m", {_STALL: "0.7x12"}, "issuer stood still for 700ms", service="issuer"),
    silent("BowerbirdLoopStalls", "12m", {_STALL: "0.5x12"}),
    fires(
        "BowerbirdWorkersBusy",
        "15m",
        {_JOBS: "0+1x15"},
        "verifier refuses documents of strangers, or pictures, since too many wait",
        service="verifier",
    ),
    silent("BowerbirdWorkersBusy", "15m", {_JOBS: "7x15"}),
)

_ISSUER: Final = "issuer-evidence"
_LAG: Final = f'bowerbird_consumer_lag_seconds{{consumer="{_ISSUER}"}}'
_LAG_RECORDS: Final = f'bowerbird_consumer_lag_records{{consumer="{_ISSUER}",topic="t",partition="0"}}'
_RECORDS: Final = f'bowerbird_consumer_records_total{{consumer="{_ISSUER}",outcome="done"}}'
_LAG_OF: Final = 'bowerbird_consumer_lag_records{{consumer="issuer-evidence",instance="{}"}}'.format
_RECORDS_OF: Final = 'bowerbird_consumer_records_total{{consumer="issuer-evidence",instance="{}"}}'.format
_FETCH_OF: Final = 'bowerbird_consumer_last_fetch_timestamp_seconds{{consumer="issuer-evidence",instance="{}"}}'.format
_SEEN: Final = 'bowerbird_canary_last_seen_timestamp_seconds{{stage="{}",instance="{}"}}'.format
_CANARIES: Final = 'bowerbird_canary_seconds_count{{stage="{}"}}'.format
_DEAD: Final = f'bowerbird_consumer_records_total{{consumer="{_ISSUER}",outcome="dead_letter"}}'
_RETRIES: Final = f'bowerbird_consumer_retries_total{{consumer="{_ISSUER}"}}'
_UNASSIGNED: Final = f'bowerbird_consumer_unassigned_partitions{{consumer="{_ISSUER}"}}'
_PARKED: Final = 'bowerbird_issuer_parked_pieces{issuer="northside",reason="signing_key_missing"}'
_WAITING: Final = "bowerbird_issuer_waiting_pieces"
_COMMAND: Final = "bowerbird_issuer_waiting_commands_oldest_seconds"

AWARDS: Final = (
    fires(
        "BowerbirdConsumerBehind",
        "30m",
        {_LAG: "60x5 0+60x25"},
        "issuer-evidence works on records that are 24m 0s old",
        consumer=_ISSUER,
    ),
    silent("BowerbirdConsumerBehind", "30m", {_LAG: "600x30"}),
    fires(
        "BowerbirdConsumerStuck",
        "25m",
        {_LAG_RECORDS: "40x25", _RECORDS: "7x25"},
        "issuer-evidence takes no records",
        consumer=_ISSUER,
    ),
    # Since its start it has taken nothing, and so counts nothing.
    fires(
        "BowerbirdConsumerStuck",
        "12m",
        {_LAG_RECORDS: "40x12"},
        "issuer-evidence takes no records",
        consumer=_ISSUER,
    ),
    silent("BowerbirdConsumerStuck", "25m", {_LAG_RECORDS: "4000x25", _RECORDS: "0+1x25"}),
    silent("BowerbirdConsumerStuck", "25m", {_LAG_RECORDS: "0x25", _RECORDS: "7x25"}),
    # Of two replicas one takes what comes on its own partitions, and the other nothing.
    fires(
        "BowerbirdConsumerStuck",
        "25m",
        {_LAG_OF("a"): "0x25", _RECORDS_OF("a"): "0+1x25", _LAG_OF("b"): "3x25", _RECORDS_OF("b"): "7x25"},
        "issuer-evidence takes no records",
        consumer=_ISSUER,
        instance="b",
    ),
    # No broker has answered since the start, or any more: how much waits is not known.
    fires(
        "BowerbirdConsumerStuck",
        "13m",
        {_FETCH_OF("a"): "0x13", _RECORDS_OF("a"): "0x13"},
        "issuer-evidence takes no records",
        consumer=_ISSUER,
        instance="a",
    ),
    fires(
        "BowerbirdConsumerStuck",
        "40m",
        {_FETCH_OF("a"): "0+60x20 1200x20", _LAG_OF("a"): "0x40", _RECORDS_OF("a"): "0+1x20 20x20"},
        "issuer-evidence takes no records",
        consumer=_ISSUER,
        instance="a",
    ),
    # Brokers are slow to answer the first time, and then there is nothing to take for long.
    silent("BowerbirdConsumerStuck", "40m", {_FETCH_OF("a"): "0x5 300+60x35", _LAG_OF("a"): "0x40"}),
    fires(
        "BowerbirdCanaryMissing",
        "7m",
        {_SEEN("decided", "a"): "0+60x10", _SEEN("verified", "a"): "0x10", _SEEN("verified", "b"): "30x10"},
        "No synthetic learner has been verified for 6m 30s",
        stage="verified",
    ),
    # One replica has its turn; the other sees none of them.
    silent("BowerbirdCanaryMissing", "10m", {_SEEN("verified", "a"): "0+60x10", _SEEN("verified", "b"): "0x10"}),
    # No alert before the threshold: a restart takes a minute or two.
    silent("BowerbirdCanaryMissing", "5m", {_SEEN("verified", "a"): "0x10"}),
    fires(
        "BowerbirdCanariesLost",
        "60m",
        {_CANARIES("sent"): "0+1x60", _CANARIES("decided"): "0+1x60", _CANARIES("returned"): "0 0+1x9 " + "9+0x50"},
        "30 synthetic learners of half an hour were never returned",
        stage="returned",
    ),
    fires(
        "BowerbirdCanariesLost",
        "84m",
        {_CANARIES("sent"): "0+1x84", _CANARIES("verified"): " ".join(str(n - n // 12) for n in range(85))},
        "3 synthetic learners of half an hour were never verified",
        stage="verified",
    ),
    silent("BowerbirdCanariesLost", "60m", {_CANARIES("sent"): "0+1x60", _CANARIES("verified"): "0 0+1x59"}),
    fires(
        "BowerbirdPartitionsUnassigned",
        "6m",
        {_UNASSIGNED: "0 3x6"},
        "3 partitions of issuer-evidence are nobody's",
        consumer=_ISSUER,
    ),
    # A rebalance takes a moment.
    silent("BowerbirdPartitionsUnassigned", "6m", {_UNASSIGNED: "0 12 0 0 12 0 0"}),
    fires(
        "BowerbirdDeadLetters",
        "30m",
        {_DEAD: "0x10 1x20"},
        "issuer-evidence set 1 records aside in the last hour",
        consumer=_ISSUER,
    ),
    # The first ones of a process whose counter begins with them.
    fires(
        "BowerbirdDeadLetters",
        "20m",
        {_DEAD: "_x9 3x11"},
        "issuer-evidence set 3 records aside in the last hour",
        consumer=_ISSUER,
    ),
    silent("BowerbirdDeadLetters", "150m", {_DEAD: "0x10 3x140"}),
    fires(
        "BowerbirdRetries",
        "20m",
        {_RETRIES: "0+12x20"},
        "issuer-evidence has been trying again for ten minutes",
        consumer=_ISSUER,
    ),
    # A primary was elected anew: some attempts were repeated, and it went on.
    silent("BowerbirdRetries", "20m", {_RETRIES: "0x5 9x15"}),
    fires(
        "BowerbirdEvidenceWaits",
        "70m",
        {_WAITING: "1500x70"},
        "1.5k pieces of evidence wait for their issuer or achievement",
    ),
    silent("BowerbirdEvidenceWaits", "70m", {_WAITING: "1000x70"}),
    # Every replica counts all of it.
    fires(
        "BowerbirdEvidenceParked",
        "10m",
        {f'{_PARKED[:-1]},instance="{each}"}}': "7x10" for each in "ab"},
        "Nothing is signed for northside: signing_key_missing, 7 pieces wait",
        issuer="northside",
        reason="signing_key_missing",
    ),
    # Put right within a minute.
    silent("BowerbirdEvidenceParked", "10m", {_PARKED: "7 _x9"}),
    fires(
        "BowerbirdCommandsWait",
        "70m",
        {_COMMAND: "0+60x75"},
        "A revocation has waited for its credential for 1h 10m 0s",
    ),
    # The evidence behind it is read within the hour.
    silent("BowerbirdCommandsWait", "70m", {_COMMAND: "0+60x60 0x10"}),
)

_OLDEST: Final = "bowerbird_notifier_oldest_due_seconds"
_RELAY: Final = "bowerbird_notifier_relay_unavailable_total"
_SENT: Final = 'bowerbird_notifier_deliveries_total{outcome="sent"}'
_PERMANENT: Final = 'bowerbird_notifier_deliveries_total{outcome="permanent"}'
_GAVE_UP: Final = 'bowerbird_notifier_deliveries_total{outcome="gave_up"}'

MAIL: Final = (
    # The server takes the connection and then says nothing: nothing is unavailable, and nothing is sent.
    fires(
        "BowerbirdMailLate",
        "30m",
        {_OLDEST: "0+60x30", _RELAY: "0x30"},
        "A mail should have gone 30m 0s ago",
    ),
    silent("BowerbirdMailLate", "30m", {_OLDEST: "900x30"}),
    fires(
        "BowerbirdMailRelayAway",
        "20m",
        {_RELAY: "0+2x20", _SENT: "5x20"},
        "The mail server took nothing for ten minutes",
    ),
    silent("BowerbirdMailRelayAway", "20m", {_RELAY: "0+2x20", _SENT: "0+9x20"}),
    fires(
        "BowerbirdMailGivenUp",
        "120m",
        {_GAVE_UP: "0+1x120", _SENT: "0+9x120"},
        "10% of the mails of the last hour were given up",
    ),
    # Refused for good at the first offer.
    fires(
        "BowerbirdMailGivenUp",
        "120m",
        {_PERMANENT: "0+1x120", _SENT: "0+9x120"},
        "10% of the mails of the last hour were given up",
    ),
    silent("BowerbirdMailGivenUp", "120m", {_GAVE_UP: "0+1x120", _SENT: "0+19x120"}),
    # All of them, but they are two.
    silent("BowerbirdMailGivenUp", "120m", {_GAVE_UP: "0x60 2x60", _SENT: "0x120"}),
)

_UNPUBLISHED: Final = "bowerbird_issuer_status_list_unpublished_seconds"


def _shown(bound: str) -> str:
    return f'bowerbird_verifier_revocation_seconds_bucket{{shown="list",le="{bound}"}}'


_GOOD: Final = 'bowerbird_verifier_registry_good_timestamp_seconds{registry="national"}'
_KEPT: Final = 'bowerbird_retention_oldest_seconds{service="issuer",kind="closing_notes"}'
_LIFE: Final = 'bowerbird_retention_life_seconds{service="issuer",kind="closing_notes"}'
_ACCESS: Final = 'bowerbird_access_refused_total{service="issuer",reason="unknown_key"}'
_FORGED: Final = 'bowerbird_access_forged_total{service="issuer"}'
_UNWRITTEN: Final = 'bowerbird_audit_failures_total{service="issuer"}'

TRUST: Final = (
    fires(
        "BowerbirdStatusListsNotRenewed",
        "120m",
        {"bowerbird_issuer_status_list_overdue_seconds": "0+60x120"},
        "A status list should have been signed again 2h 0m 0s ago",
    ),
    silent("BowerbirdStatusListsNotRenewed", "120m", {"bowerbird_issuer_status_list_overdue_seconds": "3600x120"}),
    fires(
        "BowerbirdRevocationLate",
        "5m",
        {_UNPUBLISHED: "0 10 70 130 190 250"},
        "A revocation is not seen, or was not, for up to 4m 10s",
    ),
    # All is published, and one was stored by the verifier after a minute and more.
    fires(
        "BowerbirdRevocationLate",
        "5m",
        {_UNPUBLISHED: "0x5", _shown("60.0"): "0+9x5", _shown("300.0"): "0+9x4 46", _shown("+Inf"): "0+9x4 46"},
        "A revocation is not seen, or was not, for up to 5m 0s",
    ),
    silent(
        "BowerbirdRevocationLate",
        "5m",
        {_UNPUBLISHED: "0 60 60 2 1 0", _shown("60.0"): "0+9x5", _shown("+Inf"): "0+9x5"},
    ),
    fires(
        "BowerbirdIssuerListNotRenewed",
        "120m",
        {"bowerbird_issuer_list_overdue_seconds": "0+60x120"},
        "The list of issuers should have been signed again 2h 0m 0s ago",
    ),
    silent("BowerbirdIssuerListNotRenewed", "120m", {"bowerbird_issuer_list_overdue_seconds": "3600x120"}),
    fires(
        "BowerbirdTrustedRegistryOld",
        "120m",
        {_GOOD: "0x120"},
        "The registry national was last good 2h 0m 0s ago",
        registry="national",
    ),
    silent("BowerbirdTrustedRegistryOld", "120m", {_GOOD: "0+60x120"}),
    fires(
        "BowerbirdRetentionBehind",
        "65m",
        {_KEPT: "200000x65", _LIFE: "100000x65"},
        "closing_notes are kept 1d 3h 46m 40s longer than stated",
        kind="closing_notes",
    ),
    silent("BowerbirdRetentionBehind", "65m", {_KEPT: "186400x65", _LIFE: "100000x65"}),
    fires(
        "BowerbirdAccessRefused",
        "30m",
        {_ACCESS: "0+120x30"},
        "issuer refuses access 2 times a second",
        service="issuer",
    ),
    silent("BowerbirdAccessRefused", "30m", {_ACCESS: "0+60x30"}),
    fires(
        "BowerbirdForgedGrants",
        "30m",
        {_FORGED: "0x10 1x20"},
        "issuer read 1 records about access that nobody of ours signed",
        service="issuer",
    ),
    silent("BowerbirdForgedGrants", "90m", {_FORGED: "1x90"}),
    fires(
        "BowerbirdAuditLogNotWritten",
        "20m",
        {_UNWRITTEN: "0x10 1+1x10"},
        "issuer cannot write its audit log",
        service="issuer",
    ),
    silent("BowerbirdAuditLogNotWritten", "30m", {_UNWRITTEN: "3x30"}),
)
