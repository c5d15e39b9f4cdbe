"""Alerts about mail."""

from typing import Final

from deploy.monitoring.alert import Alert

MAIL: Final = (
    Alert(
        name="BowerbirdMailLate",
        expression="max(bowerbird_notifier_oldest_due_seconds) > {threshold}",
        threshold=900,
        is_time=True,
        holds="5m",
        severity="ticket",
        panel="mail-oldest",
        summary="A mail should have gone {{ $value | humanizeDuration }} ago",
        description="The mail server hangs or is slow, or more mails are due than go out. None is lost: each is sent "
        "when the server takes it.",
    ),
    Alert(
        name="BowerbirdMailRelayAway",
        expression="sum(increase(bowerbird_notifier_relay_unavailable_total[10m])) > {threshold} "
        'unless sum(increase(bowerbird_notifier_deliveries_total{outcome="sent"}[10m])) > 0',
        threshold=0,
        holds="5m",
        severity="ticket",
        panel="mail-relay",
        summary="The mail server took nothing for ten minutes",
        description="It refuses connections, or ends them before a mail. Mails wait and go by themselves once it "
        "takes them.",
    ),
    Alert(
        name="BowerbirdMailGivenUp",
        expression='sum(increase(bowerbird_notifier_deliveries_total{outcome=~"gave_up|permanent"}[1h])) '
        '/ sum(increase(bowerbird_notifier_deliveries_total{outcome=~"gave_up|permanent|sent"}[1h])) > {threshold} '
        'and sum(increase(bowerbird_notifier_deliveries_total{outcome=~"gave_up|permanent"}[1h])) > 20',
        threshold=0.05,
        holds="15m",
        severity="ticket",
        panel="mail-outcomes",
        summary="{{ $value | humanizePercentage }} of the mails of the last hour were given up",
        description="Addresses that do not exist, or receivers that refuse us: one school's list of addresses may be "
        "wrong, or our sender address has a bad name somewhere.",
    ),
)
