"""Alerts about the monitoring itself: what would leave all others silent."""

from typing import Final

from deploy.monitoring.alert import Alert

WATCHING: Final = (
    Alert(
        name="BowerbirdWatchdog",
        expression="vector(1)",
        severity="heartbeat",
        panel="notifications",
        summary="Alerts are evaluated and told",
        description="It fires as long as Prometheus evaluates rules and Alertmanager tells of them. A service outside "
        "that gets it, and calls when it has not come for ten minutes, is what notices that both are gone.",
    ),
    Alert(
        name="BowerbirdExporterDown",
        expression='up{job!="bowerbird"} == 0',
        holds="5m",
        severity="ticket",
        panel="exporters-up",
        summary="{{ $labels.job }} at {{ $labels.instance }} does not answer",
        description="What it measures is not known meanwhile, and alerts about it stay silent.",
    ),
    Alert(
        name="BowerbirdNotificationsFail",
        expression="sum(increase(prometheus_notifications_dropped_total[10m])) > {threshold} "
        "or sum(increase(alertmanager_notifications_failed_total[10m])) > {threshold} "
        "or max(prometheus_notifications_alertmanagers_discovered) < 1",
        threshold=0,
        holds="5m",
        severity="page",
        panel="notifications",
        summary="Alerts do not reach those whom they should call",
        description="Prometheus has no Alertmanager, or Alertmanager cannot deliver. Look at the log of either; "
        "meanwhile look at the alerts in Prometheus itself.",
    ),
    Alert(
        name="BowerbirdRulesFail",
        expression="sum(increase(prometheus_rule_evaluation_failures_total[10m])) > {threshold}",
        threshold=0,
        holds="5m",
        severity="ticket",
        panel="notifications",
        summary="Prometheus could not evaluate {{ $value | humanize }} rules in ten minutes",
        description="An alert whose rule fails never fires. The page of rules in Prometheus names it and says why.",
    ),
)
