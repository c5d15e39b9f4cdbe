"""Workbooks: each cell is what the spreadsheet says it is, and what it does not say is refused or warned of."""

import time as clock
import zipfile
from datetime import datetime, time
from io import BytesIO
from typing import Any
from unittest.mock import Mock

import pytest
from openpyxl import Workbook
from openpyxl.worksheet._reader import WorkSheetParser

from libs.common.contact_details import ContactPolicy
from libs.common.errors import InvalidRequestError, TooLargeError
from services.evidence.batches.row_checks import RowChecks
from services.evidence.sources.reader import Fields, RawRow
from services.evidence.sources.refusals import Reason, Refusal
from services.evidence.sources.rows import Submission
from services.evidence.sources.unpacking import archive_job
from services.evidence.sources.workbook import sheet
from services.evidence.sources.workbook.layout import layout_of
from services.evidence.sources.workbook.reader import WorkbookReader, written
from services.evidence.sources.workbook.sheet import rows_of_workbook
from tests.workbooks import DAY, GOOD, HEADER, edited, packed, saved, workbook

MORNING = datetime.fromisoformat("2026-03-09T10:30")
MIDNIGHT = datetime.fromisoformat("2026-03-09")


def rows(content: bytes) -> list[RawRow]:
    return list(rows_of_workbook(content, 10_000))


def changed(**cells: Any) -> list[Any]:
    return [cells.get(name, value) for name, value in zip(HEADER, GOOD, strict=True)]


def one(content: bytes) -> Submission | Refusal:
    (row,) = rows(content)
    return RowChecks(ContactPolicy.WARN, local=False).check(row, DAY)


def test_a_sheet_is_read_with_the_numbers_that_it_shows() -> None:
    blank = [None] * len(HEADER)
    found = rows(workbook(GOOD, blank, changed(source_id="VW-2")))
    assert [(number, isinstance(fields, Fields) and fields["source_id"]) for number, fields in found] == [
        (1, "VW-1"), (3, "VW-2")
    ]  # fmt: skip
    assert found[0][1] == dict(zip(HEADER, ["VW-1", "S1", "resilience", "relational", "", "2026-03-09",
                                                  "Raft building", ""], strict=True))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "number_format", "text"),
    [
        ("learner_id", 1001, "General", "1001"),
        ("learner_id", 1001.0, "General", "1001"),
        ("learner_id", 42, "00000", "00042"),
        ("learner_id", "0042", "General", "0042"),
        ("score", 87.5, "General", "87.5"),
        ("score", 66.66666666666667, "0", "66.66666666666667"),
        ("score", 0.875, "0.0%", "87.5"),
        ("date", MIDNIGHT, "d/mm/yyyy", "2026-03-09"),
        ("date", MORNING, "yyyy-mm-dd hh:mm", "2026-03-09"),
        ("date", "2026-03-09", "@", "2026-03-09"),
        ("date", "03/04/2026", "@", "03/04/2026"),
        ("date", 46090, "General", "46090"),
        ("activity", 7, "General", "7"),
        ("activity", 7.5, "General", "7.5"),
        ("activity", MIDNIGHT, "d/mm/yyyy", "2026-03-09"),
        ("comment", True, "General", "TRUE"),
        ("comment", "Two_x000D_\nlines", "General", "Two\r\nlines"),
    ],
)
def test_a_cell_says_what_it_is(name: str, value: Any, number_format: str, text: str) -> None:
    place = f"{'ABCDEFGH'[HEADER.index(name)]}2"
    ((_, fields),) = rows(workbook(changed(**{name: value}), formats={place: number_format}))
    assert isinstance(fields, Fields)
    assert (fields[name], fields.faults) == (text, ())


@pytest.mark.parametrize(
    ("name", "value", "number_format", "reason"),
    [
        ("learner_id", 1001.5, "General", Reason.NUMBER_FORM),
        ("learner_id", 1e20, "General", Reason.NUMBER_FORM),
        ("learner_id", MIDNIGHT, "d/mm/yyyy", Reason.CELL_FORM),
        ("level", MIDNIGHT, "d/mm/yyyy", Reason.CELL_FORM),
        ("date", time(10, 30), "hh:mm", Reason.CELL_FORM),
        ("comment", "#N/A", "General", Reason.CELL_FORM),
        ("activity", "=CONCATENATE(1,2)", "General", Reason.CELL_FORM),
    ],
)
def test_a_cell_that_says_something_else_is_refused_with_its_text(
    name: str, value: Any, number_format: str, reason: Reason
) -> None:
    place = f"{'ABCDEFGH'[HEADER.index(name)]}2"
    found = one(workbook(changed(**{name: value}), formats={place: number_format}))
    assert isinstance(found, Refusal)
    assert (found.column, found.reason, found.also) == (name, reason, ())


