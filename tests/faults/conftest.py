"""The whole stack for the fault tests: four services beside the shared MongoDB and Kafka, and a mail sink."""

from collections.abc import Iterator

import pytest

from deploy.embedded.stack import Stack
from tests.faults.scenario import SERVICES

# Production gives a silent member time, waits minutes before it mails again, and spares the mail servers of others.
HURRY = {"BOWERBIRD_KAFKA_SESSION_SECONDS": "6"}
HURRY_MAIL = HURRY | {
    "BOWERBIRD_DOMAIN_RATE": "1000",
    "BOWERBIRD_DOMAIN_BURST": "1000",
    "BOWERBIRD_LEASE_SECONDS": "5",
    "BOWERBIRD_RETRY_FIRST_SECONDS": "1",
    "BOWERBIRD_RETRY_LOST_SECONDS": "1",
    "BOWERBIRD_RETRY_LONGEST_SECONDS": "4",
    "BOWERBIRD_SMTP_ACCEPT_SECONDS": "5",
}


@pytest.fixture(scope="package")
def stack(infrastructure: Stack) -> Iterator[Stack]:
    """Everything up; a test leaves it up, whatever it did to it."""
    for service in SERVICES:
        infrastructure.configure(service, HURRY_MAIL if service == "notifier" else HURRY)
    infrastructure.start("smtp", *SERVICES)
    yield infrastructure
    infrastructure.stop(*SERVICES, "smtp")
    for service in SERVICES:
        infrastructure.configure(service, {})
