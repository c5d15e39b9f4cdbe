"""`bowerbird submit` against the evidence service's own routes: what it shows, sends, waits for, writes and answers."""

import csv
import gzip
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from bowerbird import evidence_api, service_api
from bowerbird.cli import app as command
from bowerbird.evidence_files import EvidenceFile, opened
from libs.access.key_text import new_key
from libs.contracts.events import Outcome
from services.evidence.sources.forms import CSV, NDJSON, XLSX, ZIP
from tests.evidence_doubles import MemoryBatches, Published, decided, evidence_app
from tests.workbooks import GOOD, HEADER, packed, workbook

Run = Callable[..., tuple[int, str, str]]
ROWS = [["VW-1", "S1", "resilience", "relational", "", "2026-03-09", "Raft", ""],
        ["VW-2", "S2", "resilience", "wrong", "", "9/3/2026", "Raft", ""]]  # fmt: skip


class Service:
    """The evidence service and an issuer that decides whenever the command waits."""

    def __init__(self) -> None:
        self.batches, self.published = MemoryBatches(), Published()
        self.app = evidence_app(self.batches, self.published, uuid4, longest_row=65_536)
        self.away = 0
        self.outcome: Outcome | None = Outcome.ISSUED
        self.asked: list[str] = []

    async def handle(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.asked.append(f"{request.method} {request.url.path}")
        if self.away:
            self.away -= 1
            raise httpx.ConnectError("away")
        return await httpx.ASGITransport(self.app).handle_async_request(request)

    async def pause(self, _seconds: float) -> None:
        if self.outcome is not None:
            reason = None if self.outcome is Outcome.ISSUED else "score_needed"
            await self.batches.decide([decided(each, self.outcome, reason) for each in self.published.submissions])


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def run(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def client(url: str, _key: str) -> httpx.AsyncClient:
        transport = httpx.MockTransport(service.handle)
        return httpx.AsyncClient(transport=transport, base_url=url, headers={"Authorization": "Bearer north"})

    key_file = tmp_path / "school.key"
    key_file.write_text(new_key(), "ascii")
    key_file.chmod(0o600)
    monkeypatch.setattr(service_api, "client", client)
    monkeypatch.setattr(evidence_api, "wait", service.pause)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: str | Path) -> tuple[int, str, str]:
        with capture_logs():
            argv = ["submit", *map(str, words), "--key-file", str(key_file)]
            status: Any = command(argv, exit_on_error=False, result_action="return_value")
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "week.csv"
    with path.open("w", encoding="utf-8", newline="") as written:
        csv.writer(written).writerows([HEADER, *ROWS])
    return path


def test_a_file_is_shown_sent_decided_and_what_failed_is_written_beside_it(
    run: Run, service: Service, file: Path
) -> None:
    status, told, problem = run(file)
    assert (status, problem) == (2, "")
    assert "achievement (public)" in told
    assert "level_unknown" in told and "date_form" in told
    assert "2 rows: 1 issued, 1 refused" in told
    beside = file.with_name("week.failed.csv")
    assert str(beside) in told.replace("\n", "")
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    (failed,) = csv.DictReader(beside.read_text("utf-8-sig").splitlines())
    assert (failed["source_id"], failed["failed_sheet_row"], failed["level"]) == ("VW-2", "3", "wrong")
    mended = beside.read_text("utf-8").replace('"wrong"', '"relational"', 1).replace('"9/3/2026"', '"2026-03-09"', 1)
    beside.write_text(mended, "utf-8")
    status, told, _ = run(beside)
    assert status == 0
    assert "1 rows: 1 issued" in told
    assert len(service.published.submissions) == 2


def test_the_same_file_again_changes_nothing_and_overwrites_nothing(run: Run, service: Service, file: Path) -> None:
    run(file)
    beside = file.with_name("week.failed.csv")
    assert run(file)[0] == 2
    assert len(service.published.submissions) == 1
    assert [each.name for each in file.parent.glob("*.failed*")] == ["week.failed.csv"]
    beside.write_text("begun to correct", "utf-8")
    assert run(file)[0] == 2
    assert beside.read_text("utf-8") == "begun to correct"
    assert file.with_name("week.failed-2.csv").exists()
    assert len(service.batches.batches) == 1


def test_a_dry_run_sends_nothing_and_says_by_its_status_whether_rows_would_be_refused(
    run: Run, service: Service, file: Path
) -> None:
    status, told, _ = run(file, "--dry-run")
    assert status == 2
    assert "1 rows would be taken in, 1 refused" in told
    status, told, shown = run(file, "--dry-run", "--json")
    assert (status, orjson.loads(told)["counts"]["refused"]) == (2, 1)
    assert "would be taken in" in shown
    status, _, problem = run(file, "--whole")
    assert (status, "nothing was sent: 1 rows would be refused" in problem) == (1, True)
    file.write_text("\n".join([",".join(HEADER), ",".join(ROWS[0])]), "utf-8")
    assert run(file, "--dry-run")[0] == 0
    assert not service.batches.batches
    assert run(file, "--whole")[0] == 0
    assert len(service.batches.batches) == 1


def test_the_batch_is_printed_for_programs(run: Run, file: Path) -> None:
    status, told, _ = run(file, "--json")
    batch = orjson.loads(told)
    assert (status, batch["complete"], batch["counts"]["issued"]) == (2, True, 1)


def test_rows_that_are_refused_when_they_are_decided_come_back_too(run: Run, service: Service, file: Path) -> None:
    service.outcome = Outcome.REFUSED
    assert run(file)[0] == 2
    beside = csv.DictReader(file.with_name("week.failed.csv").read_text("utf-8-sig").splitlines())
    assert [row["failed_code"] for row in beside] == ["score_needed", "level_unknown | date_form"]


def test_who_does_not_wait_or_waits_in_vain_is_told_that_rows_are_not_decided(
    run: Run, service: Service, file: Path
) -> None:
    assert run(file, "--no-wait")[0] == 3
    service.outcome = None
    status, told, _ = run(file, "--patience", "0")
    assert (status, "1 rows are not decided yet" in told) == (3, True)


def test_a_service_that_is_away_for_a_while_is_sent_the_file_again_and_takes_it_once(
    run: Run, service: Service, file: Path
) -> None:
    service.away = 3
    assert run(file)[0] == 2
    assert len(service.published.submissions) == 1
    service.away = 5
    status, _, problem = run(file)
    assert (status, "does not answer (ConnectError)" in problem) == (1, True)


def test_columns_that_are_wrong_are_named_with_what_they_may_mean(run: Run, file: Path) -> None:
    file.write_text(file.read_text("utf-8").replace("learner_id", "student_code"), "utf-8")
    status, _, problem = run(file)
    assert status == 1
    assert "student_code: this column is not known: did you mean learner_id?" in problem


@pytest.mark.parametrize("content", [None, b""])
def test_a_file_that_is_not_there_or_empty_is_one_sentence(run: Run, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "none.csv"
    if content is not None:
        path.write_bytes(content)
    status, told, problem = run(path)
    assert (status, told, problem.count("\n")) == (1, "", 1)
    assert "none.csv" in problem


def test_a_key_of_others_or_none_is_refused_before_anything_is_sent(
    run: Run, service: Service, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "school.key").chmod(0o644)
    status, _, problem = run(file)
    assert (status, "chmod 600" in problem, service.asked) == (1, True, [])


TEXT = ",".join(HEADER).encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "content", "media_type", "gzipped"),
    [
        ("week.xlsx", workbook(GOOD), XLSX, False),
        ("misnamed.csv", workbook(GOOD), XLSX, False),
        ("week.zip", packed({"week.csv": TEXT}), ZIP, False),
        ("week.csv.gz", gzip.compress(TEXT), CSV, True),
        ("week", b'\xef\xbb\xbf {"source_id": "1"}\n', NDJSON, False),
        ("week.json.gz", gzip.compress(b'{"source_id": "1"}\n'), NDJSON, True),
        ("week.txt", TEXT, CSV, False),
    ],
)
def test_the_form_of_a_file_is_told_by_its_content(
    tmp_path: Path, name: str, content: bytes, media_type: str, gzipped: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    found = opened(path)
    assert isinstance(found, EvidenceFile)
    assert (found.media_type, found.gzipped, found.size) == (media_type, gzipped, len(content))
    assert b"".join(found.pieces()) == content


def test_a_workbook_is_sent_as_it_is(run: Run, service: Service, tmp_path: Path) -> None:
    path = tmp_path / "week.xlsx"
    path.write_bytes(workbook(GOOD))
    assert run(path)[0] == 0
    assert len(service.published.submissions) == 1


def test_help_says_what_it_does_and_what_each_status_means(capsys: pytest.CaptureFixture[str]) -> None:
    command(["submit", "--help"], exit_on_error=False, result_action="return_value")
    told = " ".join(capsys.readouterr().out.split())
    for said in ("changes nothing", "FILE.failed.csv", "Exit status: 0", "3 rows are not decided yet", "--dry-run"):
        assert said in told
