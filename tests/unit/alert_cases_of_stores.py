"""The same for the stores, the machine, the monitoring itself, and objectives."""

from typing import Final

from tests.unit.alert_cases import fires, silent

_MEMBERS: Final = 'mongodb_rs_members_state{{member_idx="{}"}}'.format
_DISK: Final = '{mountpoint="/data",fstype="ext4",device="/dev/vda"}'
_FREE: Final = f"node_filesystem_avail_bytes{_DISK}"
_SIZE: Final = f"node_filesystem_size_bytes{_DISK}"
_ON_DISK: Final = {"mountpoint": "/data", "fstype": "ext4", "device": "/dev/vda"}
_GROUP: Final = 'kafka_consumergroup_members{consumergroup="issuer-evidence"}'
_PARTNERS: Final = 'kafka_consumergroup_members{consumergroup="partner-north.x"}'
_LEADER: Final = 'kafka_topic_partition_leader{{topic="catalogue.v1",partition="{}"}}'.format
_COPIES: Final = 'kafka_topic_partition_under_replicated_partition{topic="catalogue.v1",partition="0"}'
_PARTITIONS: Final = 'kafka_topic_partitions{topic="catalogue.v1"}'
_CURRENT: Final = 'mongodb_ss_connections{conn_type="current"}'
_AVAILABLE: Final = 'mongodb_ss_connections{conn_type="available"}'
_ENDS: Final = 'probe_ssl_earliest_cert_expiry{instance="badges.example:443"}'
_FILE_ENDS: Final = 'bowerbird_certificate_ends_timestamp_seconds{instance="issuer:1",of="kafka"}'
_DAY: Final = 86400

STORES: Final = (
    fires("BowerbirdMongoDown", "5m", {"mongodb_up": "1 0x5"}, "MongoDB does not answer its exporter"),
    # Its exporter is not there either.
    fires("BowerbirdMongoDown", "5m", {"up": "1x5"}, "MongoDB does not answer its exporter"),
    silent("BowerbirdMongoDown", "5m", {"mongodb_up": "1x5"}),
    fires(
        "BowerbirdMongoNoPrimary",
        "5m",
        {_MEMBERS("a"): "2x5", _MEMBERS("b"): "2x5", _MEMBERS("c"): "8x5"},
        "The replica set of MongoDB has no primary, or two",
    ),
    silent("BowerbirdMongoNoPrimary", "5m", {_MEMBERS("a"): "1x5", _MEMBERS("b"): "2x5", _MEMBERS("c"): "8x5"}),
    fires(
        "BowerbirdMongoConnections",
        "15m",
        {_CURRENT: "900x15", _AVAILABLE: "100x15"},
        "90% of the connections that MongoDB takes are in use",
    ),
    silent("BowerbirdMongoConnections", "15m", {_CURRENT: "800x15", _AVAILABLE: "200x15"}),
    fires("BowerbirdKafkaDown", "5m", {"kafka_brokers": "1 0x5"}, "No broker of Kafka answers its exporter"),
    fires("BowerbirdKafkaDown", "5m", {"up": "1x5"}, "No broker of Kafka answers its exporter"),
    silent("BowerbirdKafkaDown", "5m", {"kafka_brokers": "1x5"}),
    fires(
        "BowerbirdKafkaOffline",
        "20m",
        {_PARTITIONS: "2x20", _LEADER(0): "1x20", _LEADER(1): "1 stale"},
        "1 partitions of Kafka have no leader",
    ),
    silent("BowerbirdKafkaOffline", "20m", {_PARTITIONS: "2x20", _LEADER(0): "1x20", _LEADER(1): "0x20"}),
    fires(
        "BowerbirdKafkaUnderReplicated",
        "15m",
        {_COPIES: "1x15"},
        "1 partitions of Kafka have fewer copies than they should",
    ),
    silent("BowerbirdKafkaUnderReplicated", "15m", {_COPIES: "0x15"}),
    fires(
        "BowerbirdConsumerGroupEmpty",
        "10m",
        {_GROUP: "2 0x10"},
        "Nobody reads in the consumer group issuer-evidence",
        consumergroup="issuer-evidence",
    ),
    # A partner that reads nothing just now is no trouble of ours.
    silent("BowerbirdConsumerGroupEmpty", "10m", {_PARTNERS: "0x10"}),
    # This group only keeps an offset, by which a database that was set back is recognised.
    silent("BowerbirdConsumerGroupEmpty", "10m", {'kafka_consumergroup_members{consumergroup="issuer-fence"}': "0x10"}),
    silent("BowerbirdConsumerGroupEmpty", "10m", {_GROUP: "1 0 0 1 1 0 0 1 1 1 1"}),
    fires(
        "BowerbirdDiskLow",
        "40m",
        {_FREE: "14x40", _SIZE: "100x40"},
        "The disk at /data is nearly full, or will be within a day",
        **_ON_DISK,
    ),
    # Half is free, and at this rate it is full in four hours.
    fires(
        "BowerbirdDiskLow",
        "60m",
        {_FREE: "740-4x60", _SIZE: "1000x60"},
        "The disk at /data is nearly full, or will be within a day",
        **_ON_DISK,
    ),
    silent("BowerbirdDiskLow", "40m", {_FREE: "15x40", _SIZE: "100x40"}),
    fires("BowerbirdDiskFull", "10m", {_FREE: "4x10", _SIZE: "100x10"}, "The disk at /data has 4% left", **_ON_DISK),
    silent("BowerbirdDiskFull", "10m", {_FREE: "5x10", _SIZE: "100x10"}),
    fires(
        "BowerbirdCertificateEnds",
        "70m",
        {_ENDS: f"{14 * _DAY - 1}x70"},
        "The certificate of badges.example:443 ends in 13d 22h 49m 59s",
        instance="badges.example:443",
    ),
    # As a service sees the file that it serves or trusts.
    fires(
        "BowerbirdCertificateEnds",
        "70m",
        {_FILE_ENDS: f"{14 * _DAY - 1}x70"},
        "The certificate of kafka at issuer:1 ends in 13d 22h 49m 59s",
        instance="issuer:1",
        of="kafka",
    ),
    silent("BowerbirdCertificateEnds", "70m", {_ENDS: f"{15 * _DAY}x70"}),
)

