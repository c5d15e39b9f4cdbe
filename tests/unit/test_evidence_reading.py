"""Files as schools send them: however their bytes are cut, the same rows come out, and one fault costs one row."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.errors import InvalidRequestError
from services.evidence.sources.columns import COLUMNS
from services.evidence.sources.csv_reader import QUOTES_WRONG, CsvReader
from services.evidence.sources.ndjson import NdjsonReader
from services.evidence.sources.reader import RawRow, Reader
from services.evidence.sources.refusals import Reason, Refusal

LONGEST = 300
HEADER = ",".join(COLUMNS)
NAMES = ["VW-1", "S1", "Zoë Ånström 🦜", "", "resilience", "relational", "", "2026-03-09", "Raft"]


def read(reader: Reader, *blocks: bytes) -> list[RawRow]:
    rows = [row for block in blocks for row in reader.feed(block)]
    return rows + list(reader.finish())


def read_csv(text: str | bytes, *, header: str = HEADER) -> list[RawRow]:
    raw = text.encode() if isinstance(text, str) else text
    return read(CsvReader(LONGEST), header.encode() + b"\n" + raw)


def reasons(rows: Sequence[RawRow]) -> list[tuple[int, Reason | None]]:
    return [(number, fields.reason if isinstance(fields, Refusal) else None) for number, fields in rows]


def outcome(make: Callable[[int], Reader], blocks: Sequence[bytes]) -> object:
    try:
        return read(make(LONGEST), *blocks)
    except InvalidRequestError as error:
        return str(error)


# Bytes that a file may hold, weighted towards those that matter to a reader.
SYNTAX = (b",", b";", b"\t", b'"', b'""', b"\n", b"\r\n", b"\r", b"{", b"}", b" ", b"\x00")
TEXTS = (b"a", b"VW-1", "ü🦜".encode(), b"x" * 350, HEADER.encode(), orjson.dumps({"source_id": "ü"}))
BROKEN = (b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xff\xfe")
PIECES = st.sampled_from([*SYNTAX, *TEXTS, *BROKEN])
FILES = st.lists(PIECES, max_size=12).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(FILES, st.lists(st.integers(min_value=0, max_value=800), max_size=4), st.booleans(), st.booleans())
def test_splitting_a_file_anywhere_gives_the_same_rows(
    tail: bytes, cuts: list[int], is_csv: bool, with_header: bool
) -> None:
    raw = (HEADER.encode() + b"\n" if is_csv and with_header else b"") + tail
    make = CsvReader if is_csv else NdjsonReader
    bounds = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    split = [raw[start:end] for start, end in pairwise(bounds)]
    assert outcome(make, split) == outcome(make, [raw]) == outcome(make, [raw[i : i + 1] for i in range(len(raw))])


CELLS = st.text(alphabet=st.sampled_from('aü,;"\n\r🦜 '), max_size=8)


@given(st.lists(st.lists(CELLS, min_size=len(COLUMNS), max_size=len(COLUMNS)), min_size=1, max_size=4))
def test_every_csv_that_is_written_right_is_read_right(table: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows(table)
    expected = [(n, dict(zip(COLUMNS, row, strict=True))) for n, row in enumerate(table, 1) if "".join(row).strip(" ")]
    assert read_csv(text.getvalue()) == expected


@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=8)), min_size=1, max_size=4))
def test_every_ndjson_that_is_written_right_is_read_right(documents: list[dict[str, str]]) -> None:
    raw = b"\n".join(orjson.dumps(each) for each in documents)
    assert read(NdjsonReader(10_000), raw) == list(enumerate(documents, 1))


def test_a_byte_order_mark_carriage_returns_and_blank_lines_are_no_matter() -> None:
    raw = "\ufeff" + HEADER + "\r\n" + ",".join(NAMES) + "\r\n\r\n,,,,\r\n" + ",".join(NAMES)
    rows = read(CsvReader(LONGEST), raw.encode())
    # Row n is the spreadsheet's row n + 1, blank rows included.
    assert reasons(rows) == [(1, None), (4, None)]
    assert isinstance(rows[0][1], dict)
    assert rows[0][1]["learner_name"] == "Zoë Ånström 🦜"


@pytest.mark.parametrize("blank", [b"\n", b",,,,\r\n", b" , \t,\n", b'"","",""\n', "\u00a0,,\n".encode()])
def test_blank_rows_have_an_end(monkeypatch: pytest.MonkeyPatch, blank: bytes) -> None:
    monkeypatch.setattr("services.evidence.sources.reader.MOST_BLANK", 160)
    for before in (b"", HEADER.encode() + b"\n"):
        with pytest.raises(InvalidRequestError, match="more blank rows than a sheet has rows"):
            read(CsvReader(LONGEST), before + blank * 161)
    assert reasons(read_csv(blank * 10 + ",".join(NAMES).encode())) == [(11, None)]


def test_blank_lines_of_json_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.evidence.sources.reader.MOST_BLANK", 160)
    assert len(read(NdjsonReader(LONGEST), b"\n" * 160 + b"{}\n")) == 1
    with pytest.raises(InvalidRequestError, match="more blank rows"):
        read(NdjsonReader(LONGEST), b"{}\n" + b" \n" * 161)


def test_a_line_of_empty_cells_that_was_cut_is_no_blank_row() -> None:
    assert reasons(read_csv("," * 1_300 + "VW-1\n")) == [(1, Reason.TOO_LONG)]


def test_columns_may_stand_in_any_order_and_be_written_as_people_do() -> None:
    rows = read_csv(
        "Raft,S1,VW-1,resilience,80,2026-03-09\n", header="Activity,Learner ID,source-id,achievement,score,DATE"
    )
    assert rows == [
        (1, {"activity": "Raft", "learner_id": "S1", "source_id": "VW-1", "achievement": "resilience", "score": "80",
             "date": "2026-03-09"})
    ]  # fmt: skip


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_spreadsheet_that_saves_with_semicolons_or_tabs_is_read_too(delimiter: str) -> None:
    rows = read_csv(delimiter.join(NAMES), header=HEADER.replace(",", delimiter))
    assert reasons(rows) == [(1, None)]


@pytest.mark.parametrize(
    ("cells", "taken"),
    [
        ("\u201cRaft, day 3\u201d", False),
        ("\u2018Raft, day 3\u2019", False),
        ("\u201eRaft, day 3\u201c", False),
        ("\u00abRaft, day 3\u00bb", False),
        ("'Raft, day 3'", False),
        ("`Raft, day 3'", False),
        ("\u201cRaft\u201d on day 3", True),
        ("Raft 'Argo', \u201cgood\u201d", True),
        ("'Twas a raft, well done", True),
        ("The girls' raft, the boys'", True),
        ("'3 days, the boys'", True),
        ('"\u201cRaft, day 3\u201d"', True),
    ],
    ids=ascii,
)
def test_a_text_between_marks_that_csv_does_not_know_shifts_no_columns(cells: str, taken: bool) -> None:
    header = "source_id,learner_id,achievement,level,date,activity,comment"
    (row,) = read_csv(f"VW-1,S1,resilience,relational,2026-03-09,{cells}", header=header)
    assert taken or (isinstance(row[1], Refusal) and row[1].message == QUOTES_WRONG.message)
    assert isinstance(row[1], dict) is taken


def test_a_quoted_text_may_hold_commas_quotes_and_line_ends() -> None:
    rows = read_csv('VW-1,S1,,,resilience,relational,,2026-03-09,"Raft, ""big""\nand bridge"\n' + ",".join(NAMES))
    assert isinstance(rows[0][1], dict)
    assert rows[0][1]["activity"] == 'Raft, "big"\nand bridge'
    assert reasons(rows) == [(1, None), (2, None)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'VW-1,"S1"x,,,resilience', Reason.COLUMNS_WRONG),
        (b'VW-1,"S1,,,resilience', Reason.COLUMNS_WRONG),
        (b"VW-1,S1,Zo\xeb,,resilience", Reason.NOT_UTF8),
        (b"VW-1," + b"x" * LONGEST, Reason.TOO_LONG),
        (b"VW-1,S1,,,resilience,relational,,2026-03-09,Raft,,,,Kept going, even so,x,", Reason.TOO_MANY_FIELDS),
    ],
)
def test_a_broken_csv_row_is_refused_alone(line: bytes, reason: Reason) -> None:
    good = ",".join(NAMES).encode()
    rows = read_csv(b"\n".join([good, line, good, good]) + b"\n")
    assert reasons(rows) == [(1, None), (2, reason), (3, None), (4, None)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", Reason.NOT_JSON),
        (b"[]", Reason.NOT_JSON),
        (b'{"source_id": ["VW-1"]}', Reason.NOT_JSON),
        (b'{"source_id": true}', Reason.NOT_JSON),
        (b'{"score": NaN}', Reason.NOT_JSON),
        (b'{"learner_name": "Zo\xeb"}', Reason.NOT_UTF8),
        (b'{"learner_mail": "x"}', Reason.COLUMNS_WRONG),
        (b'{"comment": "' + b"x" * LONGEST + b'"}', Reason.TOO_LONG),
        (b"[" * 250, Reason.NOT_JSON),
    ],
)
def test_a_broken_json_line_is_refused_alone(line: bytes, reason: Reason) -> None:
    rows = read(NdjsonReader(LONGEST), b'\n{"source_id":"1"}\r\n' + line + b'\n\n{"source_id":"2"}')
    assert reasons(rows) == [(2, None), (3, reason), (5, None)]


def test_a_number_in_json_is_read_as_its_text_and_null_as_nothing() -> None:
    rows = read(NdjsonReader(LONGEST), b'{"learner_id": 1001, "score": 85.5, "level": null}')
    assert rows == [(1, {"learner_id": "1001", "score": "85.5"})]


def test_all_that_is_wrong_with_the_columns_is_said_at_once() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read_csv("x", header="source_id,learner_id,learner_mail,achievement,date,date,klass")
    found = {error["field"]: error["reason"] for error in refused.value.errors}
    assert set(found) == {"activity", "level", "learner_mail", "klass", "date"}
    assert "did you mean learner_email?" in found["learner_mail"]


@pytest.mark.parametrize(
    "raw", [b"", b"\n\n", b"\xef\xbb\xbf", "source_id,x\n".encode("utf-16"), b'source_id,"', b"x" * 5000, b"\xff\n"]
)
def test_a_file_that_is_no_csv_is_refused_as_a_whole(raw: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        read(CsvReader(LONGEST), raw)


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"source_id,learner_id\n1,2\n", b'[{"source_id": 1}]', b"\xff\xfe{"])
def test_a_file_that_is_no_ndjson_is_refused_as_a_whole(raw: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        read(NdjsonReader(LONGEST), raw)


def test_a_line_without_end_takes_no_memory() -> None:
    for reader in (NdjsonReader(LONGEST), CsvReader(LONGEST)):
        for _ in range(1000):
            assert not list(reader.feed(b"x" * 1000))
        assert len(reader._lines._tail) <= LONGEST * 4 + 1


@pytest.mark.parametrize(
    "line",
    [
        'a","\n',  # whether a text is open before it or not, one is open behind it
        '"\n',
        'a,"b\n',
        '"a"b\n',
        '"' * 5 + "\n",
        '"a\n\n\n\n\n\n',
        '"' + "\n" * 15_000 + '"\n',
    ],
)
def test_wrong_quotation_marks_cost_no_more_however_many_there_are(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = 0
    parse = csv.reader

    def counting(lines: Iterable[str], **form: Any) -> Any:
        def counted() -> Iterator[str]:
            nonlocal parsed
            for each in lines:
                parsed += len(each)
                yield each

        return parse(counted(), **form)

    monkeypatch.setattr(csv, "reader", counting)
    raw = (HEADER + "\n" + line * (40_000 // len(line))).encode()
    reader = CsvReader(20_000)
    rows = read(reader, *(raw[start : start + 10_000] for start in range(0, len(raw), 10_000)))
    assert rows
    assert parsed < 5 * len(raw)


def test_a_text_that_stays_open_is_looked_at_once_however_small_the_blocks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    readers = 0
    parse = csv.reader

    def counting(lines: Iterable[str], **form: Any) -> Any:
        nonlocal readers
        readers += 1
        return parse(lines, **form)

    monkeypatch.setattr(csv, "reader", counting)
    for line, most in ((b"\n", 2), (b'""\n', 2), (b'","\n', 1_002)):
        reader = CsvReader(20_000)
        assert not list(reader.feed(HEADER.encode() + b'\n"a\n'))
        readers = 0
        for _ in range(1_000):
            assert not list(reader.feed(line))
        # The line that opened it is looked at with each block: it is all that is known to open one.
        assert readers - 1_000 <= most
