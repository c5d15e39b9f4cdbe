"""The board of service level objectives: how each does, and what is left of its budget."""

from typing import Final

from deploy.monitoring.panels import Board, Panel, Row
from deploy.monitoring.slos import SLOS, Slo


def _row(slo: Slo) -> Row:
    of = f'{{slo="{slo.name}"}}'
    return Row(
        f"{slo.name}: {slo.promise} ({slo.objective:.2%} of events in thirty days)",
        (
            Panel(
                f"slo-{slo.name}-budget",
                "Budget left",
                "Share of the events that may be bad in thirty days and have not been yet; below 0 it is broken.",
                "percentunit",
                ((f"slo:period_error_budget_remaining:ratio{of}", "left"),),
                "stat",
                4,
            ),
            Panel(
                f"slo-{slo.name}",
                "Bad events",
                "Share of events, over five minutes, an hour and three days, and what may be.",
                "percentunit",
                (
                    (f"slo:sli_error:ratio_rate5m{of}", "5 minutes"),
                    (f"slo:sli_error:ratio_rate1h{of}", "1 hour"),
                    (f"slo:sli_error:ratio_rate3d{of}", "3 days"),
                    (f"1 - slo:objective:ratio{of}", "may be"),
                ),
                "timeseries",
                10,
            ),
            Panel(
                f"slo-{slo.name}-burn",
                "Burn rate and events",
                "How many times faster than allowed the budget is used up, and events a second.",
                "short",
                ((f"slo:current_burn_rate:ratio{of}", "burn rate"), (f"slo:sli_events:rate5m{of}", "events a second")),
                "timeseries",
                10,
            ),
        ),
    )


OBJECTIVES: Final = Board("objectives", "Bowerbird: objectives", tuple(_row(slo) for slo in SLOS))
