"""The demo's data: the same on every run, and with every fault of real files in it."""

import csv
import gzip
import hashlib
import io
import json
import unicodedata
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from demo.data import COLUMNS, DAYS, Department, School, department
from demo.expectation import expected
from demo.files import content, headers, write_files
from demo.mishaps import Row
from demo.summary import total
from demo.words import ACHIEVEMENT
from libs.contracts.results import SoloLevel

DATA = department()
ROWS = [row for school in DATA.schools for file in school.files for row in file.rows]
FILES = {file.name: file for school in DATA.schools for file in school.files}


def bytes_of(data: Department) -> str:
    return hashlib.sha256(b"".join(content(f) for s in data.schools for f in s.files)).hexdigest()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert bytes_of(department()) == bytes_of(DATA)


def test_another_seed_gives_other_bytes() -> None:
    assert bytes_of(department("another week")) != bytes_of(DATA)


def test_about_three_hundred_learners_have_ids_of_their_own_within_their_school() -> None:
    assert 280 <= sum(len(school.learners) for school in DATA.schools) <= 320
    for school in DATA.schools:
        assert len({learner.local_id for learner in school.learners}) == len(school.learners)


def test_names_are_as_diverse_as_on_a_roll() -> None:
    names = [learner.name for school in DATA.schools for learner in school.learners if learner.name]
    scripts = {unicodedata.name(name[0]).split()[0] for name in names}
    assert {"LATIN", "ARABIC", "CJK", "HANGUL", "DEVANAGARI", "GREEK", "CYRILLIC"} <= scripts
    assert any(unicodedata.bidirectional(name[0]) in {"R", "AL"} for name in names)
    assert any("-" in name for name in names)
    assert any("'" in name for name in names)
    assert any(name.isascii() and " " not in name for name in names)


def test_some_learners_have_no_address_and_some_no_name() -> None:
    learners = [learner for school in DATA.schools for learner in school.learners]
    assert 10 < sum(not learner.email for learner in learners) < 50
    assert any(not learner.name for learner in learners)


def test_every_day_has_several_activities() -> None:
    for day in DAYS:
        assert len({row.values["activity"] for row in ROWS if row.values["date"] == day.isoformat()}) >= 3


def test_levels_rise_over_the_week() -> None:
    def mean_rank(day: date) -> float:
        ranks = [
            SoloLevel.parse(row.values["level"]).rank
            for row in ROWS
            if not row.refused and row.values["date"] == day.isoformat()
        ]
        return sum(ranks) / len(ranks)

    assert mean_rank(DAYS[4]) > mean_rank(DAYS[0]) + 0.3


@pytest.mark.parametrize(
    "reason",
    [
        "missing_value",
        "learner_id_form",
        "email_form",
        "level_unknown",
        "level_and_score",
        "date_form",
        "date_in_future",
        "achievement_form",
        "link_form",
        "too_many_fields",
        "not_json",
        "not_utf8",
        "source_id_reused",
    ],
)
def test_each_fault_of_real_files_is_in_the_data(reason: str) -> None:
    assert total({school.id: expected(school) for school in DATA.schools}).refused[reason] >= 1


def test_a_row_is_sent_twice_and_a_file_is_sent_twice() -> None:
    assert any(count > 1 for file in FILES.values() for count in Counter(map(str, file.rows)).values())
    assert sum(file.sendings > 1 for file in FILES.values()) == 1


def test_one_school_writes_as_windows_does_with_a_bom_and_crlf() -> None:
    raw = content(FILES["banksia-2026-10-12.csv"])
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\n") == raw.count(b"\r\n") > 50


def test_one_school_quotes_commas_and_line_ends_and_its_csv_reads_back_as_it_was() -> None:
    file = FILES["saltbush-mon-wed.csv"]
    read = list(csv.reader(io.StringIO(content(file).decode(), newline="")))
    assert read[0] == list(COLUMNS)
    good = [[row.values[column] for column in COLUMNS] for row in file.rows if row.damage == "none"]
    assert [row for row in read[1:] if len(row) == len(COLUMNS)] == good
    assert any("\n" in row[10] and "," in row[10] and '"' in row[10] for row in good)


def test_the_compressed_file_is_gzip_and_says_so() -> None:
    file = FILES["saltbush-thu-fri.csv.gz"]
    assert gzip.decompress(content(file)).startswith(b"source_id,")
    assert headers(file) == {"Content-Type": "text/csv; charset=utf-8", "Content-Encoding": "gzip"}


def test_the_third_school_sends_one_json_object_per_line_but_for_the_damaged_ones() -> None:
    file = FILES["lyrebird-week.ndjson"]
    lines = content(file).splitlines()
    assert len(lines) == len(file.rows)
    for line, row in zip(lines, file.rows, strict=True):
        if row.damage == "none":
            assert json.loads(line) == {name: value for name, value in row.values.items() if value}
        else:
            with pytest.raises(ValueError):
                json.loads(line.decode())


def test_files_are_written_where_a_person_can_look_at_them(tmp_path: Path) -> None:
    written = write_files(DATA, tmp_path)
    assert [path.read_bytes() for path in written] == [content(f) for s in DATA.schools for f in s.files]
    assert written[0].parent.name == "banksia-college"


def test_by_the_rules_every_row_has_one_outcome() -> None:
    for school in DATA.schools:
        assert expected(school).problems(school.id) == []


def test_evidence_for_an_achievement_that_nobody_published_waits() -> None:
    rows = [row for file in FILES.values() for row in file.rows * file.sendings if not row.refused]
    unpublished = [row for row in rows if row.values["achievement"] != ACHIEVEMENT]
    assert total({school.id: expected(school) for school in DATA.schools}).waiting == len(unpublished) > 0


def _school_with(*rows: Row) -> School:
    school = DATA.schools[2]
    return School(school.id, school.name, school.learners, (replace(school.files[0], rows=tuple(rows)),))


def _row(source_id: str, level: str) -> Row:
    good = next(row for row in ROWS if row.values["learner_id"] == "lyr-2026-011" and not row.refused)
    return good.but(source_id=source_id, level=level)


def test_by_the_rules_a_higher_level_is_issued_next_and_a_lower_one_is_a_duplicate() -> None:
    found = expected(_school_with(_row("1", "multistructural"), _row("2", "relational"), _row("3", "multistructural")))
    assert (found.issued, found.duplicate) == (2, 1)


def test_by_the_rules_a_level_below_the_required_one_is_not_yet_also_after_a_higher_one() -> None:
    found = expected(_school_with(_row("1", "relational"), _row("2", "unistructural")))
    assert (found.issued, found.not_yet) == (1, 1)


def test_by_the_rules_the_same_row_again_is_a_duplicate_and_a_reused_id_is_refused() -> None:
    row = _row("1", "unistructural")
    found = expected(_school_with(row, row, row.but(activity="Something else")))
    assert (found.not_yet, found.duplicate, dict(found.refused)) == (1, 1, {"source_id_reused": 1})
