"""Alerts about the processes of the services and their HTTP edge."""

from typing import Final

from deploy.monitoring.alert import Alert

_NAMES: Final = ("evidence", "issuer", "verifier", "notifier")
# Health routes answer 503 by design while a service starts; metrics are on another port.
_ASKED: Final = '{route!~"/health/.*"}'
_FAILED: Final = '{route!~"/health/.*",status=~"5.."}'

SERVICES: Final = (
    Alert(
        name="BowerbirdServiceDown",
        expression='up{job="bowerbird"} == 0',
        holds="2m",
        severity="page",
        panel="services-up",
        summary="{{ $labels.service }} at {{ $labels.instance }} does not answer",
        description="Nothing is lost: what it would take waits in Kafka, or is refused to its sender, who tries again. "
        "Look at the service's log and start it again.",
    ),
    Alert(
        name="BowerbirdServiceMissing",
        expression=" or ".join(f'absent(up{{job="bowerbird",service="{name}"}})' for name in _NAMES),
        holds="2m",
        severity="page",
        panel="services-up",
        summary="Prometheus asks no {{ $labels.service }} any more",
        description="No process of this service is among the targets, so no other alert can tell how it is. Look at "
        "the targets of Prometheus and at whether the service runs.",
    ),
    Alert(
        name="BowerbirdCrashLoop",
        expression='changes(process_start_time_seconds{job="bowerbird"}[15m]) > {threshold}',
        threshold=2,
        severity="page",
        panel="starts",
        summary="{{ $labels.service }} at {{ $labels.instance }} started {{ $value | humanize }} times in 15 minutes",
        description="It ends soon after each start, so between two questions of Prometheus it may look well. The last "
        "lines of its log before each start say why it ends.",
    ),
    Alert(
        name="BowerbirdClockOff",
        expression="max by (service, of) (abs(bowerbird_clock_ahead_seconds)) > {threshold}",
        # Not a time to wait for: trials that shorten all times leave it as it is.
        threshold=5,
        holds="2m",
        severity="page",
        panel="clock",
        summary="The clocks of {{ $labels.service }} and {{ $labels.of }} differ by {{ $value | humanizeDuration }}",
        description="Where half of the others (the database, each broker) are further away than "
        "BOWERBIRD_CLOCK_TOLERANCE_SECONDS (10 s), nothing is decided, signed or taken in. Set the clocks of the "
        "machines right.",
    ),
    Alert(
        name="BowerbirdReloadFails",
        expression='sum by (service) (increase(bowerbird_reloads_total{outcome="failed"}[1h])) > {threshold}',
        threshold=0,
        severity="ticket",
        panel="reloads",
        summary="{{ $labels.service }} could not read {{ $value | humanize }} parts anew on SIGHUP",
        description="It goes on with what it had. The log names the file and says what is wrong with it.",
    ),
    Alert(
        name="BowerbirdLogLinesLost",
        expression="sum by (service) (increase(bowerbird_log_lines_lost_total[10m])) > {threshold}",
        threshold=0,
        severity="ticket",
        panel="log-lost",
        summary="{{ $labels.service }} could not write {{ $value | humanize }} lines of its log",
        description="The service goes on. Its disk is full, or whatever reads its log does not: what happens "
        "meanwhile can't be looked up later.",
    ),
    Alert(
        name="BowerbirdHttpErrors",
        expression=f"sum by (service) (rate(bowerbird_http_requests_total{_FAILED}[5m])) "
        f"/ sum by (service) (rate(bowerbird_http_requests_total{_ASKED}[5m])) > {{threshold}} "
        f"and sum by (service) (increase(bowerbird_http_requests_total{_FAILED}[5m])) > 5",
        threshold=0.02,
        holds="5m",
        severity="ticket",
        panel="http-errors",
        summary="{{ $labels.service }} answers {{ $value | humanizePercentage }} of its requests with an error of ours",
        description="The service's log has one line for each, with the trace id that the answer carried.",
    ),
    Alert(
        name="BowerbirdEdgeRefuses",
        expression="sum by (service, reason) (rate(bowerbird_http_refused_total[10m])) > {threshold}",
        threshold=1,
        holds="15m",
        severity="ticket",
        panel="edge-refused",
        summary="{{ $labels.service }} refuses {{ $value | humanize }} requests a second ({{ $labels.reason }})",
        description="Somebody floods it, or a limit is too narrow for how it is used: a whole school behind one "
        "address (BOWERBIRD_RATE_PER_ADDRESS), or a proxy that is not named in BOWERBIRD_TRUSTED_PROXIES, so that all "
        "clients count as one. The log of the proxy names the addresses.",
    ),
    Alert(
        name="BowerbirdLoopStalls",
        expression="max by (service) (bowerbird_event_loop_longest_stall_seconds) > {threshold}",
        threshold=0.5,
        holds="10m",
        severity="ticket",
        panel="stalls",
        summary="{{ $labels.service }} stood still for {{ $value | humanizeDuration }}",
        description="The machine has too few processors for what runs on it, or something computes where it must not; "
        "everything that the process serves waited meanwhile.",
    ),
    Alert(
        name="BowerbirdWorkersBusy",
        expression="sum by (service) (rate(bowerbird_jobs_refused_total[10m])) > {threshold}",
        threshold=0,
        holds="10m",
        severity="ticket",
        panel="workers",
        summary="{{ $labels.service }} refuses documents of strangers, or pictures, since too many wait",
        description="Pages of our own badges are served all the same. Where bowerbird_jobs_ended_total rises too, "
        "somebody sends costly documents: limit their addresses at the proxy; else add a replica of the verifier.",
    ),
)
