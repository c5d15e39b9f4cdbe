"""Files as they come from the field: each row is read as its writer meant it, or refused; none is lost."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.errors import InvalidRequestError
from libs.contracts.results import SoloLevel
from services.evidence.sources.columns import COLUMNS
from services.evidence.sources.csv_reader import CsvReader
from services.evidence.sources.ndjson import NdjsonReader, json_fields
from services.evidence.sources.reader import Reader
from services.evidence.sources.refusals import Reason, Refusal
from services.evidence.sources.rows import Submission, read_row

TODAY = date(2026, 11, 28)
INPUTS = Path(__file__).parents[1] / "inputs"
HEADER = "source_id,learner_id,achievement,level,date,activity"
GOOD = "L-{},S{},resilience,relational,2026-03-09,Raft"


def read(raw: bytes, make: Callable[[int], Reader] = CsvReader) -> list[tuple[int, Submission | Refusal]]:
    reader = make(65_536)
    rows = [*reader.feed(raw), *reader.finish()]
    return [(number, each if isinstance(each, Refusal) else read_row(each, TODAY)) for number, each in rows]


def taken(rows: Sequence[tuple[int, Submission | Refusal]]) -> list[Submission]:
    assert not [row for _, row in rows if isinstance(row, Refusal)], rows
    return [row for _, row in rows if isinstance(row, Submission)]


def codes(rows: Sequence[tuple[int, Submission | Refusal]]) -> list[Reason | None]:
    return [row.reason if isinstance(row, Refusal) else None for _, row in rows]


def field(name: str) -> bytes:
    return (INPUTS / name).read_bytes()


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_lines_end_as_any_program_ends_them(end: str) -> None:
    raw = end.join([HEADER, *(GOOD.format(n, n) for n in range(5_000))]).encode()
    for blocks in (1, 7):
        reader, size = CsvReader(65_536), len(raw) // blocks + 1
        rows = [row for at in range(0, len(raw), size) for row in reader.feed(raw[at : at + size])]
        rows += reader.finish()
        assert [number for number, _ in rows] == list(range(1, 5_001))


def test_ends_of_lines_may_be_mixed() -> None:
    raw = HEADER + "\r" + GOOD.format(1, 1) + "\n" + GOOD.format(2, 2) + "\r\n" + GOOD.format(3, 3) + "\r"
    assert [row.source_id for row in taken(read(raw.encode()))] == ["L-1", "L-2", "L-3"]
    documents = b'{"source_id":"1"}\r{"source_id":"2"}\r\n{"source_id":"3"}\n'
    assert len(read(documents, NdjsonReader)) == 3


def test_a_space_before_a_quotation_mark_is_no_part_of_the_text() -> None:
    first, second = taken(read(field("space-before-quote.csv")))
    assert (first.learner_name, first.activity) == ("Lee, Kim", "Raft")
    assert (second.learner_name, second.activity) == ("Kim Lee", "Raft, bridge")


def test_a_quotation_mark_within_an_unquoted_text_shifts_no_column() -> None:
    raw = f'{HEADER},comment\nL-1,S1,resilience,relational,2026-03-09,Raft "big, tall" one\n'
    raw += 'L-2,S2,resilience,relational,2026-03-09,The "big" raft,\n'
    raw += 'L-3,S3,resilience,relational,2026-03-09,"A 5"" rope, wet",\n'
    rows = read(raw.encode())
    assert codes(rows) == [Reason.COLUMNS_WRONG, None, None]
    assert [row.activity for row in taken(rows[1:])] == ['The "big" raft', 'A 5" rope, wet']


def test_empty_cells_behind_the_last_column_are_nothing() -> None:
    assert len(taken(read(field("trailing-commas.csv")))) == 3
    assert len(taken(read(f"{HEADER}\n{GOOD.format(1, 1)},\u200b, \ufeff\n".encode()))) == 1


def test_the_first_line_that_excel_does_not_show_names_the_delimiter() -> None:
    (row,) = read(field("sep-line.csv"))
    assert row[0] == 1
    assert taken([row])[0].activity == "Raft building"
    again = f"sep=;;;;;;\r\n{HEADER}\r\n{GOOD.format(1, 1)}".replace(",", ";")
    assert len(taken(read(again.encode()))) == 1
    assert len(taken(read(f'"sep=;",,,\r\n{HEADER}\r\n{GOOD.format(1, 1)}'.replace(",", ";").encode()))) == 1
    assert len(taken(read(f"sep=|\r\n{HEADER}\r\n{GOOD.format(1, 1)}".replace(",", "|").encode()))) == 1


def test_rows_are_numbered_as_the_sheet_shows_them() -> None:
    assert [(number, row.reason) for number, row in read(field("blank-lines-before-header.csv"))
            if isinstance(row, Refusal)] == [(3, Reason.LEVEL_UNKNOWN)]  # fmt: skip


def test_a_line_break_in_the_first_row_is_a_space() -> None:
    assert len(taken(read(field("line-break-in-header-cell.csv")))) == 1


def test_a_score_is_kept_exactly_or_refused() -> None:
    rows = read(field("long-score.csv"))
    assert codes(rows) == [None, None, None, Reason.SCORE_FORM, Reason.SCORE_FORM]
    assert [row.result.score for row in taken(rows[:3])] == [66.66666666666667, 83.00000000000001, 100.0]
    raw = "source_id,learner_id,achievement,score,date,activity\n1,1,numeracy,66.666666666666666666,2026-03-09,Quiz"
    assert codes(read(raw.encode())) == [Reason.SCORE_FORM]


def test_a_number_is_one_id_however_it_was_written() -> None:
    first, second = taken(read(field("ids-as-floats.ndjson"), NdjsonReader))
    assert first.learner_id == second.learner_id == "1001"


@pytest.mark.parametrize(
    ("written", "learner"),
    [
        ("1001.000", "1001"),
        ("1.001e3", "1001"),
        ("0e99999999", "0"),
        ("-0.0", "0"),
        ("9007199254740991.00", f"{2**53 - 1}"),
    ],
)
def test_a_whole_number_is_read_as_it_was_written(written: str, learner: str) -> None:
    assert json_fields(f'\ufeff{{"learner_id":{written},"score":{written}}}'.encode()) == {
        "learner_id": learner,
        "score": learner,
    }


@pytest.mark.parametrize(
    ("number", "score"),
    [
        ("66.666666666666671", None), ("1e-400", None), ("66.66666666666667", 66.66666666666667), ("8.55e1", 85.5),
        ("83.50", 83.5), ("1e2", 100.0), ("100.00000000000000001", None), ("1E-3", 0.001), ("-0.5", None), ("85", 85.0),
    ],
)  # fmt: skip
def test_a_score_in_json_is_kept_exactly_or_refused_as_in_csv(number: str, score: float | None) -> None:
    row = (
        f'{{"source_id":"1","learner_id":"1","achievement":"a","score":{number},"date":"2026-03-09","activity":"Quiz"}}'
    )
    rows = read(row.encode(), NdjsonReader)
    if score is None:
        assert codes(rows) == [Reason.SCORE_FORM]
    else:
        assert taken(rows)[0].result.score == score


def test_a_number_that_programs_read_differently_is_no_id() -> None:
    assert codes(read(field("large-integers.ndjson"), NdjsonReader)) == [Reason.NUMBER_FORM] * 3
    for number in (
        "9007199254740992", "1001.5", "1e300", "-1e300", "1001.00000000000000001", "9007199254740991.4", "1e-400",
        "9007199254740992.0", "1e-99999999",
    ):  # fmt: skip
        refused = json_fields(b'{"learner_id":' + number.encode() + b"}")
        assert isinstance(refused, Refusal), number
        assert refused.reason is Reason.NUMBER_FORM


def test_a_field_that_stands_twice_in_an_object_refuses_it() -> None:
    refused = json_fields(field("learner-twice.json"))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.DUPLICATE_FIELD


@pytest.mark.parametrize(
    ("written", "level"),
    [
        ("Multi-structural", "multistructural"),
        ("Uni structural", "unistructural"),
        ("pre\u2013structural", "prestructural"),
        ("Extended\u00a0Abstract", "extended_abstract"),
        ("uni\u2010structural", "unistructural"),
        ("multi", "multistructural"),
        ("Ext.", "extended_abstract"),
        ("relational.", "relational"),
        ("EXT. ABSTRACT", None),
        ("M", None),
        ("4", None),
        ("Relatonal", None),
    ],
)  # fmt: skip
def test_a_level_is_read_as_people_write_it(written: str, level: str | None) -> None:
    raw = f"{HEADER}\nL-1,S1,resilience,{written},2026-03-09,Raft"
    rows = read(raw.encode())
    if level is None:
        assert codes(rows) == [Reason.LEVEL_UNKNOWN]
    else:
        assert taken(rows)[0].result.level is SoloLevel(level)


def test_the_levels_of_a_file_from_the_field_are_read() -> None:
    assert codes(read(field("levels-with-hyphen.csv"))) == [*[None] * 6, Reason.LEVEL_UNKNOWN]


@pytest.mark.parametrize(
    ("cell", "learner", "reason"),
    [
        ("'0012", "0012", None),
        ('"=""0012"""', "0012", None),
        ('="0012"', "0012", None),
        ("1.00E+05", None, Reason.LEARNER_ID_FORM),
        ("1001.0", None, Reason.LEARNER_ID_FORM),
        ("\u200bS8\ufeff", "S8", None),
        ("S\u202e8", None, Reason.TEXT_FORM),
    ],
    ids=ascii,
)
def test_what_spreadsheets_do_to_ids_is_undone_or_refused(
    cell: str, learner: str | None, reason: Reason | None
) -> None:
    rows = read(f"{HEADER}\nL-1,{cell},resilience,relational,2026-03-09,Raft".encode())
    assert codes(rows) == [reason]
    if learner is not None:
        assert taken(rows)[0].learner_id == learner


