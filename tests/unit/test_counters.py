"""Counters begin at zero for every label that is known: the first dead letter or refusal is an increase."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, Counter

import libs
import services

ROOT = Path(__file__).parents[2]
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


def counted_under_literals() -> list[tuple[str, str, tuple[str, ...]]]:
    """Return of each place that counts under values written there: its module, the counter as named, the values."""
    found = []
    for package in (libs, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            path = ROOT / module.name.replace(".", "/")
            source = path / "__init__.py" if module.ispkg else path.with_suffix(".py")
            for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(func=ast.Attribute(value=counter, attr="labels"), args=args) if args:
                        values = tuple(str(each.value) for each in args if isinstance(each, ast.Constant))
                        if len(values) == len(args):
                            found.append((module.name, ast.unparse(counter), values))
    return found


@pytest.mark.parametrize(("module", "named", "values"), counted_under_literals())
def test_what_is_counted_under_a_value_written_in_the_code_began_at_zero(
    module: str, named: str, values: tuple[str, ...]
) -> None:
    counter: object = importlib.import_module(module)
    for part in named.split("."):
        counter = getattr(counter, part)
    assert isinstance(counter, Counter)
    assert any(tuple(sample.labels.values()) == values for sample in next(iter(counter.collect())).samples)