def test_all_faults_of_a_row_are_told_whether_its_cells_or_its_texts_have_them() -> None:
    found = one(workbook(changed(level="wrong", date="9/3/2026", comment="#REF!")))
    assert isinstance(found, Refusal)
    assert {(each.column, each.reason) for each in (found, *found.also)} == {
        ("comment", Reason.CELL_FORM), ("level", Reason.LEVEL_UNKNOWN), ("date", Reason.DATE_FORM)
    }  # fmt: skip


def test_a_formula_counts_as_its_result_and_an_empty_one_is_an_empty_cell() -> None:
    content = workbook(changed(activity="=A1", comment="=B1"))
    content = edited(content, '<c r="G2"><f>A1</f><v', '<c r="G2" t="str"><f>A1</f><v>Raft</v><v')
    with_results = edited(content, '<c r="H2"><f>B1</f>', '<c r="H2" t="str"><f>B1</f>')
    ((_, fields),) = rows(with_results)
    assert isinstance(fields, Fields)
    assert (fields["activity"], fields["comment"], fields.faults) == ("Raft", "", ())


def test_hidden_rows_are_taken_with_a_warning_and_merged_cells_are_refused() -> None:
    book = Workbook()
    table = book.worksheets[0]
    for row in (HEADER, GOOD, changed(source_id="VW-2"), changed(source_id="VW-3")):
        table.append(row)
    table.row_dimensions[3].hidden = True
    table.merge_cells("G2:G4")
    first, hidden, last = rows(saved(book))
    assert isinstance(first[1], Fields) and not first[1].faults
    assert isinstance(hidden[1], Fields) and isinstance(last[1], Fields)
    assert [each.reason for each in hidden[1].warnings] == [Reason.ROW_HIDDEN]
    assert [(each.column, each.reason) for each in last[1].faults] == [("activity", Reason.CELL_FORM)]


def test_the_sheet_with_the_columns_is_read_wherever_it_is_and_that_there_are_others_is_said_once() -> None:
    book = Workbook()
    book.worksheets[0].append(["Values Week", "notes"])
    table = book.create_sheet("Term 1")
    for row in (["Our school"], [], HEADER, GOOD, changed(source_id="VW-2")):
        table.append(row)
    book.create_sheet("hidden").append(HEADER)
    book.worksheets[2].sheet_state = "hidden"
    found = rows(saved(book))
    assert [number for number, _ in found] == [3, 4]
    assert [[each.reason for each in fields.warnings] for _, fields in found if isinstance(fields, Fields)] == [
        [Reason.SHEETS_NOT_READ], []
    ]  # fmt: skip
    again = book.create_sheet("Term 2")
    again.append(HEADER)
    with pytest.raises(InvalidRequestError, match="2 sheets of the workbook have the columns"):
        rows(saved(book))


def test_what_is_wrong_with_the_columns_is_told_of_the_first_sheet_with_something_in_it() -> None:
    with pytest.raises(InvalidRequestError, match="did you mean learner_id") as refused:
        rows(workbook(GOOD, header=["source_id", "student_code", *HEADER[2:]]))
    assert {error["field"] for error in refused.value.errors} == {"learner_id", "student_code"}
    with pytest.raises(InvalidRequestError, match="empty"):
        rows(saved(Workbook()))


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"not a workbook", packed({"a.txt": b"x"}), b"\xd0\xcf\x11\xe0"]
)
def test_what_is_no_workbook_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="workbook"):
        rows(content)


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_damaged_part_is_a_problem_of_the_file_and_no_error_of_ours(cut: float) -> None:
    content = edited(workbook(*[GOOD] * 50), "</sheetData>", "")
    with pytest.raises(InvalidRequestError):
        rows(content)
    whole = workbook(*[GOOD] * 50)
    with pytest.raises(InvalidRequestError):
        rows(whole[: int(len(whole) * cut)])


