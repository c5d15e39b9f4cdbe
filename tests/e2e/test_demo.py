"""The demo on a whole stack: its sums, its pages, and that killing a process changes no number."""

import asyncio
import io
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from rich.console import Console

from demo.api import Endpoints
from demo.command import run
from demo.data import Department, School, SchoolFile, department
from demo.expectation import expected
from demo.job import Result, follow_all
from demo.summary import as_json
from demo.uploads import Uploader
from deploy.embedded.secrets import issuer_list_key_file
from deploy.embedded.stack import Stack
from libs.openbadges.crypto.did import did_key, did_web_url, verification_method
from libs.openbadges.issue.signing import prepare, sign
from services.issuer.registry.publication import read_list_key
from tests.e2e.conftest import SERVICES, FirstRun
from tests.waiting import eventually

pytestmark = pytest.mark.integration

KILLED = ("evidence", "issuer", "kafka", "verifier", "mongodb", "notifier", "smtp")
MAILS_IN_FLIGHT = 16
"""The default of BOWERBIRD_SMTP_CONNECTIONS."""


def by_the_rules(data: Department) -> dict[str, object]:
    return as_json({school.id: expected(school) for school in data.schools})


def a_badge(problem: str) -> str:
    """The first badge page that the demo tells the newcomer to look at."""
    found = re.search(r"http://\S+/badges/\S+", problem)
    assert found is not None
    return found[0]


def page(address: str) -> str:
    answer = httpx.get(address, headers={"Accept": "text/html"}, trust_env=False)
    assert answer.status_code == 200
    return re.sub(r"<style.*?</style>|<[^>]+>", " ", answer.text, flags=re.DOTALL)


def test_the_numbers_of_the_demo_are_those_of_the_rules(stack: Stack, first_run: FirstRun) -> None:
    assert "Everything adds up." in first_run.printed
    summary = json.loads((stack.layout.var / "demo" / "summary.json").read_text())
    assert summary == by_the_rules(department())
    assert summary["verified"] == summary["issued"] > 300
    assert summary["mailed"] == first_run.mails


def test_a_second_demo_on_the_same_stack_tells_the_same_numbers(stack: Stack, first_run: FirstRun) -> None:
    again = io.StringIO()
    assert run(stack.layout, Console(file=again, width=200)) == 0, again.getvalue()
    assert again.getvalue().partition("Values Week:")[2] == first_run.printed.partition("Values Week:")[2]


def test_the_badge_page_shows_pass_for_every_check(endpoints: Endpoints, first_run: FirstRun) -> None:
    address = a_badge(first_run.printed)
    report = httpx.post(f"{endpoints.verifier}/v1/verify", json={"url": address}, trust_env=False).json()
    assert report["verdict"] == "pass"
    assert {check["outcome"] for check in report["checks"]} == {"pass"}
    shown = page(address)
    assert "real and still good" in shown
    assert shown.count("Passed.") == len(report["checks"])
    assert "Failed" not in shown
    assert "Could not check" not in shown


def test_a_revoked_badge_shows_it_within_seconds(endpoints: Endpoints, first_run: FirstRun) -> None:
    command = re.search(r"curl -H @(\S+) .* -d '(.+)' (http\S+/credentials/(\S+)/revoke)", first_run.printed)
    assert command is not None
    header, body, url, credential = command.groups()
    name, _, value = Path(header).read_text().strip().partition(": ")
    headers = {name: value, "Content-Type": "application/json"}
    answer = httpx.post(url, headers=headers, content=body, timeout=30, trust_env=False)
    assert answer.status_code in {200, 202}
    badge = f"{endpoints.verifier}/badges/{credential}"
    document = httpx.get(f"{badge}/credential.json", trust_env=False).json()

    def verdict() -> str:
        sent = {"credential": document}
        report = httpx.post(f"{endpoints.verifier}/v1/verify", json=sent, timeout=30, trust_env=False).json()
        return str(report["verdict"])

    eventually(lambda: "has been revoked" in page(badge), seconds=10)
    # Whoever holds the document alone learns of it from the status list.
    eventually(lambda: verdict() == "fail", seconds=10)


