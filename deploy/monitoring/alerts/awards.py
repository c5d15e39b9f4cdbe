"""Alerts about the way from evidence to award: consumers, what they set aside, and what waits."""

from typing import Final

from deploy.monitoring.alert import Alert

_DEAD: Final = 'bowerbird_consumer_records_total{outcome="dead_letter"}'

AWARDS: Final = (
    Alert(
        name="BowerbirdConsumerBehind",
        expression="max by (consumer) (bowerbird_consumer_lag_seconds) > {threshold}",
        threshold=600,
        is_time=True,
        holds="10m",
        severity="ticket",
        panel="lag-seconds",
        summary="{{ $labels.consumer }} works on records that are {{ $value | humanizeDuration }} old",
        description="More comes in than one process takes, or a batch cannot be stored. Where its retries rise, "
        "MongoDB or Kafka is what is slow; else add replicas of the service, up to one for each partition.",
    ),
    Alert(
        name="BowerbirdConsumerStuck",
        # By process, since another one takes what comes on its own partitions. Where brokers do not answer it, how much
        # waits is not known, or known from an earlier answer: hence the second half.
        expression="(sum by (consumer, instance) (bowerbird_consumer_lag_records) > {threshold} unless on "
        "(consumer, instance) sum by (consumer, instance) (rate(bowerbird_consumer_records_total[10m])) > 0) "
        "or time() - min by (consumer, instance) (bowerbird_consumer_last_fetch_timestamp_seconds) > 60",
        threshold=0,
        holds="10m",
        severity="page",
        panel="lag-records",
        summary="{{ $labels.consumer }} takes no records",
        description="Records wait for it, or no broker has answered it for a minute. A batch that cannot be stored is "
        "repeated, never skipped: the service's log says at which topic, partition and offset it waits, and for what.",
    ),
    Alert(
        name="BowerbirdPartitionsUnassigned",
        expression="max by (consumer) (bowerbird_consumer_unassigned_partitions) > {threshold}",
        threshold=0,
        holds="2m",
        severity="page",
        panel="assigned",
        summary="{{ $value | humanize }} partitions of {{ $labels.consumer }} are nobody's",
        description="What comes in on them waits. A process that sees this ends by itself within a minute, to take its "
        "partitions anew; where the alert stays, no process of the service runs long enough to do so.",
    ),
    Alert(
        name="BowerbirdDeadLetters",
        # The second half sees the first ones of a process that counted none before.
        expression=f"sum by (consumer) (increase({_DEAD}[1h])) > {{threshold}} "
        f"or (sum by (consumer) ({_DEAD}) > {{threshold}} unless sum by (consumer) ({_DEAD} offset 1h))",
        threshold=0,
        severity="ticket",
        panel="dead-letters",
        summary="{{ $labels.consumer }} set {{ $value | humanize }} records aside in the last hour",
        description="Each stands on the topic dead-letters.SERVICE.v1 with its reason. Fix the cause, then send them "
        "again.",
    ),
    Alert(
        name="BowerbirdRetries",
        expression="sum by (consumer) (rate(bowerbird_consumer_retries_total[5m])) > {threshold}",
        threshold=0,
        holds="10m",
        severity="ticket",
        panel="retries",
        summary="{{ $labels.consumer }} has been trying again for ten minutes",
        description="MongoDB or Kafka refuses or does not answer; records wait and nothing is lost.",
    ),
    Alert(
        name="BowerbirdEvidenceWaits",
        expression="max(bowerbird_issuer_waiting_pieces) > {threshold}",
        threshold=1000,
        holds="1h",
        severity="ticket",
        panel="waiting",
        summary="{{ $value | humanize }} pieces of evidence wait for their issuer or achievement",
        description="Schools send evidence of achievements that are not published, or of an issuer that is not there "
        "or is suspended. Each waits for its time and is then refused; the rows of the batches say which.",
    ),
    Alert(
        name="BowerbirdEvidenceParked",
        expression="max by (issuer, reason) (bowerbird_issuer_parked_pieces) > {threshold}",
        threshold=0,
        holds="2m",
        severity="page",
        panel="parked",
        summary="Nothing is signed for {{ $labels.issuer }}: {{ $labels.reason }}, {{ $value | humanize }} pieces wait",
        description="Its signing key is missing or does not open, or what was published of it cannot stand in a "
        "credential. All other issuers are served; what waits is not refused, and goes on by itself once that is put "
        "right. `bowerbird parked list` says what is wrong.",
    ),
    Alert(
        name="BowerbirdCommandsWait",
        expression="max(bowerbird_issuer_waiting_commands_oldest_seconds) > {threshold}",
        threshold=3600,
        is_time=True,
        holds="5m",
        severity="ticket",
        panel="waiting-commands-age",
        summary="A revocation has waited for its credential for {{ $value | humanizeDuration }}",
        description="The database lacks a credential that somebody has revoked or taken down: it was set back, and has "
        "not come to it again. Until then the badge may be shown as good. `bowerbird parked list` names them.",
    ),
    Alert(
        name="BowerbirdCanaryMissing",
        expression="time() - max by (stage) (bowerbird_canary_last_seen_timestamp_seconds) > {threshold}",
        threshold=300,
        is_time=True,
        holds="1m",
        severity="page",
        panel="canary-age",
        summary="No synthetic learner has been {{ $labels.stage }} for {{ $value | humanizeDuration }}",
        description="One is sent every minute through all four services, so what real learners wait for stands still "
        "as well. The first stage on its way that is old is where to look.",
    ),
    Alert(
        name="BowerbirdCanariesLost",
        # They take turns on twelve partitions: where one stands still, two or three in half an hour are missing.
        expression='sum(increase(bowerbird_canary_seconds_count{stage="sent"}[30m])) - on () group_right () '
        'sum by (stage) (increase(bowerbird_canary_seconds_count{stage!="sent"}[30m])) > {threshold}',
        threshold=1.5,
        holds="15m",
        severity="ticket",
        panel="canaries",
        summary="{{ $value | humanize }} synthetic learners of half an hour were never {{ $labels.stage }}",
        description="The stage works for some and not for others: one of its processes, or of its partitions, stands "
        "still. Look at the lag of its consumer by partition.",
    ),
)