def test_a_workbook_that_promises_to_unpack_to_too_much_is_not_unpacked() -> None:
    whole = workbook(GOOD)
    with zipfile.ZipFile(BytesIO(whole)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    bomb = packed({**files, "xl/media/zeros": b"\0" * 1_000_000})
    place = bomb.rindex(b"PK\x01\x02")
    lying = bomb[: place + 24] + (sheet.MOST_UNPACKED_BYTES + 1).to_bytes(4, "little") + bomb[place + 28 :]
    with pytest.raises(TooLargeError, match="unpacks to more"):
        rows(lying)


def test_more_rows_than_are_read_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MOST_ROWS", 3)
    assert len(rows(workbook(*[GOOD] * 3))) == 3
    with pytest.raises(TooLargeError, match="more than 3 rows"):
        rows(workbook(*[GOOD] * 4))


def _sheet_of(rows_xml: str) -> bytes:
    return edited(workbook(GOOD), "</sheetData>", f"{rows_xml}</sheetData>")


@pytest.mark.parametrize(
    "rows_xml",
    [
        '<row r="999999999"><c r="A999999999"><v>1</v></c></row>',
        '<row r="1048577"/>',
        '<row r="2"/>',
        '<row r="1"/>',
        '<row r="-5"/>',
        '<row r="1e400"/>',
        '<row r="3"><c r="A4"><v>1</v></c></row>',
        '<row r="3"><c r="XFE3"><v>1</v></c></row>',
        '<row r="3">' + "<c/>" * 16_385 + "</row>",
    ],
    ids=lambda text: text[:40],
)
def test_rows_and_cells_that_no_spreadsheet_numbers_so_are_refused(rows_xml: str) -> None:
    with pytest.raises(InvalidRequestError):
        rows(_sheet_of(rows_xml))
    above = edited(workbook(GOOD), "<sheetData>", f"<sheetData>{rows_xml}")
    with pytest.raises(InvalidRequestError):
        rows(above)


def test_a_gap_between_rows_costs_nothing_and_the_last_row_keeps_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = Mock(wraps=sheet._fields)
    monkeypatch.setattr(sheet, "_fields", looked_at)
    last = '<row r="1048576"><c r="A1048576" t="inlineStr"><is><t>VW-9</t></is></c><c r="XFD1048576"/></row>'
    (_, _), (number, fields) = rows(_sheet_of(last))
    assert (number, isinstance(fields, Fields) and fields["source_id"]) == (1_048_575, "VW-9")
    assert looked_at.call_count == 2


def test_the_size_of_a_sheet_is_not_looked_for_since_that_may_go_through_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_for = Mock(side_effect=AssertionError)
    monkeypatch.setattr(WorkSheetParser, "parse_dimensions", looked_for)
    assert len(rows(workbook(GOOD))) == 1
    looked_for.assert_not_called()


@pytest.mark.parametrize("text", [b"<row " * 200_000, b'<c r="A1"><f>' * 100_000, b'<mergeCell ref="' * 100_000])
def test_xml_that_never_ends_an_element_is_looked_at_in_time_that_grows_with_it_alone(text: bytes) -> None:
    started = clock.process_time()
    layout_of([text[place : place + 65_536] for place in range(0, len(text), 65_536)])
    once = clock.process_time() - started
    started = clock.process_time()
    layout_of([text[place : place + 65_536] for place in range(0, len(text), 65_536)] * 4)
    assert clock.process_time() - started < 40 * max(once, 0.01)


def test_the_layout_is_found_wherever_the_xml_is_cut() -> None:
    text = (
        b'<x:sheetData><x:row r="2" ht="3" hidden="1"><x:c r="B2"><x:f>A1</x:f></x:c><x:c r="C2" t="str"><x:f>A1'
        b'</x:f><x:v></x:v></x:c></x:row><row r="3" hidden="0"/></x:sheetData><x:mergeCell ref="A2:B3"/>'
    )
    whole = layout_of([text])
    assert (whole.hidden, whole.unanswered, len(whole.merged)) == ({2}, {2: {2}}, 1)
    for place in range(len(text)):
        assert layout_of([text[:place], text[place:]]) == whole


def test_rows_are_the_same_behind_the_worker_process() -> None:
    found = rows(workbook(GOOD, changed(level="wrong", comment="#N/A"), [*GOOD, "more"]))
    reader = WorkbookReader()
    again = [*reader.feed(written(found[:1]) + written(found[1:])), *reader.finish()]
    assert again == found
    for before, after in zip(found, again, strict=True):
        if isinstance(before[1], Fields) and isinstance(after[1], Fields):
            assert (before[1].faults, before[1].warnings) == (after[1].faults, after[1].warnings)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.csv": b"a,b\n", "__MACOSX/._a.csv": b"x", "folder/": b""}, ["csv", b"a,b\n"]),
        ({"week.NDJSON": b"{}\n"}, ["ndjson", b"{}\n"]),
    ],
)
def test_an_archive_gives_its_one_file(files: dict[str, bytes], said: list[Any]) -> None:
    assert list(archive_job(packed(files), 1_000, 1_000)) == said


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (packed({"a.csv": b"a", "b.csv": b"b"}), "more than one file"),
        (packed({}), "no file"),
        (packed({"a.pdf": b"a"}), r"neither \.csv"),
        (b"PK\x03\x04 nothing", "damaged"),
        (packed({"a.csv": b"a" * 5_000})[:-40], "damaged"),
    ],
)
def test_an_archive_of_anything_else_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidRequestError, match=problem):
        list(archive_job(content, 1_000, 10_000))


def test_an_archive_unpacks_to_no_more_than_may_be_read() -> None:
    with pytest.raises(TooLargeError):
        list(archive_job(packed({"a.csv": b"a" * 5_000}), 1_000, 4_999))
