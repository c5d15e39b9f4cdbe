"""Clients that common generators make of the OpenAPI documents compile, and their calls are understood."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from subprocess import PIPE, STDOUT
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from bowerbird.registry import NAMES
from libs.openbadges.verify import CHECKS
from tests.evidence_doubles import MemoryBatches, Published, evidence_app
from tests.node_tools import installed
from tests.served import served
from tests.verifier_doubles import PUBLIC, MemoryRepository, School, application

ROOT = Path(__file__).parents[2]
DOCUMENTS = ROOT / "docs" / "api"
BADGE = UUID("0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11")
ARGUMENTS = ("north", f"{PUBLIC}/badges/{BADGE}")
EXPECTED = {
    "state": "accepted",
    "refused": ["level_unknown"],
    "missing": "urn:bowerbird:problem:not-found",
    "verdict": "pass",
    "checks": len(CHECKS),
}

# What openapi-python-client cannot send, where each call has another media type that it can, or give as an answer:
# pictures are for browsers, the list of issuers for verifiers. What the configuration leaves out is told as text/plain.
_LEFT_OUT = "text/plain"
_VERIFY = [_LEFT_OUT, _LEFT_OUT, "application/vc", "image/png", _LEFT_OUT]
_VERIFY += [
    "application/vc+jwt",
    "application/jwt",
    "application/jose",
    _LEFT_OUT,
    "text/plain",
    "application/pdf",
    *(f"image/{kind}" for kind in ("jpeg", "gif", "webp", "heic", "avif")),
    "application/x-ndjson",
]
_PICTURES = ["image/png", "image/png"]
_ISSUER_LIST = ["application/jwt"]
_VC_API = [_LEFT_OUT, _LEFT_OUT, "application/vc", _LEFT_OUT, _LEFT_OUT, "application/vp"]
_WHOLE_FILES = ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/zip"]
NOT_GENERATED = {
    "evidence": ["application/x-ndjson", "application/x-ndjson", *_WHOLE_FILES],
    "verifier": [*_VERIFY, *_PICTURES, *_ISSUER_LIST, *_VC_API],
}
PYTHON_CALL = """\
import json
import sys
from io import BytesIO
from uuid import UUID

from bowerbird_evidence import AuthenticatedClient
from bowerbird_evidence.api.evidence import list_batch_rows, read_batch, submit_evidence, upload_batch
from bowerbird_evidence.models import BatchView, Evidence, EvidenceLevel, Problem, RowPage
from bowerbird_evidence.types import File
from bowerbird_issuer.api.credentials import revoke_credential
from bowerbird_issuer.models import RevokeRequest, RevokeRequestReason
from bowerbird_notifier.api.deliveries import list_deliveries
from bowerbird_verifier import Client
from bowerbird_verifier.api.verification import verify
from bowerbird_verifier.models import BadgeQuestion, ReportView

evidence_url, verifier_url, key, badge_url = sys.argv[1:]
evidence = AuthenticatedClient(evidence_url, token=key)
sent = submit_evidence.sync(
    client=evidence,
    body=Evidence(
        source_id="vw-1",
        learner_id="S1",
        achievement="resilience",
        level=EvidenceLevel.RELATIONAL,
        date="2026-03-09",
        activity="Raft building",
    ),
)
assert isinstance(sent, BatchView), sent
rows = b"source_id,learner_id,achievement,level,date,activity\\nvw-2,S2,resilience,excellent,2026-03-09,Raft\\n"
uploaded = upload_batch.sync(client=evidence, body=File(BytesIO(rows)), source="sis", idempotency_key="file-1")
assert isinstance(uploaded, BatchView), uploaded
refused = list_batch_rows.sync(uploaded.id, client=evidence, state="refused")
assert isinstance(refused, RowPage), refused
missing = read_batch.sync(UUID(int=0), client=evidence)
assert isinstance(missing, Problem), missing
report = verify.sync(client=Client(verifier_url), body=BadgeQuestion(url=badge_url))
assert isinstance(report, ReportView), report
assert callable(revoke_credential.sync) and callable(list_deliveries.sync)
assert RevokeRequest(reason=RevokeRequestReason.OTHER)
print(
    json.dumps(
        {
            "state": sent.state,
            "refused": [row.reason for row in refused.rows],
            "missing": missing.type_,
            "verdict": report.verdict,
            "checks": len(report.checks),
        }
    )
)
"""


@pytest.fixture
def urls() -> Iterator[tuple[str, str]]:
    """The URLs of the evidence service and the verifier, over fakes of their stores."""
    repository, school = MemoryRepository(), School()
    repository.learn(school)
    repository.keep(BADGE, school.badge(BADGE))
    evidence = evidence_app(MemoryBatches(), Published(), uuid4)
    with capture_logs(), served(evidence) as evidence_url, served(application(repository)) as verifier_url:
        yield evidence_url, verifier_url


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    ran = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=PIPE,
        stderr=STDOUT,
        text=True,
        check=False,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def test_a_python_client_is_generated_type_checks_and_calls(tmp_path: Path, urls: tuple[str, str]) -> None:
    tools = Path(sys.executable).parent
    for service in NAMES:
        told = run(
            tools / "openapi-python-client", "generate", "--meta", "none",
            "--path", DOCUMENTS / f"{service}.json", "--config", ROOT / "docs" / "openapi-python-client.yml",
            "--output-path", tmp_path / f"bowerbird_{service}",
            cwd=tmp_path, env={"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        )  # fmt: skip
        left_out = re.findall(r"Unsupported content[ _]type ([^\s,)]+)", told)
        assert left_out == NOT_GENERATED.get(service, [])
        assert told.count("WARNING") == len(left_out), told
    (tmp_path / "call.py").write_text(PYTHON_CALL, "utf-8")
    checked = {"MYPYPATH": str(tmp_path), "MYPY_CACHE_DIR": str(tmp_path / "cache")}
    # The generator's own modules do not type-check (`__exit__` of its clients); what it says of our models must.
    run(
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        os.devnull,
        "--follow-imports",
        "silent",
        "call.py",
        cwd=tmp_path,
        env=checked,
    )
    printed = run(sys.executable, "call.py", *urls, *ARGUMENTS, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert json.loads(printed) == EXPECTED


def test_a_typescript_client_is_generated_compiles_and_calls(tmp_path: Path, urls: tuple[str, str]) -> None:
    packages = installed(ROOT / "tests" / "clients" / "typescript")
    for name in ("call.ts", "tsconfig.json", "package.json"):
        shutil.copy(packages / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    tools = packages / "node_modules" / ".bin"
    for service in NAMES:
        run(tools / "openapi-typescript", DOCUMENTS / f"{service}.json", "-o", f"{service}.d.ts", cwd=tmp_path)
    run(tools / "tsc", cwd=tmp_path)
    printed = run("node", "built/call.js", *urls, *ARGUMENTS, cwd=tmp_path)
    assert json.loads(printed) == EXPECTED
