"""The board of what others rely on: signed lists, registries, the audit log, what is kept for how long."""

from typing import Final

from deploy.monitoring.panels import Board, Panel, Row, quantiles

_LISTS: Final = Row(
    "Signed lists",
    (
        Panel(
            "lists-overdue",
            "Overdue signatures",
            "How long ago a list should have been signed again; 0 while all is well.",
            "s",
            (
                ("max(bowerbird_issuer_status_list_overdue_seconds)", "status lists"),
                ("max(bowerbird_issuer_list_overdue_seconds)", "list of issuers"),
            ),
        ),
        Panel(
            "revocations",
            "Until a revocation is seen",
            "From asking for it to what the verifier serves: its own page, and status lists.",
            "s",
            quantiles("bowerbird_verifier_revocation_seconds", "shown"),
        ),
        Panel(
            "lists-unpublished",
            "Changes that wait to be published",
            "For how long the longest has waited; a second or two while all is well.",
            "s",
            (
                ("max(bowerbird_issuer_status_list_unpublished_seconds)", "status lists"),
                ("max(bowerbird_issuer_list_unpublished_seconds)", "list of issuers"),
            ),
        ),
        Panel(
            "lists-age",
            "Age of signatures",
            "Of the status list signed first, and of the list of issuers.",
            "s",
            (
                ("max(bowerbird_issuer_status_list_oldest_seconds)", "status lists"),
                ("max(bowerbird_issuer_list_age_seconds)", "list of issuers"),
            ),
        ),
        Panel(
            "lists-published",
            "Lists published",
            "And of these, signed again because of their age; in an hour.",
            "short",
            (
                ("sum(increase(bowerbird_issuer_status_lists_published_total[1h]))", "status lists"),
                ("sum(increase(bowerbird_issuer_status_lists_renewed_total[1h]))", "status lists renewed"),
                ("sum(increase(bowerbird_issuer_list_published_total[1h]))", "list of issuers"),
                ("sum(increase(bowerbird_issuer_list_renewed_total[1h]))", "list of issuers renewed"),
            ),
        ),
        Panel(
            "registries",
            "Age of trusted registries",
            "Since each was last read and found good.",
            "s",
            (("time() - max by (registry) (bowerbird_verifier_registry_good_timestamp_seconds)", "{{registry}}"),),
        ),
        Panel(
            "registry-reads",
            "Readings of registries",
            "By outcome, in an hour.",
            "short",
            (
                (
                    "sum by (registry, outcome) (increase(bowerbird_verifier_registry_reads_total[1h]))",
                    "{{registry}} {{outcome}}",
                ),
            ),
        ),
    ),
)

_RECOVERY: Final = Row(
    "Stores that were set back",
    (
        Panel(
            "adopted",
            "Published facts taken up",
            "That the issuer's database lacked, and those that could not be taken up; in an hour.",
            "short",
            (
                ("sum by (topic) (increase(bowerbird_issuer_adopted_total[1h]))", "{{topic}}"),
                ("sum by (topic) (increase(bowerbird_issuer_not_adopted_total[1h]))", "{{topic}}: not taken up"),
            ),
        ),
        Panel(
            "adopting",
            "Processes that take up what was published",
            "They decide nothing meanwhile, or serve nothing.",
            "short",
            (("max(bowerbird_issuer_adopting)", "taking up"), ("max(bowerbird_verifier_catching_up)", "catching up")),
        ),
        Panel(
            "topics-made-anew",
            "Topics that end too early",
            "Before what was published on them.",
            "short",
            (("max(bowerbird_issuer_topics_made_anew)", "topics"),),
        ),
        Panel(
            "lists-refused",
            "Status lists refused",
            "Versions below what is known; in an hour.",
            "short",
            (("sum(increase(bowerbird_verifier_status_lists_refused_total[1h]))", "refused"),),
        ),
        Panel(
            "mails-held",
            "Mails that may have been sent",
            "Held until `bowerbird deliveries release` or `discard` decides.",
            "short",
            (("max(bowerbird_notifier_held)", "held"),),
        ),
    ),
)

_KEEPING: Final = Row(
    "Kept and written down",
    (
        Panel(
            "audit-log",
            "Entries of audit logs that could not be written",
            "In ten minutes; what cannot be recorded is not done.",
            "short",
            (("sum by (service) (increase(bowerbird_audit_failures_total[10m]))", "{{service}}"),),
        ),
        Panel(
            "audit-entries",
            "Entries of audit logs",
            "By action, a second.",
            "ops",
            (("sum by (action) (rate(bowerbird_audit_entries_total[5m]))", "{{action}}"),),
        ),
        Panel(
            "audit-head",
            "Heads of audit logs",
            "The sequence of the last entry that each process added.",
            "short",
            (("max by (service) (bowerbird_audit_head_sequence)", "{{service}}"),),
        ),
        Panel(
            "audit-differences",
            "What is not as promised",
            "By check, as of the last audit; 0 while all is well.",
            "short",
            (("max by (check) (bowerbird_audit_differences)", "{{check}}"),),
        ),
        Panel(
            "audit-age",
            "Since the last audit",
            "That came to its end, and how long it took.",
            "s",
            (
                ("time() - max(bowerbird_audit_last_success_timestamp_seconds)", "since"),
                ("max(bowerbird_audit_seconds)", "took"),
            ),
        ),
        Panel(
            "backup-age",
            "Age of backups",
            "Of the newest, and since one was last read and found whole.",
            "s",
            (
                ("time() - max(bowerbird_backup_newest_timestamp_seconds)", "newest"),
                ("time() - max(bowerbird_backup_last_verified_timestamp_seconds)", "found whole"),
            ),
        ),
        Panel(
            "retention",
            "Kept longer than stated",
            "Age of the oldest, less the life that is stated; below 0 while all is well.",
            "s",
            (
                (
                    "max by (kind) (bowerbird_retention_oldest_seconds - bowerbird_retention_life_seconds)",
                    "{{kind}}",
                ),
            ),
        ),
        Panel(
            "retention-removed",
            "Removed at the end of its life",
            "In an hour.",
            "short",
            (("sum by (kind) (increase(bowerbird_retention_removed_total[1h]))", "{{kind}}"),),
        ),
        Panel(
            "retention-success",
            "Since nothing was overdue for removal",
            "By kind.",
            "s",
            (("time() - max by (kind) (bowerbird_retention_last_success_timestamp_seconds)", "{{kind}}"),),
        ),
    ),
)

TRUST: Final = Board("trust", "Bowerbird: lists, audit log, retention", (_LISTS, _RECOVERY, _KEEPING))
