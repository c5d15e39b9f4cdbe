"""The whole stack for the fault tests: four services beside the shared MongoDB and Kafka, and a mail sink."""

from collections.abc import Iterator

import pytest

from deploy.embedded.stack import Stack

SERVICES = ("evidence", "issuer", "verifier", "notifier")
# A temporary failure is tried again after minutes in production; a test does not wait for that.
FAST_RETRIES: dict[str, str] = {}


@pytest.fixture(scope="session")
def stack(infrastructure: Stack) -> Iterator[Stack]:
    """Everything up; a test leaves it up, whatever it did to it."""
    infrastructure.start("smtp")
    for service in SERVICES:
        infrastructure.start(service, env=FAST_RETRIES if service == "notifier" else None, wait=0)
    infrastructure.wait_ready(*SERVICES)
    yield infrastructure
    infrastructure.stop(*SERVICES, "smtp")