_EXPORTER: Final = 'up{{job="{}",instance="mongodb-exporter:9216"}}'.format
_NONE_LOST: Final = {
    "prometheus_notifications_dropped_total": "0x20",
    'alertmanager_notifications_failed_total{integration="email"}': "0x20",
    "prometheus_notifications_alertmanagers_discovered": "1x20",
}
_LOST: Final = "Alerts do not reach those whom they should call"

WATCHING: Final = (
    fires("BowerbirdWatchdog", "1m", {}, "Alerts are evaluated and told"),
    fires(
        "BowerbirdExporterDown",
        "10m",
        {_EXPORTER("mongodb"): "0x10"},
        "mongodb at mongodb-exporter:9216 does not answer",
        job="mongodb",
        instance="mongodb-exporter:9216",
    ),
    silent("BowerbirdExporterDown", "10m", {_EXPORTER("mongodb"): "1x10", _EXPORTER("bowerbird"): "0x10"}),
    fires(
        "BowerbirdNotificationsFail", "20m", {**_NONE_LOST, "prometheus_notifications_dropped_total": "0+1x20"}, _LOST
    ),
    fires(
        "BowerbirdNotificationsFail",
        "20m",
        {**_NONE_LOST, 'alertmanager_notifications_failed_total{integration="email"}': "0+1x20"},
        _LOST,
    ),
    fires(
        "BowerbirdNotificationsFail",
        "20m",
        {**_NONE_LOST, "prometheus_notifications_alertmanagers_discovered": "0x20"},
        _LOST,
    ),
    silent("BowerbirdNotificationsFail", "20m", _NONE_LOST),
    fires(
        "BowerbirdRulesFail",
        "20m",
        {"prometheus_rule_evaluation_failures_total": "0+3x20"},
        "Prometheus could not evaluate 30 rules in ten minutes",
    ),
    silent("BowerbirdRulesFail", "20m", {"prometheus_rule_evaluation_failures_total": "3x20"}),
)