REWRITTEN = (
    "1.2345678E7",
    "1.0e5",
    "1.5E-3",
    "1.E7",
    "1001.",
    "1001.0",
    "1001.000",
    "9-Mar",
    "03-Sep",
    "Mar-09",
    "9-Mar-2026",
)
EMPTY = (
    *("nan", "NaN", "NULL", "null", "None", "nil", "NA", "n.a", "NaT", "undefined", '="NULL"', "'None"),
    *("Unknown", "TBA", "tbc", "missing", "TRUE", "false", "Inf", "infinity", "BLANK"),
)


@pytest.mark.parametrize("source_id", ["1.00E+05", "1e+05", "N/A", *REWRITTEN, *EMPTY])
def test_a_source_id_that_a_program_has_rewritten_is_refused(source_id: str) -> None:
    raw = f"{HEADER}\n{source_id},S1,resilience,relational,2026-03-09,Raft"
    assert codes(read(raw.encode())) == [Reason.SOURCE_ID_FORM]


@pytest.mark.parametrize("learner_id", [*REWRITTEN, *EMPTY])
def test_a_learner_id_that_a_program_has_rewritten_or_wrote_for_an_empty_cell_is_refused(learner_id: str) -> None:
    raw = f"{HEADER}\n1,{learner_id},resilience,relational,2026-03-09,Raft"
    assert codes(read(raw.encode())) == [Reason.LEARNER_ID_FORM]
    assert codes(
        read(
            f'{{"source_id":"1","learner_id":{orjson.dumps(learner_id).decode()},"achievement":"a",'
            '"level":"relational","date":"2026-03-09","activity":"Quiz"}'.encode(),
            NdjsonReader,
        )
    ) == [Reason.LEARNER_ID_FORM]


