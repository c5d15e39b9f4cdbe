"""The board of the way of an award, from evidence to mail."""

from typing import Final

from deploy.monitoring.panels import Board, Panel, Row, quantiles

_TOP: Final = Row(
    "The way of an award",
    (
        Panel(
            "services-up",
            "Services up",
            "Processes that answer Prometheus, of those that it asks.",
            "short",
            (('sum(up{job="bowerbird"})', "up"), ('count(up{job="bowerbird"})', "asked")),
            "stat",
            4,
        ),
        Panel(
            "rows-taken",
            "Rows taken",
            "Rows of evidence taken in, a second.",
            "ops",
            (('sum(rate(bowerbird_evidence_rows_total{outcome="taken"}[1m]))', "taken"),),
            "stat",
            4,
        ),
        Panel(
            "issued",
            "Credentials issued",
            "Decisions that ended in a credential, a second.",
            "ops",
            (('sum(rate(bowerbird_issuer_decisions_total{outcome="issued"}[1m]))', "issued"),),
            "stat",
            4,
        ),
        Panel(
            "mails-sent",
            "Mails sent",
            "Mails that the mail server took over, a second.",
            "ops",
            (('sum(rate(bowerbird_notifier_deliveries_total{outcome="sent"}[1m]))', "sent"),),
            "stat",
            4,
        ),
        Panel(
            "delay",
            "Evidence to decision",
            "From taking evidence in to its decision: the middle one, and the slowest in a hundred, of what comes by "
            "itself or in small files (ordinary) and of large files (bulk).",
            "s",
            quantiles("bowerbird_issuer_decision_delay_seconds", by="lane"),
            "stat",
            4,
        ),
        Panel(
            "waiting",
            "Evidence that waits",
            "Pieces that wait for their issuer or achievement to be published.",
            "short",
            (("max(bowerbird_issuer_waiting_pieces)", "waiting"),),
            "stat",
            4,
        ),
        Panel(
            "parked",
            "Evidence that is parked",
            "Pieces that wait since nothing can be signed for their issuer, or of their achievement.",
            "short",
            (("max by (issuer, reason) (bowerbird_issuer_parked_pieces)", "{{issuer}} {{reason}}"),),
        ),
        Panel(
            "decisions",
            "Decisions by outcome",
            "What became of evidence, a second, and the awards that came with it and stack on others.",
            "ops",
            (
                ("sum by (outcome) (rate(bowerbird_issuer_decisions_total[1m]))", "{{outcome}}"),
                ("sum(rate(bowerbird_issuer_stacked_awards_total[1m]))", "stacked awards"),
            ),
        ),
        Panel(
            "rows",
            "Rows at ingestion by outcome",
            "Taken, or the reason why not, a second.",
            "ops",
            (("sum by (outcome) (rate(bowerbird_evidence_rows_total[1m]))", "{{outcome}}"),),
        ),
        Panel(
            "events",
            "Events published",
            "Confirmed by the broker, a second.",
            "ops",
            (("sum by (type) (rate(bowerbird_events_published_total[1m]))", "{{type}}"),),
        ),
        Panel(
            "uploads",
            "Uploads by how they ended",
            "Files of evidence, a second.",
            "ops",
            (("sum by (end) (rate(bowerbird_evidence_uploads_total[5m]))", "{{end}}"),),
        ),
        Panel(
            "upload-bytes",
            "Bytes of uploads",
            "As they came in, before unpacking.",
            "Bps",
            (("sum(rate(bowerbird_evidence_bytes_total[1m]))", "evidence"),),
        ),
        Panel(
            "announcement",
            "Announcing a credential",
            "From recording it to the broker's confirmation.",
            "s",
            quantiles("bowerbird_issuer_announcement_seconds"),
        ),
        Panel(
            "signing",
            "Signing one credential",
            "Preparing and signing, without the database.",
            "s",
            quantiles("bowerbird_issuer_signing_seconds"),
        ),
        Panel(
            "conflicts",
            "Batches decided again",
            "Part of them was recorded, by another worker or before a crash.",
            "ops",
            (("sum(rate(bowerbird_issuer_record_conflicts_total[5m]))", "again"),),
        ),
        Panel(
            "closing",
            "Revocations and take-downs",
            "Commands by what became of them, a second.",
            "ops",
            (
                ("sum by (outcome) (rate(bowerbird_issuer_revocations_total[5m]))", "{{outcome}}"),
                ("sum(rate(bowerbird_issuer_take_downs_total[5m]))", "taken down"),
            ),
        ),
        Panel(
            "waiting-commands",
            "Commands without their credential",
            "To revoke or take down what is not in the database; they wait until it is.",
            "short",
            (("max(bowerbird_issuer_waiting_commands)", "waiting"),),
        ),
        Panel(
            "waiting-commands-age",
            "Longest wait of a command",
            "Of those that wait for their credential.",
            "s",
            (("max(bowerbird_issuer_waiting_commands_oldest_seconds)", "oldest"),),
        ),
    ),
)

