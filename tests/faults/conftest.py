"""The whole stack for the fault tests: four services beside the shared MongoDB and Kafka, and a mail sink."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.stack import Stack
from tests.faults.armed import VARIABLE
from tests.faults.scenario import SERVICES

# Production gives a silent member time, waits minutes before it mails again, and spares the mail servers of others.
HURRY = {
    "evidence": {},
    "issuer": {},
    "verifier": {},
    "notifier": {
        "BOWERBIRD_DOMAIN_RATE": "1000",
        "BOWERBIRD_DOMAIN_BURST": "1000",
        "BOWERBIRD_LEASE_SECONDS": "5",
        "BOWERBIRD_RETRY_FIRST_SECONDS": "1",
        "BOWERBIRD_RETRY_LOST_SECONDS": "1",
        "BOWERBIRD_RETRY_LONGEST_SECONDS": "4",
        "BOWERBIRD_SMTP_ACCEPT_SECONDS": "5",
    },
}
HURRY_ALL = {"BOWERBIRD_KAFKA_SESSION_SECONDS": "3"}


def order_file(stack: Stack, service: str) -> Path:
    """Where a test writes at which failpoint the service is to be killed."""
    return stack.layout.run / f"{service}.order"


@pytest.fixture(scope="package")
def stack(infrastructure: Stack) -> Iterator[Stack]:
    """Everything up; a test leaves it up, whatever it did to it."""
    for service in SERVICES:
        environment = {**HURRY_ALL, **HURRY[service], VARIABLE: str(order_file(infrastructure, service))}
        infrastructure.configure(service, environment, module="tests.faults.armed")
    infrastructure.start("smtp", *SERVICES)
    yield infrastructure
    infrastructure.stop(*SERVICES, "smtp")
    for service in SERVICES:
        infrastructure.configure(service, {})