@pytest.mark.parametrize(
    "written",
    ["7E12", "7E-12", "12e45678", "1e5", "10.5", "1001.01", "7.E", "E7", "0012", "S1.0", "Nancy", "NAN-1", "nan1",
     "nulla",     "NA12", "none-7", "nilsson", "2026.1E", "1.2E7B", "10A.0", "Mar-A", "9-March", "9Mar",
     "123-Mar", "truex", "TBA-1", "unknown7", "2026-03-09"],
)  # fmt: skip
def test_an_ordinary_id_that_looks_like_one_is_taken(written: str) -> None:
    raw = f"{HEADER}\n{written},{written},resilience,relational,2026-03-09,Raft"
    assert taken(read(raw.encode()))[0].learner_id == written


def test_names_of_columns_may_have_what_programs_leave_around_them() -> None:
    header = "\ufeffSource ID\u00a0, LEARNER-ID ,achievement*,Level:,\u200bDate,activity,,"
    assert len(taken(read(f"{header}\n{GOOD.format(1, 1)}\n,,,,,,,\n , ,\u00a0,,,\n".encode()))) == 1


@pytest.mark.parametrize(
    ("name", "meant"), [("student_code", "learner_id"), ("Mark", "score"), ("badge", "achievement"),
                        ("Date achieved", "date"), ("Teacher", "assessor"), ("learner_mail", "learner_email")],
)  # fmt: skip
def test_a_column_of_another_name_is_named_as_ours(name: str, meant: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"did you mean {meant}?"):
        read(f"{HEADER},{name}\n".encode())


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml" + b"\x01" * 600, "Excel workbook"),
        (b"PK\x03\x04\x14\x00\x06\x00evidence.csv" + b"\x01" * 600, "ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "Excel workbook"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x1f\x8b\x08\x00", "Content-Encoding: gzip"),
        (b"\r\n<!DOCTYPE html><html>", "web page"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (HEADER.encode("utf-16-le"), "UTF-16"),
        (HEADER.encode("utf-16-be"), "UTF-16"),
        (f"{HEADER},Schüler".encode("cp1252"), "Windows-1252"),
        (b'[{"source_id": "1"}]', "JSON"),
    ],
)
def test_a_file_that_is_no_csv_is_said_to_be_what_it_is(raw: bytes, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        read(raw)


CELLS = st.text(alphabet=st.sampled_from('aü,;"\t\n\r🦜 '), max_size=6)
DIALECTS = st.tuples(st.sampled_from(",;\t|"), st.sampled_from(["\r", "\n", "\r\n"]), st.booleans())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=6, max_size=14), max_size=6), DIALECTS, st.integers(0, 3), st.booleans())
def test_every_record_is_counted_once(
    table: list[list[str]], dialect: tuple[str, str, bool], blank: int, quoted: bool
) -> None:
    delimiter, end, with_mark = dialect
    text = io.StringIO(newline="")
    if not quoted:
        # Python's writer leaves other line ends than its own unquoted.
        table = [[cell.replace("\r", "").replace("\n", "") for cell in row] for row in table]
    writer = csv.writer(
        text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    )
    for _ in range(blank):
        text.write(delimiter * 2 + end)
    writer.writerow(COLUMNS)
    writer.writerows(table)
    raw = text.getvalue().encode("utf-8-sig" if with_mark else "utf-8")
    expected = [n for n, row in enumerate(table, 1 + blank) if "".join(row).strip(" \t\u00a0")]
    for size in (1, 13, len(raw)):
        reader = CsvReader(65_536)
        rows = [row for at in range(0, len(raw), size) for row in reader.feed(raw[at : at + size])]
        rows += reader.finish()
        assert [number for number, _ in rows] == expected


