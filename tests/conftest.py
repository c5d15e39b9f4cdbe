"""What tests share: a time limit for each, and the real MongoDB and Kafka, started once on ports of their own."""

import asyncio
import functools
import inspect
import os
import shutil
from collections.abc import Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Final

import pytest

from deploy.embedded.services import OWN
from deploy.embedded.stack import Stack
from tests.forking import Forking

PORT_OFFSET = int(os.environ.get("TEST_PORT_OFFSET", "500"))
SECONDS: Final = {"unit": 120, "contract": 120, "integration": 300, "faults": 600, "e2e": 600}
"""How long a test may take, by its folder, with what it starts first: many times what it needs on an idle machine."""
_LATER_SECONDS: Final = 15
_COMPUTING: Final = 3
"""A test that does not wait in an event loop computes, and a busy machine makes that three times as long."""
QUICK: Final = {"BOWERBIRD_KAFKA_SESSION_SECONDS": "3"}
"""Every test that kills a service waits this long until its partitions are given to the next one; 15 s by default."""


def limited(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    """Return the test with a time limit, whose failure shows where it waited: an alarm would show the event loop."""

    @functools.wraps(test)
    async def within_limit(*args: object, **kwargs: object) -> None:
        async with asyncio.timeout(seconds):
            await test(*args, **kwargs)

    return within_limit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its limit; one that needs another says so with the marker `timeout`."""
    for item in items:
        marker = item.get_closest_marker("timeout")
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        seconds = float(marker.args[0]) if marker else SECONDS[folder]
        waits = isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj)
        if isinstance(item, pytest.Function) and waits:
            item.obj = limited(item.obj, seconds)
        alarm = seconds + _LATER_SECONDS if waits or marker else _COMPUTING * seconds
        item.add_marker(pytest.mark.timeout(alarm), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show below a failure what each process of the test's stack wrote last: the cause is mostly there, not here."""
    report = yield
    if report.failed:
        stacks = {id(each): each for each in getattr(item, "funcargs", {}).values() if isinstance(each, Stack)}
        for stack in stacks.values():
            for name, lines in stack.last_words().items():
                report.sections.append((f"the end of {name}'s log", lines))
    return report


@pytest.fixture(scope="session")
def apache_kafka() -> None:
    """What Apache Kafka needs is on this machine; else the test is skipped."""
    if shutil.which("java") is None or shutil.which("mvn") is None:
        assert "CI" not in os.environ, "continuous integration proves delivery, so it needs Java 17 and Maven"
        pytest.skip("NOT PROVEN HERE: Java 17 and Maven are missing, so there is no Apache Kafka to test against")


@pytest.fixture(scope="session")
def infrastructure(apache_kafka: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """MongoDB and Apache Kafka, with topics and indexes in place."""
    place = Path(tmp_path_factory.mktemp("stack"))
    with Forking() as forking, Stack(place, PORT_OFFSET, spawn=forking.spawn) as stack:
        for service in OWN:
            stack.configure(service, QUICK)
        stack.start("mongodb", "kafka")
        stack.start("setup")
        yield stack
