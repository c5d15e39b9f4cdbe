"""The board of the stores and the machine, as their exporters see them, and of the monitoring itself."""

from typing import Final

from deploy.monitoring.panels import Board, Panel, Row

_DISKS: Final = '{fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660"}'

_MONGODB: Final = Row(
    "MongoDB",
    (
        Panel(
            "mongodb-up",
            "MongoDB answers",
            "1 where it answers its exporter.",
            "short",
            (("mongodb_up", "{{instance}}"),),
            "stat",
        ),
        Panel(
            "mongodb-members",
            "Members of the replica set",
            "Their states: 1 is the primary, 2 a secondary, 8 one that is away.",
            "short",
            (("mongodb_rs_members_state", "{{member_idx}}"),),
        ),
        Panel(
            "mongodb-connections",
            "Connections in use",
            "Of all that MongoDB takes.",
            "percentunit",
            (
                (
                    (
                        'sum(mongodb_ss_connections{conn_type="current"}) '
                        '/ sum(mongodb_ss_connections{conn_type=~"current|available"})'
                    ),
                    "in use",
                ),
            ),
        ),
    ),
)

_KAFKA: Final = Row(
    "Kafka",
    (
        Panel(
            "kafka-brokers", "Brokers", "That answer the exporter.", "short", (("kafka_brokers", "brokers"),), "stat"
        ),
        Panel(
            "kafka-partitions",
            "Partitions in trouble",
            "Without a leader, and with fewer copies than they should have.",
            "short",
            (
                ("sum(kafka_topic_partitions) - count(kafka_topic_partition_leader >= 0)", "no leader"),
                ("sum(kafka_topic_partition_under_replicated_partition)", "too few copies"),
            ),
        ),
        Panel(
            "group-members",
            "Members of consumer groups",
            "Nobody reads where it is 0.",
            "short",
            (("kafka_consumergroup_members", "{{consumergroup}}"),),
        ),
        Panel(
            "group-lag",
            "Lag by the broker's own count",
            "Beside what the services say themselves.",
            "short",
            (("sum by (consumergroup) (kafka_consumergroup_lag)", "{{consumergroup}}"),),
        ),
    ),
)

_MACHINE: Final = Row(
    "Machine, certificates, monitoring",
    (
        Panel(
            "disk",
            "Disks: free",
            "Share of each disk.",
            "percentunit",
            ((f"node_filesystem_avail_bytes{_DISKS} / node_filesystem_size_bytes{_DISKS}", "{{mountpoint}}"),),
        ),
        Panel(
            "certificates",
            "Certificates: time left",
            "Of each address that is asked.",
            "s",
            (
                ("probe_ssl_earliest_cert_expiry - time()", "{{instance}}"),
                ("bowerbird_certificate_ends_timestamp_seconds - time()", "{{service}}: {{of}}"),
            ),
        ),
        Panel(
            "exporters-up",
            "Exporters answer",
            "1 where Prometheus gets an answer.",
            "short",
            (('up{job!="bowerbird"}', "{{job}} {{instance}}"),),
        ),
        Panel(
            "notifications",
            "Alerts that did not get through",
            "Dropped by Prometheus, not delivered by Alertmanager, rules that could not be evaluated; in ten minutes.",
            "short",
            (
                ("sum(increase(prometheus_notifications_dropped_total[10m]))", "dropped"),
                ("sum(increase(alertmanager_notifications_failed_total[10m]))", "not delivered"),
                ("sum(increase(prometheus_rule_evaluation_failures_total[10m]))", "rules"),
                ("max(prometheus_notifications_alertmanagers_discovered)", "Alertmanagers"),
            ),
        ),
    ),
)

STORES: Final = Board("stores", "Bowerbird: stores, machine, monitoring", (_MONGODB, _KAFKA, _MACHINE))
