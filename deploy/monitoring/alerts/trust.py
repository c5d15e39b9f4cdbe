"""Alerts about what others rely on: signed lists, registries, access, the audit log, what is kept."""

from typing import Final

from deploy.monitoring.alert import Alert

TRUST: Final = (
    Alert(
        name="BowerbirdStatusListsNotRenewed",
        expression="max(bowerbird_issuer_status_list_overdue_seconds) > {threshold}",
        threshold=3600,
        is_time=True,
        holds="15m",
        severity="page",
        panel="lists-overdue",
        summary="A status list should have been signed again {{ $value | humanizeDuration }} ago",
        description="When its validity ends, nobody can tell any more whether its badges were revoked. Look at the "
        "issuer's log for 'not signed': most likely a signing key is not available.",
    ),
    Alert(
        name="BowerbirdRevocationLate",
        expression="max(bowerbird_issuer_status_list_unpublished_seconds) > {threshold} or "
        # The longest of ten minutes, by the upper bound of its bucket.
        "histogram_quantile(1, sum by (le) (increase(bowerbird_verifier_revocation_seconds_bucket[10m]))) "
        "> 60",
        threshold=60,
        is_time=True,
        severity="page",
        panel="revocations",
        summary="A revocation is not seen, or was not, for up to {{ $value | humanizeDuration }}",
        description="Its badge passes meanwhile, where others verify it or on its own page. Look at the issuer's log "
        "for 'not signed', at the verifier's consumers of documents and status lists, and at Kafka.",
    ),
    Alert(
        name="BowerbirdIssuerListNotRenewed",
        expression="max(bowerbird_issuer_list_overdue_seconds) > {threshold}",
        threshold=3600,
        is_time=True,
        holds="15m",
        severity="ticket",
        panel="lists-overdue",
        summary="The list of issuers should have been signed again {{ $value | humanizeDuration }} ago",
        description="When its validity ends, others no longer know who issues here. Look at the issuer's log for its "
        "loop 'issuer-list'.",
    ),
    Alert(
        name="BowerbirdTrustedRegistryOld",
        expression="time() - max by (registry) (bowerbird_verifier_registry_good_timestamp_seconds) > {threshold}",
        threshold=3600,
        is_time=True,
        holds="15m",
        severity="ticket",
        panel="registries",
        summary="The registry {{ $labels.registry }} was last good {{ $value | humanizeDuration }} ago",
        description="Its last good copy counts until its end; then issuers that only it lists are undetermined. Look "
        "at the verifier's log for 'registry not refreshed', which says why.",
    ),
    Alert(
        name="BowerbirdRetentionBehind",
        expression="max by (kind) (bowerbird_retention_oldest_seconds - bowerbird_retention_life_seconds) "
        "> {threshold}",
        threshold=86400,
        is_time=True,
        holds="1h",
        severity="ticket",
        panel="retention",
        summary="{{ $labels.kind }} are kept {{ $value | humanizeDuration }} longer than stated",
        description="The loop that removes them does not keep up, is off (BOWERBIRD_RETENTION_ENFORCED), or MongoDB "
        "refuses. Look at the log of the service.",
    ),
    Alert(
        name="BowerbirdAccessRefused",
        expression="sum by (service) (rate(bowerbird_access_refused_total[10m])) > {threshold}",
        threshold=1,
        holds="10m",
        severity="ticket",
        panel="access-refused",
        summary="{{ $labels.service }} refuses access {{ $value | humanize }} times a second",
        description="A key that ended and is still used, or somebody who tries. The audit log has the key or the "
        "address; withdraw a key that somebody else has (`bowerbird keys withdraw --leaked`).",
    ),
    Alert(
        name="BowerbirdForgedGrants",
        expression="sum by (service) (increase(bowerbird_access_forged_total[1h])) > {threshold}",
        threshold=0,
        severity="page",
        panel="access-refused",
        summary="{{ $labels.service }} read {{ $value | humanize }} records about access that nobody of ours signed",
        description="Somebody else can write to the topic access.keys. They gain nothing by it; find out who has that "
        "right. After a change of the grants' secret: a record that was not signed anew.",
    ),
    Alert(
        name="BowerbirdAuditLogNotWritten",
        expression="sum by (service) (increase(bowerbird_audit_failures_total[10m])) > {threshold}",
        threshold=0,
        holds="5m",
        severity="page",
        panel="audit-log",
        summary="{{ $labels.service }} cannot write its audit log",
        description="What cannot be recorded is not done; so changes are refused until MongoDB takes writes again.",
    ),
)
