"""Alerts about what is looked at once a day: the audit against the promises, and backups."""

from typing import Final

from deploy.monitoring.alert import Alert

_DAY_AND_A_BIT: Final = 26 * 3600

AUDITS: Final = (
    Alert(
        name="BowerbirdAuditDiffers",
        expression="max by (check) (bowerbird_audit_differences) > {threshold}",
        threshold=0,
        severity="page",
        panel="audit-differences",
        summary="The audit found {{ $value | humanize }} things that are not as promised ({{ $labels.check }})",
        description="Something that must be the same in stores, topics and mailbox is not. The audit lists what, and "
        "says what it can repair.",
    ),
    Alert(
        name="BowerbirdAuditStale",
        # `absent` tells too where nobody audits at all.
        expression="time() - max(bowerbird_audit_last_success_timestamp_seconds) > {threshold} "
        "or absent(bowerbird_audit_last_success_timestamp_seconds)",
        threshold=_DAY_AND_A_BIT,
        is_time=True,
        holds="1h",
        severity="ticket",
        panel="audit-age",
        summary="No audit has come to its end for more than a day",
        description="Whether all is as promised is not known. Run `bowerbird audit promises` by hand, and look why the "
        "nightly one does not end.",
    ),
    Alert(
        name="BowerbirdBackupUnverified",
        expression="time() - max(bowerbird_backup_last_verified_timestamp_seconds) > {threshold} "
        "or absent(bowerbird_backup_last_verified_timestamp_seconds)",
        threshold=_DAY_AND_A_BIT,
        is_time=True,
        holds="1h",
        severity="ticket",
        panel="backup-age",
        summary="No backup was found whole for more than a day",
        description="A backup that nobody has read may be none. Look whether backups are made, and whether the newest "
        "one can be read.",
    ),
    Alert(
        name="BowerbirdBackupOld",
        expression="time() - max(bowerbird_backup_newest_timestamp_seconds) > {threshold}",
        threshold=_DAY_AND_A_BIT,
        is_time=True,
        holds="1h",
        severity="ticket",
        panel="backup-age",
        summary="The newest backup is of {{ $value | humanizeDuration }} ago",
        description="After a restore, what came since is brought back by replay from Kafka, which keeps evidence for "
        "14 days; the older the backup, the longer that takes.",
    ),
)
