"""Panels of Grafana as typed rows, and the JSON that Grafana reads.

grafana-foundation-sdk has types for all of Grafana; these boards use two kinds of panel, which this module writes in
less than the calls of that library would take, and without a further package wherever documents are generated.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from deploy.monitoring.alert import Alert

Kind = Literal["stat", "timeseries"]

_DATASOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_SOURCE: Final = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
_COLUMNS: Final = 24
_HEIGHTS: Final[dict[Kind, int]] = {"stat": 5, "timeseries": 8}


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        key: by which alerts name it; no two panels of all boards have the same.
        title: what it shows, in a few words.
        about: what a reader is to see in it.
        unit: Grafana's name of the unit of all its values.
        queries: PromQL, each with the legend of its series.
        kind: numbers that stand for themselves, or lines over time.
        width: of the 24 columns of a board.
    """

    key: str
    title: str
    about: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: Kind = "timeseries"
    width: int = 8


@dataclass(frozen=True)
class Row:
    """Panels under one heading, in the order in which they stand."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """A dashboard.

    Attributes:
        name: of its file; its uid in Grafana is `bowerbird-NAME`.
        title: as Grafana lists it.
        rows: from the top.
    """

    name: str
    title: str
    rows: tuple[Row, ...]

    @property
    def uid(self) -> str:
        """Its id in addresses."""
        return f"bowerbird-{self.name}"

    def panels(self) -> list[Panel]:
        """Return its panels in their order."""
        return [panel for row in self.rows for panel in row.panels]

    def path(self, key: str) -> str | None:
        """Return the address of a panel within Grafana; None where it is on another board."""
        keys = [panel.key for panel in self.panels()]
        return f"/d/{self.uid}?viewPanel={keys.index(key) + 1}" if key in keys else None

    def document(self, alerts: Sequence[Alert]) -> dict[str, Any]:
        """Return the dashboard as Grafana reads it, with the thresholds of these alerts in their panels."""
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": ["bowerbird"],
            "timezone": "browser",
            "schemaVersion": 39,
            "version": 1,
            "editable": False,
            "refresh": "10s",
            "time": {"from": "now-3h", "to": "now"},
            "templating": {"list": [_SOURCE]},
            "annotations": {"list": []},
            "links": [{"title": "All boards", "type": "dashboards", "tags": ["bowerbird"], "asDropdown": True}],
            "panels": list(_placed(self.rows, alerts)),
        }


def quantiles(histogram: str, by: str = "") -> tuple[tuple[str, str], ...]:
    """Return the queries for the middle one of a histogram's values, and for the largest in a hundred.

    Args:
        histogram: its name, without `_bucket`.
        by: a label to keep apart; none where it is empty.
    """
    labels, legend = (f"le, {by}", f"{{{{{by}}}}} ") if by else ("le", "")
    # Without anything to measure there is no line, rather than a value that is no number.
    return tuple(
        (f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket[5m]))) >= 0", f"{legend}{name}")
        for share, name in (("0.5", "half"), ("0.99", "99 %"))
    )


def _placed(rows: Iterable[Row], alerts: Sequence[Alert]) -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for place, row in enumerate(rows):
        yield {
            "type": "row",
            "title": row.title,
            # Beyond the numbers of panels, which links name.
            "id": 1000 + place,
            "collapsed": False,
            "panels": [],
            "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": top},
        }
        top += 1
        left, height = 0, 0
        for panel in row.panels:
            number += 1
            if left + panel.width > _COLUMNS:
                top, left, height = top + height, 0, 0
            height = max(height, _HEIGHTS[panel.kind])
            place_on_board = {"h": _HEIGHTS[panel.kind], "w": panel.width, "x": left, "y": top}
            yield _document(panel, number, place_on_board, [each for each in alerts if each.panel == panel.key])
            left += panel.width
        top += height


def _document(panel: Panel, number: int, place: dict[str, int], alerts: Sequence[Alert]) -> dict[str, Any]:
    limits = sorted({each.threshold for each in alerts if each.threshold is not None})
    defaults: dict[str, Any] = {"unit": panel.unit}
    if limits:
        steps = [{"color": "green", "value": None}, *({"color": "red", "value": limit} for limit in limits)]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        if panel.kind == "timeseries":
            defaults["custom"] = {"thresholdsStyle": {"mode": "dashed"}}
    told = "".join(f" Alert: {name}." for name in dict.fromkeys(each.name for each in alerts))
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about + told,
        "id": number,
        "gridPos": place,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(panel.queries)
        ],
        "options": _OPTIONS[panel.kind],
    }


_OPTIONS: Final[dict[Kind, dict[str, Any]]] = {
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}
