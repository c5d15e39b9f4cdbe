"""The whole stack for the fault tests: four services beside the shared MongoDB and Kafka, and a mail server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from deploy.embedded.stack import Stack
from tests.faults.hurried import hurry, unhurry
from tests.faults.scenario import SERVICES

FIRST: Final = ("test_databases_set_back.py", "test_restore.py")
"""These copy, restore, publish again and compare everything that there is, however many tests have left it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put those first among the fault tests, while there is little."""
    folder = Path(__file__).parent
    places = [place for place, item in enumerate(items) if item.path.parent == folder]
    ordered = sorted((items[place] for place in places), key=lambda item: item.path.name not in FIRST)
    for place, item in zip(places, ordered, strict=True):
        items[place] = item


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
