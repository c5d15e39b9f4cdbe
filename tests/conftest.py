"""What tests share: the real MongoDB and Kafka, started once, on ports of their own beside a running demo."""

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from deploy.embedded.stack import Stack

PORT_OFFSET = int(os.environ.get("TEST_PORT_OFFSET", "500"))


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
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """MongoDB and Apache Kafka, with topics and indexes in place."""
    if shutil.which("java") is None or shutil.which("mvn") is None:
        assert "CI" not in os.environ, "continuous integration proves delivery, so it needs Java 17 and Maven"
        pytest.skip("NOT PROVEN HERE: Java 17 and Maven are missing, so there is no Apache Kafka to test against")
    with Stack(Path(tmp_path_factory.mktemp("stack")), PORT_OFFSET) as stack:
        stack.start("mongodb", "kafka")
        stack.start("setup")
        yield stack
