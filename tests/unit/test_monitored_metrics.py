"""Every metric in rules and dashboards is exported, and every metric of ours that is exported is in one of them."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import prometheus_client
import pytest

from bowerbird import registry
from deploy.monitoring import documents
from deploy.monitoring.boards import BOARDS
from deploy.monitoring.slos import SLOS

ROOT = Path(__file__).parents[2]
KEYWORDS = {"and", "or", "unless", "offset", "bool"}
FROM_OTHERS = {
    # Prometheus and Alertmanager, of themselves and of what they ask.
    "up",
    "prometheus_notifications_dropped_total",
    "prometheus_notifications_alertmanagers_discovered",
    "prometheus_rule_evaluation_failures_total",
    "alertmanager_notifications_failed_total",
    # percona/mongodb_exporter
    "mongodb_up",
    "mongodb_rs_members_state",
    "mongodb_ss_connections",
    # danielqsj/kafka_exporter
    "kafka_brokers",
    "kafka_topic_partitions",
    "kafka_topic_partition_leader",
    "kafka_topic_partition_under_replicated_partition",
    "kafka_consumergroup_members",
    "kafka_consumergroup_lag",
    # node_exporter and blackbox_exporter
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "probe_ssl_earliest_cert_expiry",
}
"""What exporters give, by the documents of their versions in docker-compose.yml."""


def metrics_of(expression: str) -> set[str]:
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right) ?\([^)]*\)", "", bare)
    found = re.findall(r"(?<![\w.])[a-zA-Z_][\w:]*\b(?!\s*\()", bare)
    return {name for name in found if name not in KEYWORDS}


def exported() -> Iterator[set[str]]:
    """The names of each metric that the processes export; a service's metrics are known once it is imported."""
    for name in registry.NAMES:
        registry.find(name)
    importlib.import_module("bowerbird.auditing.metrics")
    for family in prometheus_client.REGISTRY.collect():
        if family.type == "histogram":
            yield {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
        else:
            yield {f"{family.name}_total" if family.type == "counter" else family.name}


def recorded() -> set[str]:
    groups = documents.rules()["objectives.yml"]["groups"]
    return {rule["record"] for group in groups for rule in group["rules"]}


def all_expressions() -> list[str]:
    rules = [rule for file in documents.rules().values() for group in file["groups"] for rule in group["rules"]]
    shown = [query for board in BOARDS for panel in board.panels() for query, _ in panel.queries]
    return [*(rule["expr"] for rule in rules), *shown]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (a) (rate(b_total{c="d"}[5m])) > 1 unless on (e) f offset 1h', {"b_total", "f"}),
        ("histogram_quantile(0.5, sum by (le) (rate(h_bucket[1h:1m]))) >= 0", {"h_bucket"}),
        ('absent(up{job="x"}) or vector(1)', {"up"}),
        ("slo:a:b1h / 0.001 and time() - x > 6e5", {"slo:a:b1h", "x"}),
    ],
)
def test_the_metrics_of_an_expression_are_found(expression: str, names: set[str]) -> None:
    assert metrics_of(expression) == names


def test_every_metric_that_is_shown_or_alerted_on_is_exported() -> None:
    known = {name for names in exported() for name in names} | FROM_OTHERS | recorded()
    for expression in all_expressions():
        used = metrics_of(expression)
        assert used <= known, f"{expression}: {used - known}"


def test_every_metric_of_ours_that_is_exported_is_shown_or_alerted_on() -> None:
    used = {name for expression in all_expressions() for name in metrics_of(expression)}
    ours = [names for names in exported() if all(name.startswith("bowerbird_") for name in names)]
    assert not [sorted(names) for names in ours if not names & used]


def test_what_is_said_of_exporters_is_used() -> None:
    used = {name for expression in all_expressions() for name in metrics_of(expression)}
    assert used >= FROM_OTHERS


def test_each_threshold_of_an_objective_is_a_boundary_of_its_histogram() -> None:
    for name in registry.NAMES:
        registry.find(name)
    histograms = {
        f"{each._name}_bucket": {float(end) for end in each._kwargs["buckets"]}
        for each in prometheus_client.REGISTRY._collector_to_names
        if isinstance(each, prometheus_client.Histogram)
    }
    for slo in SLOS:
        for name, matchers in re.findall(r"(\w+_bucket)\{([^}]*)\}", slo.errors):
            (limit,) = re.findall(r'le="([^"]+)"', matchers)
            # As the client writes them, an end is a float.
            assert limit == str(float(limit))
            assert float(limit) in histograms[name], f"{slo.name}: {name} has no bucket that ends at {limit}"