LINES = st.text(alphabet=st.sampled_from('ab,"; '), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=6), st.sampled_from(["\r", "\n", "\r\n"]))
def test_no_line_is_lost_however_wrong_its_marks_are(lines: list[str], end: str) -> None:
    raw = end.join([HEADER, *lines]).encode()
    numbers = [number for number, _ in read(raw)]
    assert len(set(numbers)) == len(numbers)
    joined = " ".join(line for line in lines if line.strip(' ,"'))
    assert bool(joined) <= bool(numbers)


def test_an_address_is_one_that_mail_can_be_sent_to_or_the_row_is_refused() -> None:
    rows = read(field("addresses.csv"))
    assert [row.learner_email if isinstance(row, Submission) else row.reason for _, row in rows] == [
        *[Reason.EMAIL_FORM] * 3,
        "o'neil+badges@school.example",
        "MARIA@school.example",
        "maria@xn--fuball-cta.example",
        *[Reason.EMAIL_FORM] * 3,
    ]
    rows = read(field("zero-width-space-in-address.csv"))
    assert [row.learner_email if isinstance(row, Submission) else row.reason for _, row in rows] == [
        *["maria@school.example"] * 3,
        Reason.EMAIL_FORM,
        Reason.TEXT_FORM,
        "maria@school.example",
        Reason.EMAIL_FORM,
        "s8@school.example",
    ]


def test_a_link_is_written_as_a_credential_can_hold_it() -> None:
    assert [row.link for row in taken(read(field("links-with-braces.csv")))] == [
        "https://school.sharepoint.example/_layouts/15/Doc.aspx?sourcedoc=%7B8A1B2C3D-0000-4444-8888-ABCDEF012345%7D&action=view",
        "https://padlet.example/a%7Cb",
        "https://drive.example/f%5E1%602",
    ]