def _intake(every: str, bad: str) -> dict[str, str]:
    """Return the series of uploads: how many there were, and how many of them ended in an error of ours."""
    labels = 'route="/v1/batches",method="POST"'
    return {
        f'bowerbird_http_requests_total{{{labels},status="503"}}': bad,
        f"bowerbird_http_request_seconds_count{{{labels}}}": every,
    }


def _histogram(name: str, limit: str, every: str, within: str) -> dict[str, str]:
    return {f"{name}_count": every, f'{name}_bucket{{le="{limit}"}}': within}


def _prompt(every: str, within: str, lane: str = "ordinary") -> dict[str, str]:
    """Return the series of decisions of a lane: how many there were, and how many within half a minute."""
    name = "bowerbird_issuer_decision_delay_seconds"
    return {f'{name}_count{{lane="{lane}"}}': every, f'{name}_bucket{{lane="{lane}",le="30.0"}}': within}


_DELAY: Final = ("bowerbird_issuer_decision_delay_seconds", "900.0")
_ANNOUNCED: Final = ("bowerbird_issuer_announcement_seconds", "2.0")
_OFFERED: Final = ("bowerbird_notifier_offer_delay_seconds", "3600.0")
_REVOKED: Final = ("bowerbird_verifier_revocation_seconds", "60.0")
_VERIFIED: Final = ("bowerbird_verification_seconds", "0.3")