def test_elsewhere_a_school_is_known_by_the_list_that_is_served_here_and_no_stranger_of_its_name(
    stack: Stack, endpoints: Endpoints, first_run: FirstRun, tmp_path: Path
) -> None:
    badge = httpx.get(f"{a_badge(first_run.printed)}/credential.json", trust_env=False)
    document = badge.json()
    issuer = document["issuer"]["id"]
    key = read_list_key(issuer_list_key_file(stack.layout))
    stranger = {name: value for name, value in document.items() if name not in {"proof", "credentialStatus"}}
    stranger |= {"id": "https://x.example/1", "issuer": {**document["issuer"], "id": did_key(key.public_multibase)}}
    method = verification_method(did_key(key.public_multibase), key.public_multibase)
    texts = {
        "badge.json": badge.text,
        "did.json": httpx.get(did_web_url(issuer, "http"), trust_env=False).text,
        "authority.json": httpx.get(f"{endpoints.verifier}/.well-known/did.json", trust_env=False).text,
        "status.json": httpx.get(document["credentialStatus"]["statusListCredential"], trust_env=False).text,
        "issuers.jwt": httpx.get(f"{endpoints.verifier}/issuers/list.jwt", trust_env=False).text,
        "stranger.json": sign(prepare(stranger), key, method, datetime.now(UTC)),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    given = [
        "--did-document=did.json",
        "--did-document=authority.json",
        "--status-list=status.json",
        "--registry=issuers.jwt",
        "--json",
    ]
    trusted = ["--registry-signer", did_key(key.public_multibase)]
    for name, standing, registry in (
        ("badge.json", "listed", stack.layout.address("verifier")),
        ("stranger.json", "unknown", None),
    ):
        command = [sys.executable, "-m", "bowerbird", "verify", name, *given, *trusted]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        report = json.loads(done.stdout)
        assert (report["verdict"], done.returncode) == ("pass", 0)
        assert (report["signer"]["standing"], report["signer"]["registry"]) == (standing, registry)


def elsewhere(data: Department, name: str) -> Department:
    """The same data in a department and schools of other names, so that nothing of it was sent before."""
    schools = tuple(replace(school, id=f"{name}-{school.id}") for school in data.schools)
    return replace(data, id=f"{name}-{data.id}", schools=schools)


class Gate:
    """Lets the demo begin a file only when so many kills are done as its place among the files asks for.

    However fast the machine: the first kill falls behind the start of the first file, the last one before the last.
    """

    def __init__(self, data: Department) -> None:
        self._last = sum(file.sendings for school in data.schools for file in school.files) - 1
        self._begun = 0
        self.kills = 0

    async def begin_file(self) -> None:
        while self.kills < len(KILLED) * self._begun // self._last:  # noqa: ASYNC110  # another thread counts
            await asyncio.sleep(0.05)
        self._begun += 1

    @property
    def is_time_to_kill(self) -> bool:
        return self._begun > self.kills * self._last // len(KILLED)

    def open(self) -> None:
        self.kills = len(KILLED)


def gated(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    send = Uploader._send

    async def wait_and_send(self: Uploader, school: School, file: SchoolFile, sending: int) -> dict[str, Any]:
        await gate.begin_file()
        return await send(self, school, file, sending)

    monkeypatch.setattr(Uploader, "_send", wait_and_send)


def supervise(stack: Stack) -> None:
    """A service whose connection to Kafka broke for good ends itself; what supervises it starts it again."""
    stack.start(*SERVICES, wait=0)
    time.sleep(0.1)


def mails(stack: Stack) -> set[str]:
    return {path.name for path in stack.layout.mail.glob("*.eml")}


def sent_deliveries(stack: Stack, data: Department) -> set[str]:
    schools = [school.id for school in data.schools]
    with MongoClient[dict[str, Any]](stack.mongo_url, uuidRepresentation="standard") as client:
        found = client["notifier"]["deliveries"].find({"issuer_id": {"$in": schools}, "state": "sent"})
        return {str(each["_id"]) for each in found}


def test_killing_each_process_during_the_demo_changes_no_number(
    stack: Stack, endpoints: Endpoints, first_run: FirstRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = elsewhere(department(), "killed")
    found: list[Result] = []
    output = io.StringIO()
    gate = Gate(data)
    gated(gate, monkeypatch)
    earlier = mails(stack)

    def follow() -> None:
        found.append(asyncio.run(follow_all(endpoints, data, Console(file=output))))

    job = threading.Thread(target=follow, daemon=True)
    job.start()
    try:
        for name in KILLED:
            while job.is_alive() and not gate.is_time_to_kill:
                supervise(stack)
            stack.restart(name)
            assert job.is_alive(), f"the job had ended when {name} was killed: {output.getvalue()}"
            gate.kills += 1
    finally:
        gate.open()
    while job.is_alive():
        supervise(stack)
    assert found, output.getvalue()
    assert as_json(found[0].tallies) == by_the_rules(data)

    # A file is named after its mail's Message-ID, and a mail that came again under the same one has a file more.
    times = Counter(name.partition("@")[0] for name in mails(stack) - earlier)
    assert times.keys() == sent_deliveries(stack, data)
    assert len(times) == sum(tally.mailed for tally in found[0].tallies.values())
    # Only what was between two of us when one was killed may come again: the notifier once, the mail server once.
    assert times.total() - len(times) <= 2 * MAILS_IN_FLIGHT
