"""`bowerbird conformance` as people start it: over real HTTPS, every instance issues what the verifier verifies."""

import asyncio
import json
import os
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import PORT_OFFSET
from tests.contract.vc_api_client import VC_ID, credential

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


def bowerbird(var: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BOWERBIRD_STACK_VAR": str(var),
        "BOWERBIRD_STACK_PORT_OFFSET": str(PORT_OFFSET),
    }
    argv = [sys.executable, "-m", "bowerbird", *words]
    return subprocess.run(argv, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=240, check=False)


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of an instance that runs in the background."""
    var = Path(tmp_path_factory.mktemp("conformance"))
    started = bowerbird(var, "conformance", "--background")
    try:
        assert started.returncode == 0, started.stderr
        assert "never for production" in started.stderr
        assert "module.exports" in started.stdout
        yield var
    finally:
        stopped = bowerbird(var, "conformance-down")
    assert "Stopped" in stopped.stdout


@pytest.fixture(scope="module")
def configuration(var: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((var / "conformance" / "configuration.json").read_text())
    return made


@pytest.fixture(scope="module")
def http(var: Path) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=str(var / "conformance" / "certificate.pem"))
    with httpx.Client(verify=context, timeout=60) as client:
        yield client


def test_every_instance_issues_over_https_what_the_verifier_verifies(
    configuration: dict[str, Any], http: httpx.Client
) -> None:
    verifier = configuration["verifiers"][0]["endpoint"]
    assert verifier.startswith("https://127.0.0.1:")
    for issuer in configuration["issuers"]:
        body = {"credential": credential(issuer=issuer["id"]), "options": {}}
        answer = http.post(issuer["endpoint"], json=body, headers=issuer["headers"])
        assert answer.status_code == 201, answer.text
        signed = answer.json()["verifiableCredential"]
        verified = http.post(verifier, json={"verifiableCredential": signed, "options": {}})
        assert verified.status_code == 200, verified.text
        assert http.post(issuer["endpoint"].partition("?")[0], json=body).status_code == 401


def test_a_status_is_set_over_https_and_its_list_is_public(configuration: dict[str, Any], http: httpx.Client) -> None:
    issuer = next(one for one in configuration["issuers"] if "Revocation" in one["tags"])
    lists = next(one for one in configuration["statusLists"] if "Revocation" in one["tags"])
    body = {"credential": credential(issuer=issuer["id"])}
    signed = http.post(issuer["endpoint"], json=body, headers=issuer["headers"]).json()["verifiableCredential"]
    wanted = {
        "credentialId": VC_ID,
        "credentialStatus": {"type": "BitstringStatusListEntry", "statusPurpose": "revocation"},
        "status": True,
    }
    assert http.post(lists["endpoint"], json=wanted, headers=lists["headers"]).status_code == 200
    answer = http.post(configuration["verifiers"][0]["endpoint"], json={"verifiableCredential": signed})
    assert answer.status_code == 400
    assert answer.json()["problemDetails"][0]["reason"] == "revoked"
    assert http.get(signed["credentialStatus"]["statusListCredential"]).status_code == 200


def test_what_is_kept_is_private_and_the_keys_stay_over_a_restart(var: Path, configuration: dict[str, Any]) -> None:
    for path in (var / "conformance").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    again = bowerbird(var, "conformance", "--background")
    assert again.returncode == 0
    assert configuration["issuers"][0]["id"] in again.stdout
    assert "runs already" in again.stderr


async def test_it_runs_in_the_foreground_until_it_is_interrupted(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BOWERBIRD_STACK_VAR": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bowerbird", "conformance", "--port", str(8544 + PORT_OFFSET),
        env=environment, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(120):
        while b"module.exports" not in await process.stdout.readline():
            pass
        while b"};" not in await process.stdout.readline():
            pass
        await asyncio.sleep(1)
        process.send_signal(2)
        await process.stdout.read()
        assert await process.wait() == 0
    assert not (tmp_path / "conformance" / "conformance.pid").exists()
