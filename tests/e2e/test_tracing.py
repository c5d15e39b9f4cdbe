"""One trace id goes with a piece of evidence from the caller's request to the last consumer, and into every log."""

import json
import re
from uuid import uuid4

import httpx
import pytest

from demo.api import Endpoints
from demo.data import department
from deploy.embedded.stack import Stack
from tests.e2e.conftest import FirstRun
from tests.waiting import eventually

pytestmark = pytest.mark.integration

# Every consumer that the evidence, its contact and its credential pass through, and the edge where it came in.
UNITS = {
    "evidence": {"request", "evidence-batches", "evidence-decisions"},
    "issuer": {"issuer-evidence"},
    "verifier": {"verifier-documents"},
    "notifier": {"notifier-contacts", "notifier-decisions"},
}


def units_of_work(stack: Stack, service: str, trace: str) -> set[str]:
    """A log's canonical lines that name the trace: by consumer, whichever member it was, else by event."""
    lines = stack.log(service).read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines if trace in line]
    return {re.sub(r"-\d+$", "", each.get("consumer", each["event"])) for each in found}


def test_the_trace_of_a_request_is_in_the_line_of_every_consumer(
    stack: Stack, endpoints: Endpoints, first_run: FirstRun
) -> None:
    trace = uuid4().hex
    school = department().schools[0]
    name, _, value = (stack.layout.secrets / f"demo-{school.id}.header").read_text().strip().partition(": ")
    evidence = {
        "source_id": f"traced-{trace}",
        "learner_id": f"T-{trace}",
        "learner_email": f"{trace}@students.example",
        "achievement": "resilience",
        "level": "relational",
        "date": "2026-10-12",
        "activity": "Raft building",
    }
    headers = {name: value, "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    answer = httpx.post(
        f"{endpoints.evidence}/v1/evidence", headers=headers, json=evidence, timeout=30, trust_env=False
    )
    assert answer.status_code == 202, answer.text
    for service, units in UNITS.items():
        eventually(lambda: units <= units_of_work(stack, service, trace), seconds=60)  # noqa: B023  # at once
