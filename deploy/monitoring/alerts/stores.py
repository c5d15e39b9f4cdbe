"""Alerts about the stores and the machine, from what their exporters say."""

from typing import Final

from deploy.monitoring.alert import Alert

# In the one of a fence there is nobody: it only keeps an offset.
_GROUPS: Final = '{consumergroup=~"(evidence|issuer|verifier|notifier)-.*",consumergroup!~".*-fence"}'
_DISKS: Final = '{fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660"}'
_FREE: Final = f"node_filesystem_avail_bytes{_DISKS} / node_filesystem_size_bytes{_DISKS}"

STORES: Final = (
    Alert(
        name="BowerbirdMongoDown",
        expression="mongodb_up == 0 or absent(mongodb_up)",
        holds="2m",
        severity="page",
        panel="mongodb-up",
        summary="MongoDB does not answer its exporter",
        description="All services wait for it; nothing is lost, and nothing is decided or shown. Look at its log and "
        "its disk.",
    ),
    Alert(
        name="BowerbirdMongoNoPrimary",
        expression="count(mongodb_rs_members_state == 1) != 1 or absent(mongodb_rs_members_state == 1)",
        holds="2m",
        severity="page",
        panel="mongodb-members",
        summary="The replica set of MongoDB has no primary, or two",
        description="Nothing can be written without one. Look at which members are away; a set of three needs two.",
    ),
    Alert(
        name="BowerbirdMongoConnections",
        expression='sum(mongodb_ss_connections{conn_type="current"}) '
        '/ sum(mongodb_ss_connections{conn_type=~"current|available"}) > {threshold}',
        threshold=0.8,
        holds="10m",
        severity="ticket",
        panel="mongodb-connections",
        summary="{{ $value | humanizePercentage }} of the connections that MongoDB takes are in use",
        description="When none is left, services wait. Each process of a service holds up to a hundred: look for what "
        "else is connected, or raise the limit of open files of mongod.",
    ),
    Alert(
        name="BowerbirdKafkaDown",
        expression="kafka_brokers == 0 or absent(kafka_brokers)",
        holds="2m",
        severity="page",
        panel="kafka-brokers",
        summary="No broker of Kafka answers its exporter",
        description="Uploads are refused and consumers wait; nothing is lost. Look at the broker's log and its disk.",
    ),
    Alert(
        name="BowerbirdKafkaOffline",
        expression="sum(kafka_topic_partitions) - count(kafka_topic_partition_leader >= 0) > {threshold}",
        threshold=0,
        holds="5m",
        severity="page",
        panel="kafka-partitions",
        summary="{{ $value | humanize }} partitions of Kafka have no leader",
        description="What belongs on them can be neither written nor read until a broker that has them is back.",
    ),
    Alert(
        name="BowerbirdKafkaUnderReplicated",
        expression="sum(kafka_topic_partition_under_replicated_partition) > {threshold}",
        threshold=0,
        holds="10m",
        severity="ticket",
        panel="kafka-partitions",
        summary="{{ $value | humanize }} partitions of Kafka have fewer copies than they should",
        description="A broker is away or does not keep up. One more loss may stop writing, or lose what was confirmed.",
    ),
    Alert(
        name="BowerbirdConsumerGroupEmpty",
        expression=f"kafka_consumergroup_members{_GROUPS} == 0",
        holds="5m",
        severity="page",
        panel="group-members",
        summary="Nobody reads in the consumer group {{ $labels.consumergroup }}",
        description="The service runs without this consumer, or does not run, or lost its assignment. Restart it: it "
        "goes on where it was.",
    ),
    Alert(
        name="BowerbirdDiskLow",
        expression=f"{_FREE} < {{threshold}} or predict_linear(node_filesystem_avail_bytes{_DISKS}[6h], 86400) < 0",
        threshold=0.15,
        holds="30m",
        severity="ticket",
        panel="disk",
        summary="The disk at {{ $labels.mountpoint }} is nearly full, or will be within a day",
        description="A store whose disk is full stops; nothing is lost, and all waits. Make room or give it more.",
    ),
    Alert(
        name="BowerbirdDiskFull",
        expression=f"{_FREE} < {{threshold}}",
        threshold=0.05,
        holds="5m",
        severity="page",
        panel="disk",
        summary="The disk at {{ $labels.mountpoint }} has {{ $value | humanizePercentage }} left",
        description="MongoDB and Kafka stop when nothing is left. Make room now; services go on by themselves.",
    ),
    Alert(
        name="BowerbirdCertificateEnds",
        expression="probe_ssl_earliest_cert_expiry - time() < {threshold} "
        "or bowerbird_certificate_ends_timestamp_seconds - time() < {threshold}",
        threshold=14 * 86400,
        is_time=True,
        holds="1h",
        severity="ticket",
        panel="certificates",
        summary="The certificate of {{ $labels.of }}{{ if $labels.of }} at {{ end }}{{ $labels.instance }} ends in "
        "{{ $value | humanizeDuration }}",
        description="After that no client connects to it. Renew it, and let the services read the new one.",
    ),
)
