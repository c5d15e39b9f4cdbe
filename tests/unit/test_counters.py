"""Counters begin at zero for every label that is known: the first dead letter or refusal is an increase."""

import importlib
import pkgutil

import pytest
from prometheus_client import REGISTRY, Counter

import libs
import services

# What begins when the thing that it counts is made: consumers, routes, kinds of what is kept, registries, a process.
_BY_INSTANCE = {
    "bowerbird_http_requests",
    "bowerbird_retention_removed",
    "bowerbird_verifier_registry_reads",
    "bowerbird_events_published",
    "bowerbird_access_refused",
}


def counters() -> list[Counter]:
    """Return every counter of ours."""
    for package in (libs, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "metrics" in module.name or module.name.endswith(".service"):
                importlib.import_module(module.name)
    found = {collector for collector in REGISTRY._collector_to_names if isinstance(collector, Counter)}
    return sorted((each for each in found if each._name.startswith("bowerbird_")), key=lambda each: each._name)


@pytest.mark.parametrize("counter", counters(), ids=lambda counter: counter._name)
def test_a_counter_is_there_before_anything_was_counted(counter: Counter) -> None:
    assert counter._name in _BY_INSTANCE or "consumer" in counter._labelnames or next(iter(counter.collect())).samples
