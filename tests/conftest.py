"""What tests share: the real MongoDB and Kafka, started once, on ports of their own beside a running demo."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.stack import Stack

PORT_OFFSET = int(os.environ.get("TEST_PORT_OFFSET", "500"))


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
