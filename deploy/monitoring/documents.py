"""The files that are made from the tables: rules of Prometheus, dashboards of Grafana, the index of runbooks."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.monitoring.alert import MEANINGS, Alert
from deploy.monitoring.alerts import GROUPS
from deploy.monitoring.boards import BOARDS
from deploy.monitoring.slos import PERIOD, SLOS, WITHOUT, recording_rules

_GENERATED: Final = "Generated from deploy/monitoring by `bowerbird contracts`: edit there."
_COMMANDS: Final = (
    "Commands are run by tests as they stand there: those without a prompt with the ports of the embedded stack, those "
    "with one (`$`, for `docker-compose.yml`) with what their container is given, as its user at the stores. The few "
    "that are only read are named in `tests/runbooks.py`, each with the reason. The working directory is a copy of "
    "this repository, and those of `bowerbird` take the environment of the issuer service, as [restoring](restore.md) "
    "does; `$BACKUPS` is the folder of your backups. In compose: `docker compose run --rm --no-deps setup stores`, "
    "`docker compose run --rm audit audit promises`, `docker compose run --rm backup backup /backups/NAME`. There the "
    "ports of services are published nowhere: put `docker compose exec -T proxy` before `curl`, and the service's name "
    "in place of 127.0.0.1 (evidence 8101 and 8105, issuer 8102 and 8106, verifier 8103 and 8107, notifier 8104 and "
    "8108; the second is for metrics). Of a metric without a value yet, the line `# HELP` comes alone; no line means "
    "that nobody answered."
)
_BURNING: Final = (
    "*Page*: the budget is used up 14.4 times as fast as it may be, over the last hour and the last five minutes, or 6 "
    "times over six hours and half an hour. *Ticket*: 3 times over a day and two hours, or as fast as it may be over "
    "three days and six hours. Either needs more than five bad events in the long window: a share of few events says "
    "little, and a guard by the number of all events would be silent in a quiet night in which everything fails. "
    "Series are named as Sloth names them, with the label `slo`; what no panel or alert reads is not recorded."
)
ALERTS: Final = tuple(alert for group in GROUPS.values() for alert in group)


def panel_path(alert: Alert) -> str:
    """Return the address of an alert's panel within Grafana.

    Raises:
        LookupError: no board has it.
    """
    for board in BOARDS:
        if path := board.path(alert.panel):
            return path
    raise LookupError(f"{alert.name}: no board has the panel {alert.panel}")


def rules(scale: float = 1) -> dict[str, dict[str, Any]]:
    """Return name to content of the files of rules, as Prometheus reads them.

    Args:
        scale: what every duration is divided by: 1 in production, more where alerts are tried.
    """
    groups = [
        {"name": f"bowerbird-{name}", "rules": [alert.rule(panel_path(alert), scale) for alert in alerts]}
        for name, alerts in GROUPS.items()
    ]
    recorded = {"name": "bowerbird-objectives-recorded", "rules": recording_rules(scale)}
    return {"alerts.yml": {"groups": groups}, "objectives.yml": {"groups": [recorded]}}


def prometheus() -> dict[str, str]:
    """Return file name to text, for everything in deploy/prometheus/rules/."""
    return {
        name: f"# {_GENERATED}\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=118)}"
        for name, content in rules().items()
    }


def grafana() -> dict[str, str]:
    """Return file name to text, for everything in deploy/grafana/dashboards/."""
    return {
        f"{board.name}.json": json.dumps(board.document(ALERTS), indent=2, ensure_ascii=False) + "\n"
        for board in BOARDS
    }


def runbooks(folder: Path) -> dict[str, str]:
    """Return file name to text, for everything in docs/runbooks/: the index, and each page with its head made anew.

    The head of an alert's page is what stands before its first section, and is generated; the sections are written
    by hand. Pages of no alert stay as they are.
    """
    pages = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    by_page: dict[str, list[Alert]] = {}
    for alert in ALERTS:
        by_page.setdefault(f"{alert.name}.md", []).append(alert)
    for name, alerts in by_page.items():
        _, mark, sections = pages.get(name, "").partition("\n## ")
        pages[name] = _head(alerts) + mark + sections
    return {**pages, "README.md": _index(by_page), "objectives.md": _objectives()}


def _head(alerts: Sequence[Alert]) -> str:
    first = alerts[0]
    lines = "\n".join(f"| {each.severity} | {fires(each)} |" for each in alerts)
    return (
        f"<!-- The head is {_GENERATED[0].lower()}{_GENERATED[1:]} -->\n\n# {first.name}\n\n{first.description}\n\n"
        f"| severity | fires |\n| --- | --- |\n{lines}\n\nDashboard: `{panel_path(first)}`\n"
    )


def _index(by_page: Mapping[str, Sequence[Alert]]) -> str:
    lines = [
        f"| [{alerts[0].name}]({page}) | {', '.join(each.severity for each in alerts)} | {alerts[0].description} |"
        for page, alerts in by_page.items()
    ]
    meanings = "; ".join(f"*{severity}*: {meaning}" for severity, meaning in MEANINGS.items())
    return (
        f"<!-- {_GENERATED} -->\n\n# Runbooks\n\nA page for each alert: what it does to people, where to look, what "
        f"to do, and what not. {meanings}.\n\n{_COMMANDS}\n\n"
        f"| alert | severity | what it means |\n| --- | --- | --- |\n{_lines(lines)}\n"
    )


def _objectives() -> str:
    """Return the page of objectives: what is promised, and why so."""
    lines = [
        f"| [{each.name}]({each.alert}.md) | {each.promise} | {each.objective * 100:g} % | {each.why} |"
        for each in SLOS
    ]
    without = [f"- **{name}.** {why}" for name, why in WITHOUT.items()]
    return (
        f"<!-- {_GENERATED} -->\n\n# Objectives\n\nWhat a school, a learner or a verifier may expect over "
        f"{PERIOD.removesuffix('d')} days: the share of events that are good, counted one by one, never averaged.\n\n"
        f"| objective | a good event | share | why so |\n| --- | --- | --- | --- |\n{_lines(lines)}\n\n"
        f"{_BURNING}\n\nNo share is promised of:\n\n{_lines(without)}\n"
    )


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def fires(alert: Alert) -> str:
    """Return when an alert fires, as its page says it: the expression, and for how long it must hold."""
    expression = alert.promql().replace("|", "\\|")
    return f"`{expression}`" + ("" if alert.holds == "0m" else f" for {alert.holds}")