_CONSUMERS: Final = Row(
    "Consumers",
    (
        Panel(
            "lag-records",
            "Lag in records",
            "Records that are on the topics and not yet done.",
            "short",
            (("sum by (consumer, topic) (bowerbird_consumer_lag_records)", "{{consumer}} {{topic}}"),),
        ),
        Panel(
            "lag-seconds",
            "Lag in time",
            "Age of the oldest record in the batch in flight.",
            "s",
            (("max by (consumer) (bowerbird_consumer_lag_seconds)", "{{consumer}}"),),
        ),
        Panel(
            "last-fetch",
            "Without an answer",
            "Time since brokers last answered a consumer about the partition that waits longest; a second while all is "
            "well.",
            "s",
            (
                (
                    "max by (consumer) (time() - bowerbird_consumer_last_fetch_timestamp_seconds)",
                    "{{consumer}}",
                ),
            ),
        ),
        Panel(
            "records",
            "Records by outcome",
            "What consumers made of records, a second.",
            "ops",
            (("sum by (consumer, outcome) (rate(bowerbird_consumer_records_total[1m]))", "{{consumer}} {{outcome}}"),),
        ),
        Panel(
            "dead-letters",
            "Dead letters",
            "Records set aside in the last hour, and sent again.",
            "short",
            (
                (
                    'sum by (consumer) (increase(bowerbird_consumer_records_total{outcome="dead_letter"}[1h]))',
                    "{{consumer}}",
                ),
                ("sum by (consumer) (increase(bowerbird_consumer_sent_again_total[1h]))", "{{consumer}} sent again"),
            ),
        ),
        Panel(
            "assigned",
            "Partitions that are nobody's",
            "Of the topics that a consumer group reads; 0 while all is well.",
            "short",
            (("max by (consumer) (bowerbird_consumer_unassigned_partitions)", "{{consumer}}"),),
        ),
        Panel(
            "fetched",
            "Partitions fetched",
            "By each consumer, over all its processes.",
            "short",
            (("sum by (consumer) (bowerbird_consumer_assigned_partitions)", "{{consumer}}"),),
        ),
        Panel(
            "read-again",
            "Records read again",
            "In ten minutes: a few after a kill; many where a database was set back to an earlier moment.",
            "short",
            (("sum by (consumer) (increase(bowerbird_consumer_records_read_again_total[10m]))", "{{consumer}}"),),
        ),
        Panel(
            "retries",
            "Attempts repeated",
            "Because something was unavailable, a second.",
            "ops",
            (("sum by (consumer) (rate(bowerbird_consumer_retries_total[5m]))", "{{consumer}}"),),
        ),
        Panel(
            "batch-seconds",
            "Time of a batch",
            "From taking a batch to committing its offsets.",
            "s",
            quantiles("bowerbird_consumer_batch_seconds", "consumer"),
        ),
        Panel(
            "batch-records",
            "Records in a batch",
            "On average.",
            "short",
            (
                (
                    (
                        "sum by (consumer) (rate(bowerbird_consumer_batch_records_sum[5m])) "
                        "/ (sum by (consumer) (rate(bowerbird_consumer_batch_records_count[5m])) > 0)"
                    ),
                    "{{consumer}}",
                ),
            ),
        ),
    ),
)

_CANARY: Final = Row(
    "The synthetic learner",
    (
        Panel(
            "canary-age",
            "Since the last one",
            "How long ago a synthetic learner came to each stage; one is sent every minute.",
            "s",
            (("time() - max by (stage) (bowerbird_canary_last_seen_timestamp_seconds)", "{{stage}}"),),
        ),
        Panel(
            "canary-seconds",
            "How long it takes",
            "From sending it to each stage, on average.",
            "s",
            (
                (
                    (
                        "sum by (stage) (rate(bowerbird_canary_seconds_sum[15m])) "
                        "/ (sum by (stage) (rate(bowerbird_canary_seconds_count[15m])) > 0)"
                    ),
                    "{{stage}}",
                ),
            ),
        ),
        Panel(
            "canaries",
            "How many come through",
            "To each stage, in half an hour: as many as were sent.",
            "short",
            (("sum by (stage) (increase(bowerbird_canary_seconds_count[30m]))", "{{stage}}"),),
        ),
    ),
)

AWARD: Final = Board("award", "Bowerbird: the way of an award", (_TOP, _CONSUMERS, _CANARY))
