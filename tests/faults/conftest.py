"""The whole stack for the fault tests: four services beside the shared MongoDB and Kafka, and a mail server."""

from collections.abc import Iterator

import pytest

from deploy.embedded.stack import Stack
from tests.faults.hurried import hurry, unhurry
from tests.faults.scenario import SERVICES


@pytest.fixture(scope="package")
def stack(infrastructure: Stack) -> Iterator[Stack]:
    """Everything up; a test leaves it up, whatever it did to it."""
    # Services that other tests of this session have left running obey no orders.
    infrastructure.stop(*SERVICES)
    hurry(infrastructure)
    infrastructure.start("smtp", *SERVICES)
    yield infrastructure
    infrastructure.stop(*SERVICES, "smtp")
    unhurry(infrastructure)
