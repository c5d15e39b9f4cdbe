"""The stack as the fault tests run it: nobody waits as long as in production, and services obey orders to die."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from deploy.embedded.stack import Stack
from tests.conftest import QUICK
from tests.faults.armed import VARIABLE
from tests.faults.scenario import SERVICES

# Production waits minutes before it mails again, and spares the mail servers of others.
_NOTIFIER: Final = {
    "BOWERBIRD_DOMAIN_RATE": "1000",
    "BOWERBIRD_DOMAIN_BURST": "1000",
    "BOWERBIRD_LEASE_SECONDS": "5",
    "BOWERBIRD_RETRY_FIRST_SECONDS": "1",
    "BOWERBIRD_RETRY_LOST_SECONDS": "1",
    "BOWERBIRD_RETRY_LONGEST_SECONDS": "4",
    "BOWERBIRD_SMTP_ACCEPT_SECONDS": "5",
    # Each scenario has the same learners again, who get more mails in a minute than a person does in weeks.
    "BOWERBIRD_RECIPIENT_MAILS_AT_ONCE": "10000",
}


def order_file(stack: Stack, service: str) -> Path:
    """Return where a test writes at which failpoint the service is to be killed."""
    return stack.layout.run / f"{service}.order"


def hurry(stack: Stack, more: Mapping[str, Mapping[str, str]] = MappingProxyType({})) -> None:
    """For every later start of our services, with further variables by service."""
    for service in SERVICES:
        environment = {
            **QUICK,
            **(_NOTIFIER if service == "notifier" else {}),
            **more.get(service, {}),
            VARIABLE: str(order_file(stack, service)),
        }
        stack.configure(service, environment, module="tests.faults.armed")


def unhurry(stack: Stack) -> None:
    """As every other test starts them."""
    for service in SERVICES:
        stack.configure(service, QUICK)
