"""The board of mail."""

from typing import Final

from deploy.monitoring.panels import Board, Panel, Row, quantiles

_DELIVERIES: Final = "bowerbird_notifier_deliveries_total"
_ENDED: Final = f'(sum(increase({_DELIVERIES}{{outcome=~"gave_up|permanent|sent"}}[1h])) > 0)'

MAIL: Final = Board(
    "mail",
    "Bowerbird: mail",
    (
        Row(
            "Mail",
            (
                Panel(
                    "mail-outcomes",
                    "Share of mails given up",
                    "Of the mails of the last hour that came to an end.",
                    "percentunit",
                    (
                        (
                            f'sum(increase({_DELIVERIES}{{outcome=~"gave_up|permanent"}}[1h])) / {_ENDED}',
                            "given up",
                        ),
                    ),
                ),
                Panel(
                    "deliveries",
                    "Deliveries by outcome",
                    "A second.",
                    "ops",
                    (("sum by (outcome) (rate(bowerbird_notifier_deliveries_total[1m]))", "{{outcome}}"),),
                ),
                Panel(
                    "mail-oldest",
                    "Oldest mail due",
                    "For how long the longest due mail has been due.",
                    "s",
                    (("max(bowerbird_notifier_oldest_due_seconds)", "oldest"),),
                ),
                Panel(
                    "mail-due",
                    "Mails due and under way",
                    "Due in all, and being sent now.",
                    "short",
                    (("max(bowerbird_notifier_due)", "due"), ("sum(bowerbird_notifier_in_flight)", "under way")),
                ),
                Panel(
                    "mail-relay",
                    "Mail server took nothing",
                    "Times in ten minutes that it refused us as a whole.",
                    "short",
                    (("sum(increase(bowerbird_notifier_relay_unavailable_total[10m]))", "unavailable"),),
                ),
                Panel(
                    "mail-postponed",
                    "Put back without an attempt",
                    "By reason, a second: pace of a domain, limits of an issuer or address, something that is missing.",
                    "ops",
                    (("sum by (reason) (rate(bowerbird_notifier_postponed_total[5m]))", "{{reason}}"),),
                ),
                Panel(
                    "mail-seconds",
                    "Time of the mail server for one mail",
                    "From MAIL to its last answer.",
                    "s",
                    quantiles("bowerbird_notifier_sending_seconds"),
                ),
                Panel(
                    "mail-delay",
                    "From occasion to first offer",
                    "How long mails waited until the mail server was offered them.",
                    "s",
                    quantiles("bowerbird_notifier_offer_delay_seconds"),
                ),
                Panel(
                    "mail-pictures",
                    "Mails without their picture",
                    "Its badge could not be drawn.",
                    "ops",
                    (("sum(rate(bowerbird_notifier_pictures_missing_total[5m]))", "without"),),
                ),
            ),
        ),
    ),
)