OBJECTIVES: Final = (
    # 2 % of uploads fail: 20 times what may.
    fires(
        "BowerbirdIntakeFails",
        "60m",
        _intake("0+100x60", "0+2x60"),
        "2% of 'intake' fail; 0.10% may",
        severity="page",
        slo="intake",
    ),
    # 1.4 %, just below what would page in an hour; after six hours it is too much.
    silent("BowerbirdIntakeFails", "60m", _intake("0+1000x60", "0+5x60"), severity="page"),
    # In the night one upload came, and failed.
    silent("BowerbirdIntakeFails", "60m", _intake("0x30 1x30", "0x30 1x30"), severity="page"),
    # 0.4 % for a quarter of a day: nobody is called at night, and somebody looks.
    fires(
        "BowerbirdIntakeFails",
        "360m",
        _intake("0+1000x360", "0+4x360"),
        "0.4% of 'intake' fail; 0.10% may",
        severity="ticket",
        slo="intake",
    ),
    silent("BowerbirdIntakeFails", "360m", _intake("0+1000x360", "0+0.5x360"), severity="ticket"),
    fires(
        "BowerbirdDecisionsLate",
        "60m",
        _histogram(*_DELAY, "0+100x60", "0+80x60"),
        "20% of 'freshness' fail; 1.00% may",
        severity="page",
        slo="freshness",
    ),
    silent("BowerbirdDecisionsLate", "60m", _histogram(*_DELAY, "0+100x60", "0+100x60"), severity="page"),
    fires(
        "BowerbirdDecisionsLate",
        "360m",
        _histogram(*_DELAY, "0+100x360", "0+96x360"),
        "4% of 'freshness' fail; 1.00% may",
        severity="ticket",
        slo="freshness",
    ),
    silent("BowerbirdDecisionsLate", "360m", _histogram(*_DELAY, "0+1000x360", "0+995x360"), severity="ticket"),
    fires(
        "BowerbirdSmallBatchesLate",
        "60m",
        _prompt("0+100x60", "0+80x60"),
        "20% of 'promptness' fail; 1.00% may",
        severity="page",
        slo="promptness",
    ),
    # However long large files take.
    silent(
        "BowerbirdSmallBatchesLate",
        "60m",
        _prompt("0+100x60", "0+100x60") | _prompt("0+100x60", "0x60", lane="bulk"),
        severity="page",
    ),
    fires(
        "BowerbirdSmallBatchesLate",
        "360m",
        _prompt("0+100x360", "0+96x360"),
        "4% of 'promptness' fail; 1.00% may",
        severity="ticket",
        slo="promptness",
    ),
    silent("BowerbirdSmallBatchesLate", "360m", _prompt("0+1000x360", "0+995x360"), severity="ticket"),
    fires(
        "BowerbirdAnnouncementsLate",
        "60m",
        _histogram(*_ANNOUNCED, "0+100x60", "0+95x60"),
        "5% of 'announcement' fail; 0.10% may",
        severity="page",
        slo="announcement",
    ),
    silent("BowerbirdAnnouncementsLate", "60m", _histogram(*_ANNOUNCED, "0+100x60", "0+100x60"), severity="page"),
    fires(
        "BowerbirdAnnouncementsLate",
        "360m",
        _histogram(*_ANNOUNCED, "0+1000x360", "0+996x360"),
        "0.4% of 'announcement' fail; 0.10% may",
        severity="ticket",
        slo="announcement",
    ),
    silent(
        "BowerbirdAnnouncementsLate", "360m", _histogram(*_ANNOUNCED, "0+1000x360", "0+1000x360"), severity="ticket"
    ),
    fires(
        "BowerbirdVerificationFails",
        "60m",
        _histogram(*_VERIFIED, "0+100x60", "0+95x60"),
        "5% of 'verification' fail; 0.05% may",
        severity="page",
        slo="verification",
    ),
    silent("BowerbirdVerificationFails", "60m", _histogram(*_VERIFIED, "0+100x60", "0+100x60"), severity="page"),
    fires(
        "BowerbirdVerificationFails",
        "360m",
        _histogram(*_VERIFIED, "0+1000x360", "0+996x360"),
        "0.4% of 'verification' fail; 0.05% may",
        severity="ticket",
        slo="verification",
    ),
    silent("BowerbirdVerificationFails", "360m", _histogram(*_VERIFIED, "0+1000x360", "0+1000x360"), severity="ticket"),
    fires(
        "BowerbirdRevocationsSlow",
        "60m",
        _histogram(*_REVOKED, "0+100x60", "0+95x60"),
        "5% of 'revocation' fail; 0.10% may",
        severity="page",
        slo="revocation",
    ),
    silent("BowerbirdRevocationsSlow", "60m", _histogram(*_REVOKED, "0+100x60", "0+100x60"), severity="page"),
    fires(
        "BowerbirdRevocationsSlow",
        "360m",
        _histogram(*_REVOKED, "0+1000x360", "0+996x360"),
        "0.4% of 'revocation' fail; 0.10% may",
        severity="ticket",
        slo="revocation",
    ),
    silent("BowerbirdRevocationsSlow", "360m", _histogram(*_REVOKED, "0+1000x360", "0+1000x360"), severity="ticket"),
    fires(
        "BowerbirdMailSlow",
        "60m",
        _histogram(*_OFFERED, "0+100x60", "0+80x60"),
        "20% of 'mail' fail; 1.00% may",
        severity="page",
        slo="mail",
    ),
    silent("BowerbirdMailSlow", "60m", _histogram(*_OFFERED, "0+100x60", "0+100x60"), severity="page"),
    fires(
        "BowerbirdMailSlow",
        "360m",
        _histogram(*_OFFERED, "0+100x360", "0+96x360"),
        "4% of 'mail' fail; 1.00% may",
        severity="ticket",
        slo="mail",
    ),
    silent("BowerbirdMailSlow", "360m", _histogram(*_OFFERED, "0+1000x360", "0+995x360"), severity="ticket"),
)

_ADOPTED: Final = 'bowerbird_issuer_adopted_total{topic="credential.documents.v1"}'
_NOT_ADOPTED: Final = 'bowerbird_issuer_not_adopted_total{topic="credential.documents.v1"}'
_ADOPTING: Final = "bowerbird_issuer_adopting"
_MADE_ANEW: Final = "bowerbird_issuer_topics_made_anew"
_LIST_REFUSED: Final = "bowerbird_verifier_status_lists_refused_total"
_TOPIC: Final = {"topic": "credential.documents.v1"}

