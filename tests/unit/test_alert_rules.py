"""Each alert fires on what it is for and is silent on what it is not for, by promtool; each has a page and a panel."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bowerbird import generated
from deploy.monitoring import documents
from deploy.monitoring.alert import MEANINGS, Alert
from deploy.monitoring.boards import BOARDS
from deploy.monitoring.documents import ALERTS
from tests import compose, runbooks
from tests.unit import alert_cases, alert_cases_of_stores
from tests.unit.alert_cases import Case

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
_OUR_CODE = "".join(path.read_text() for part in ("libs", "services") for path in (ROOT / part).rglob("*.py"))
CASES = (
    *alert_cases.SERVICES,
    *alert_cases.AWARDS,
    *alert_cases.MAIL,
    *alert_cases.TRUST,
    *alert_cases_of_stores.STORES,
    *alert_cases_of_stores.WATCHING,
    *alert_cases_of_stores.OBJECTIVES,
    *alert_cases_of_stores.RECOVERY,
    *alert_cases_of_stores.AUDITS,
)
SECTIONS = ("Impact", "First look", "Causes", "Steps", "When it is over", "What not to do")
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="NOT PROVEN HERE: there is no promtool (prometheus)"
)


def alert_of(case: Case) -> Alert:
    (alert,) = (each for each in ALERTS if each.name == case.alert and case.severity in {None, each.severity})
    return alert


def promtool_test(number: int, case: Case, alert: Alert) -> dict[str, Any]:
    expected = {
        "exp_labels": {"severity": alert.severity, **case.labels},
        "exp_annotations": {
            "summary": case.summary,
            "description": alert.description,
            "dashboard": f"G{documents.panel_path(alert)}",
            "runbook_url": f"R/{alert.name}.md",
        },
    }
    return {
        "name": f"{number}: {case.alert}",
        "interval": "1m",
        "external_labels": {"grafana": "G", "runbooks": "R"},
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [
            {"eval_time": case.at, "alertname": case.alert, "exp_alerts": [] if case.summary is None else [expected]}
        ],
    }


def rules_for(alert: Alert) -> dict[str, Any]:
    """The rule of one alert alone, and what it reads: promtool evaluates every rule that it is given, for each case."""
    recorded = documents.rules()["objectives.yml"]["groups"][0]["rules"]
    needed = [each for each in recorded if f'{{slo="{each["labels"]["slo"]}"}}' in alert.expression]
    needed = [each for each in needed if "period" not in each["record"]]
    return {"groups": [{"name": "tried", "rules": [*needed, alert.rule(documents.panel_path(alert))]}]}


@needs_promtool
def test_every_alert_fires_on_its_own_series_and_is_silent_on_others(tmp_path: Path) -> None:
    by_alert: dict[Alert, list[dict[str, Any]]] = {}
    for number, case in enumerate(CASES):
        alert = alert_of(case)
        by_alert.setdefault(alert, []).append(promtool_test(number, case, alert))
    for place, (alert, tests) in enumerate(by_alert.items()):
        (tmp_path / f"{place}.rules").write_text(yaml.safe_dump(rules_for(alert)), encoding="utf-8")
        # Those of objectives look back over days.
        interval = "10m" if alert.severity == "ticket" and "slo:" in alert.expression else "1m"
        content = {"rule_files": [f"{place}.rules"], "evaluation_interval": interval, "tests": tests}
        (tmp_path / f"{place}.test").write_text(yaml.safe_dump(content), encoding="utf-8")
    run = ("promtool", "test", "rules", *(f"{place}.test" for place in range(len(by_alert))))
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    run = ("promtool", "check", "config", "deploy/prometheus/prometheus.yml")
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout


def test_every_alert_has_cases_in_which_it_fires_and_in_which_it_does_not() -> None:
    fires = {alert_of(case) for case in CASES if case.summary is not None}
    silent = {alert_of(case) for case in CASES if case.summary is None}
    assert fires == set(ALERTS)
    assert silent == {each for each in ALERTS if each.severity != "heartbeat"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.severity}")
def test_every_alert_tells_what_it_is_and_leads_to_a_page_and_to_a_panel(alert: Alert) -> None:
    rule = alert.rule(documents.panel_path(alert))
    assert rule["labels"]["severity"] in MEANINGS
    assert all(rule["annotations"][name] for name in ("summary", "description", "dashboard", "runbook_url"))
    page = (RUNBOOKS / f"{alert.name}.md").read_text(encoding="utf-8")
    assert documents.fires(alert) in page, "run `bowerbird contracts` and commit what it wrote"
    assert tuple(re.findall(r"^## (.*)$", page, re.MULTILINE)) == SECTIONS
    path, _, number = rule["annotations"]["dashboard"].rpartition("?viewPanel=")
    name = path.rpartition("/d/bowerbird-")[2]
    panels = json.loads((ROOT / f"deploy/grafana/dashboards/{name}.json").read_text(encoding="utf-8"))["panels"]
    (panel,) = (each for each in panels if each["id"] == int(number))
    assert f"Alert: {alert.name}." in panel["description"]
    limits = [step["value"] for step in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", ())]
    assert alert.threshold is None or alert.threshold in limits


def test_what_is_generated_is_current() -> None:
    stale = [
        *generated.stale(RUNBOOKS, documents.runbooks(RUNBOOKS)),
        *generated.stale(ROOT / "deploy/prometheus/rules", documents.prometheus()),
        *generated.stale(ROOT / "deploy/grafana/dashboards", documents.grafana()),
    ]
    assert stale == [], "run `bowerbird contracts` and commit what it wrote"


@needs_promtool
def test_what_the_pages_ask_of_the_monitorings_own_programs_is_answered() -> None:
    script = "set -euo pipefail\n" + "\n".join(runbooks.READING_FILES)
    run = ("bash", "-x", "-c", script)
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"page", "heartbeat"} <= set(done.stdout.splitlines())


@needs_promtool
@pytest.mark.parametrize("command", runbooks.CHECKING_RULES)
def test_what_a_page_has_prometheus_check_is_checked(command: str) -> None:
    run = [compose.here(word) for word in ("promtool", *compose.read(command).words)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", runbooks.PAGES, ids=lambda page: page.stem)
def test_every_page_has_a_first_command_that_tests_run(page: Path) -> None:
    looks = page.read_text(encoding="utf-8").partition("## First look\n")[2].partition("\n## ")[0]
    (first, *_) = re.findall(r"```sh\n(.*?)```", looks, re.DOTALL)
    assert first in (*runbooks.READING_FILES, *runbooks.ASKING_A_STACK)


@pytest.mark.parametrize("page", runbooks.PAGES, ids=lambda page: page.stem)
def test_what_a_page_looks_for_in_a_log_of_ours_stands_in_our_code(page: Path) -> None:
    logged = r"docker compose logs .*(?:evidence|issuer|verifier|notifier|SERVICE) \| grep (?:-[iE] )?'([^']+)'"
    for pattern in re.findall(logged, page.read_text(encoding="utf-8")):
        words = re.findall(r'"(\w+)"', pattern) or pattern.split("|")
        assert not [each for each in words if each not in _OUR_CODE], pattern


def test_every_page_is_of_an_alert_that_there_is() -> None:
    assert {path.stem for path in RUNBOOKS.glob("Bowerbird*.md")} == {alert.name for alert in ALERTS}


def test_no_two_panels_have_the_same_key_and_each_says_what_it_shows_and_in_which_unit() -> None:
    panels = [panel for board in BOARDS for panel in board.panels()]
    assert len({panel.key for panel in panels}) == len(panels)
    assert all(panel.about and panel.unit and panel.queries for panel in panels)


def test_no_panel_shows_a_line_for_what_is_no_number() -> None:
    shown = [query for board in BOARDS for panel in board.panels() for query, _ in panel.queries]
    quantiles = [query for query in shown if "histogram_quantile" in query]
    assert quantiles
    assert all(query.endswith(">= 0") for query in quantiles)
