"""The board of processes, their HTTP edge, and verifying."""

from typing import Final

from deploy.monitoring.panels import Board, Panel, Row, quantiles

_ASKED: Final = '{route!~"/health/.*"}'

_EDGE: Final = Row(
    "At the edge",
    (
        Panel(
            "requests",
            "Requests",
            "Answered, a second, by status; health is left out.",
            "reqps",
            (
                (
                    f"sum by (service, status) (rate(bowerbird_http_requests_total{_ASKED}[1m]))",
                    "{{service}} {{status}}",
                ),
            ),
        ),
        Panel(
            "http-errors",
            "Errors of ours",
            "Share of requests that ended in 500 and above; health is left out.",
            "percentunit",
            (
                (
                    (
                        'sum by (service) (rate(bowerbird_http_requests_total{route!~"/health/.*",status=~"5.."}[5m])) '
                        f"/ (sum by (service) (rate(bowerbird_http_requests_total{_ASKED}[5m])) > 0)"
                    ),
                    "{{service}}",
                ),
            ),
        ),
        Panel(
            "http-seconds",
            "Time to answer",
            "The slowest request in a hundred, by route.",
            "s",
            (
                (
                    (
                        "histogram_quantile(0.99, sum by (le, service, route) "
                        f"(rate(bowerbird_http_request_seconds_bucket{_ASKED}[5m]))) >= 0"
                    ),
                    "{{service}} {{route}}",
                ),
            ),
        ),
        Panel(
            "edge-refused",
            "Refused at the edge",
            "Requests and connections that a limit refused or cut off, a second.",
            "reqps",
            (("sum by (service, reason) (rate(bowerbird_http_refused_total[10m]))", "{{service}} {{reason}}"),),
        ),
        Panel(
            "access-refused",
            "Access refused",
            "Refusals a second, and records about access that nobody of ours signed.",
            "ops",
            (
                ("sum by (service, reason) (rate(bowerbird_access_refused_total[10m]))", "{{service}} {{reason}}"),
                ("sum by (service) (rate(bowerbird_access_forged_total[10m]))", "{{service}} forged"),
            ),
        ),
        Panel(
            "access-keys",
            "API keys",
            "Keys that a process knows and that have not ended; all processes should know as many.",
            "short",
            (("max by (service) (bowerbird_access_keys)", "{{service}}"),),
        ),
    ),
)

_VERIFYING: Final = Row(
    "Verifying",
    (
        Panel(
            "verdicts",
            "Verdicts",
            "Credentials verified, a second.",
            "ops",
            (("sum by (verdict) (rate(bowerbird_verifications_total[1m]))", "{{verdict}}"),),
        ),
        Panel(
            "checks",
            "Checks that failed or could not be made",
            "By name, a second.",
            "ops",
            (
                (
                    'sum by (check, outcome) (rate(bowerbird_verification_checks_total{outcome!="pass"}[5m]))',
                    "{{check}} {{outcome}}",
                ),
            ),
        ),
        Panel(
            "verification-seconds",
            "Time to verify",
            "Looking up and verifying one credential.",
            "s",
            quantiles("bowerbird_verification_seconds"),
        ),
        Panel(
            "workers",
            "Workers: refused and ended",
            "Jobs refused because too many waited, ended at a limit, and answered unread since they were too costly "
            "before, a second.",
            "ops",
            (
                ("sum by (service) (rate(bowerbird_jobs_refused_total[10m]))", "{{service}} refused"),
                ("sum by (service, limit) (rate(bowerbird_jobs_ended_total[10m]))", "{{service}} ended: {{limit}}"),
                ("sum(rate(bowerbird_verifications_remembered_total[10m]))", "known to be costly"),
            ),
        ),
        Panel(
            "jobs",
            "Workers: jobs in flight",
            "In a worker, or waiting for one.",
            "short",
            (("sum by (service) (bowerbird_jobs_in_flight)", "{{service}}"),),
        ),
        Panel(
            "workers-started",
            "Workers started",
            "Each job that was ended takes its worker with it.",
            "short",
            (("sum by (service) (increase(bowerbird_workers_started_total[10m]))", "{{service}}"),),
        ),
    ),
)

_PROCESSES: Final = Row(
    "Processes",
    (
        Panel(
            "starts",
            "Starts in 15 minutes",
            "How often each process was started anew.",
            "short",
            (('changes(process_start_time_seconds{job="bowerbird"}[15m])', "{{service}} {{instance}}"),),
        ),
        Panel(
            "versions",
            "Versions that run",
            "Processes by version; two only while they are upgraded.",
            "short",
            (("count by (version, commit) (bowerbird_build_info)", "{{version}} {{commit}}"),),
        ),
        Panel(
            "clock",
            "Clocks apart",
            "How far a machine's clock is off another's, either way.",
            "s",
            (("max by (service, of) (abs(bowerbird_clock_ahead_seconds))", "{{service}} and {{of}}"),),
        ),
        Panel(
            "reloads",
            "Read anew on SIGHUP",
            "Parts, by outcome; in an hour.",
            "short",
            (("sum by (service, outcome) (increase(bowerbird_reloads_total[1h]))", "{{service}} {{outcome}}"),),
        ),
        Panel(
            "log-lost",
            "Log lines that were not written",
            "In ten minutes.",
            "short",
            (("sum by (service) (increase(bowerbird_log_lines_lost_total[10m]))", "{{service}} lost"),),
        ),
        Panel(
            "log-left-out",
            "Log lines of client libraries left out",
            "Beyond so many a minute; in ten minutes.",
            "short",
            (
                (
                    "sum by (service, library) (increase(bowerbird_log_lines_left_out_total[10m]))",
                    "{{service}} {{library}}",
                ),
            ),
        ),
        Panel(
            "stalls",
            "Stalls of event loops",
            "The longest time in the last minute for which a process did nothing else.",
            "s",
            (("max by (service) (bowerbird_event_loop_longest_stall_seconds)", "{{service}}"),),
        ),
        Panel(
            "stall-share",
            "Stalls: the slowest in a hundred",
            "By how much event loops came too late to look at the network.",
            "s",
            quantiles("bowerbird_event_loop_stall_seconds", "service"),
        ),
        Panel(
            "processor",
            "Processor",
            "Processors in use.",
            "short",
            (('sum by (service) (rate(process_cpu_seconds_total{job="bowerbird"}[1m]))', "{{service}}"),),
        ),
        Panel(
            "memory",
            "Memory",
            "Resident.",
            "bytes",
            (('sum by (service) (process_resident_memory_bytes{job="bowerbird"})', "{{service}}"),),
        ),
    ),
)

EDGE: Final = Board("edge", "Bowerbird: edge, verifying, processes", (_EDGE, _VERIFYING, _PROCESSES))
