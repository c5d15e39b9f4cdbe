"""What end-to-end tests share: the whole stack, and one run of the demo on it."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from rich.console import Console

from demo.api import Endpoints
from demo.command import endpoints_of, run
from deploy.embedded.services import OWN
from deploy.embedded.stack import Stack
from tests.conftest import QUICK

SERVICES = ("smtp", "evidence", "issuer", "verifier", "notifier")


@pytest.fixture(scope="package")
def stack(infrastructure: Stack) -> Iterator[Stack]:
    """The whole stack, through which synthetic learners go beside whatever a test sends."""
    for service in OWN:
        infrastructure.configure(service, {**QUICK, "BOWERBIRD_CANARY_SECONDS": "1"})
    infrastructure.start(*SERVICES)
    yield infrastructure
    infrastructure.stop(*reversed(SERVICES))
    for service in OWN:
        infrastructure.configure(service, QUICK)


@pytest.fixture(scope="package")
def endpoints(stack: Stack) -> Endpoints:
    return endpoints_of(stack.layout)


@dataclass(frozen=True)
class FirstRun:
    """What the first run of the demo printed, and how many learners' mails lay in the sink when it ended."""

    printed: str
    mails: int


@pytest.fixture(scope="package")
def first_run(stack: Stack) -> FirstRun:
    output = io.StringIO()
    assert run(stack.layout, Console(file=output, width=200)) == 0, output.getvalue()
    mails = [path for path in stack.layout.mail.glob("*.eml") if b"@students." in path.read_bytes()]
    return FirstRun(output.getvalue(), len(mails))
