"""The demo's files and the evidence service's door agree, row by row, on what is wrong with which."""

import gzip
from datetime import date

import pytest

from benchmarks.tenant import credentials_of, evidence
from demo.data import SchoolFile, department
from demo.files import content
from services.evidence.sources.csv_reader import CsvReader
from services.evidence.sources.ndjson import NdjsonReader
from services.evidence.sources.reader import Reader
from services.evidence.sources.refusals import Refusal
from services.evidence.sources.rows import Submission, read_row

TODAY = date(2026, 11, 23)
FILES = [file for school in department().schools for file in school.files]


def read(reader: Reader, plain: bytes) -> dict[int, Submission | Refusal]:
    raw = [*reader.feed(plain), *reader.finish()]
    return {number: each if isinstance(each, Refusal) else read_row(each, TODAY) for number, each in raw}


def read_file(file: SchoolFile) -> dict[int, Submission | Refusal]:
    plain = gzip.decompress(content(file)) if file.name.endswith(".gz") else content(file)
    reader = NdjsonReader(100_000) if ".ndjson" in file.name else CsvReader(100_000)
    return read(reader, plain)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_door_refuses_each_spoilt_row_for_the_reason_planned_and_takes_the_rest(file: SchoolFile) -> None:
    found = read_file(file)
    assert sorted(found) == list(range(1, len(file.rows) + 1))
    reasons = [row.reason.value if isinstance(row := found[number], Refusal) else "" for number in sorted(found)]
    assert reasons == [row.refused for row in file.rows]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_the_door_takes_says_what_the_school_wrote(file: SchoolFile) -> None:
    for number, read_as in read_file(file).items():
        if isinstance(read_as, Submission):
            written = file.rows[number - 1].values
            assert (read_as.source_id, read_as.learner_id) == (written["source_id"], written["learner_id"])
            assert (read_as.learner_name or "") == written["learner_name"]
            assert (read_as.comment or "") == written["comment"]


def test_every_piece_of_the_benchmarks_evidence_is_taken_and_nine_of_ten_earn_a_credential() -> None:
    found = read(NdjsonReader(100_000), b"".join(evidence(500, 1000)))
    assert all(isinstance(row, Submission) for row in found.values())
    earning = [row for row in found.values() if isinstance(row, Submission) and row.result.level != "unistructural"]
    assert len(earning) == credentials_of(500, 1000) == 900
