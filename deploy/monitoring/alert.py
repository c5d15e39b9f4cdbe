"""What an alert is: one row of the table from which rules, thresholds of panels and heads of runbooks are made."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from deploy.monitoring.durations import shortened, shortened_expression

Severity = Literal["page", "ticket", "heartbeat"]

MEANINGS: Final[dict[Severity, str]] = {
    "page": "somebody is called, at night too",
    "ticket": "somebody looks on the same working day",
    "heartbeat": "it fires always, and whoever gets it calls when it stops",
}
_SHORTEST_RANGE: Final = 5


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert.

    Attributes:
        name: such as `BowerbirdServiceDown`; its page is the file of that name in docs/runbooks.
        expression: PromQL; `{threshold}` stands for the threshold.
        threshold: the number beyond which it fires; None where the expression compares with nothing that one would set.
        is_time: whether the threshold is in seconds, and so is shortened where a trial shortens all times.
        holds: for how long the expression must hold; `0m` fires at once.
        severity: how fast somebody must look.
        panel: the key of the dashboard panel that shows it.
        summary: one line with what it is about; a template of Prometheus.
        description: what it means and what to do first.
    """

    name: str
    expression: str
    threshold: float | None = None
    is_time: bool = False
    holds: str = "0m"
    severity: Severity
    panel: str
    summary: str
    description: str

    def promql(self, scale: float = 1) -> str:
        """Return the expression with its threshold, every duration divided by `scale`."""
        written = self.expression
        if self.threshold is not None:
            threshold = self.threshold / scale if self.is_time else self.threshold
            written = written.replace("{threshold}", f"{threshold:g}")
        return shortened_expression(written, scale, _SHORTEST_RANGE)

    def rule(self, dashboard: str, scale: float = 1) -> dict[str, Any]:
        """Return the rule as Prometheus reads it.

        Args:
            dashboard: the path of its panel in Grafana.
            scale: what every duration is divided by.
        """
        return {
            "alert": self.name,
            "expr": self.promql(scale),
            **({} if self.holds == "0m" else {"for": shortened(self.holds, scale)}),
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                # Where Grafana and the runbooks are, each installation says in its prometheus.yml.
                "dashboard": f"{{{{ $externalLabels.grafana }}}}{dashboard}",
                "runbook_url": f"{{{{ $externalLabels.runbooks }}}}/{self.name}.md",
            },
        }