RECOVERY: Final = (
    fires(
        "BowerbirdMailsHeld",
        "12m",
        {"bowerbird_notifier_held": "0 12x12"},
        "12 mails wait for somebody to say whether they go",
    ),
    silent("BowerbirdMailsHeld", "12m", {"bowerbird_notifier_held": "0 12x3 0x12"}),
    # A process that restarts takes up what it lacks before it is asked for the first time.
    fires(
        "BowerbirdStoreWentBack",
        "30m",
        {_ADOPTED: "0x20 270x10"},
        "The issuer lacked 270 facts that it had published (credential.documents.v1)",
        **_TOPIC,
    ),
    fires(
        "BowerbirdStoreWentBack",
        "20m",
        {_ADOPTED: "_x10 270x10"},
        "The issuer lacked 270 facts that it had published (credential.documents.v1)",
        **_TOPIC,
    ),
    silent("BowerbirdStoreWentBack", "130m", {_ADOPTED: "270x130"}),
    fires(
        "BowerbirdNotAdopted",
        "30m",
        {_NOT_ADOPTED: "0x20 3x10"},
        "3 published facts cannot be taken up (credential.documents.v1)",
        **_TOPIC,
    ),
    silent("BowerbirdNotAdopted", "30m", {_NOT_ADOPTED: "0x30"}),
    fires(
        "BowerbirdAdopting",
        "20m",
        {_ADOPTING: "1x20"},
        "The issuer has been taking up what was published for 15 minutes, and decides nothing meanwhile",
    ),
    silent("BowerbirdAdopting", "30m", {_ADOPTING: "1x14 0x15"}),
    fires(
        "BowerbirdTopicsMadeAnew",
        "3m",
        {_MADE_ANEW: "0 2x5"},
        "2 topics are not the ones that were published on, or end before",
    ),
    silent("BowerbirdTopicsMadeAnew", "3m", {_MADE_ANEW: "0x5"}),
    fires(
        "BowerbirdStatusListRefused",
        "30m",
        {_LIST_REFUSED: "0x20 2x10"},
        "2 versions of status lists were refused, being lower than what is known",
    ),
    silent("BowerbirdStatusListRefused", "130m", {_LIST_REFUSED: "2x130"}),
)

_DIFFERENCES: Final = 'bowerbird_audit_differences{check="status_index"}'
_AUDITED: Final = "bowerbird_audit_last_success_timestamp_seconds"
_VERIFIED_AT: Final = "bowerbird_backup_last_verified_timestamp_seconds"
_BACKED_UP: Final = "bowerbird_backup_newest_timestamp_seconds"
_LONG_AGO: Final = f"-{2 * _DAY}x70"

AUDITS: Final = (
    fires(
        "BowerbirdAuditDiffers",
        "5m",
        {_DIFFERENCES: "0 2x5"},
        "The audit found 2 things that are not as promised (status_index)",
        check="status_index",
    ),
    silent("BowerbirdAuditDiffers", "5m", {_DIFFERENCES: "0x5"}),
    fires("BowerbirdAuditStale", "70m", {_AUDITED: _LONG_AGO}, "No audit has come to its end for more than a day"),
    # Nobody audits.
    fires("BowerbirdAuditStale", "70m", {"up": "1x70"}, "No audit has come to its end for more than a day"),
    silent("BowerbirdAuditStale", "70m", {_AUDITED: f"-{_DAY}x70"}),
    fires(
        "BowerbirdBackupUnverified", "70m", {_VERIFIED_AT: _LONG_AGO}, "No backup was found whole for more than a day"
    ),
    silent("BowerbirdBackupUnverified", "70m", {_VERIFIED_AT: f"-{_DAY}x70"}),
    fires("BowerbirdBackupOld", "70m", {_BACKED_UP: _LONG_AGO}, "The newest backup is of 2d 1h 10m 0s ago"),
    silent("BowerbirdBackupOld", "70m", {_BACKED_UP: f"-{_DAY}x70"}),
)
