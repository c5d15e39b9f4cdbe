"""A row of evidence is taken as it stands, or refused with its column, a stable code and a sentence."""

from datetime import date
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contact_details import ContactPolicy
from libs.contracts.results import SoloLevel
from services.evidence.sources import rows
from services.evidence.sources.columns import COLUMNS
from services.evidence.sources.refusals import Reason, Refusal
from services.evidence.sources.rows import Submission, presentable_source_id, read_row

TODAY = date(2026, 11, 23)
GOOD = {
    "source_id": "VW-1",
    "learner_id": "S-1001",
    "learner_name": "Zoë Ånström",
    "learner_email": "zoe@school.example",
    "achievement": "resilience",
    "level": "relational",
    "date": "2026-11-20",
    "activity": "Raft building",
    "class": "7B",
    "term": "2026-T4",
    "assessor": "Ms Pike",
    "comment": "Kept going,\nand helped others",
    "link": "https://school.example/evidence/1?x=2",
}


def read(**changes: str) -> Submission | Refusal:
    return read_row({**GOOD, **changes}, TODAY)


def test_a_good_row_says_what_was_sent() -> None:
    row = read()
    assert isinstance(row, Submission)
    assert (row.source_id, row.learner_id, row.learner_name) == ("VW-1", "S-1001", "Zoë Ånström")
    assert (row.result.level, row.result.score) == (SoloLevel.RELATIONAL, None)
    assert (row.observed_on, row.comment) == (date(2026, 11, 20), "Kept going,\nand helped others")


def test_what_may_be_left_out_may_be_empty_too() -> None:
    optional = dict.fromkeys(("learner_name", "learner_email", "class", "term", "assessor", "comment", "link"), " ")
    row = read(**optional, level="", score="85.5")
    assert isinstance(row, Submission)
    assert (row.learner_name, row.learner_email, row.assessor, row.comment, row.link) == (None,) * 5
    assert (row.class_id, row.term) == (None, None)
    assert row.result.score == 85.5


@pytest.mark.parametrize(
    ("changes", "reason", "column"),
    [
        ({"source_id": ""}, Reason.MISSING_VALUE, "source_id"),
        ({"activity": "  "}, Reason.MISSING_VALUE, "activity"),
        ({"level": ""}, Reason.MISSING_VALUE, "level"),
        ({"source_id": "two words"}, Reason.SOURCE_ID_FORM, "source_id"),
        ({"source_id": "zoe@school.example"}, Reason.SOURCE_ID_FORM, "source_id"),
        ({"learner_id": "1001/7"}, Reason.LEARNER_ID_FORM, "learner_id"),
        ({"learner_id": "Zoë"}, Reason.LEARNER_ID_FORM, "learner_id"),
        ({"learner_email": "zoe at school.example"}, Reason.EMAIL_FORM, "learner_email"),
        ({"learner_email": "zoe@school"}, Reason.EMAIL_FORM, "learner_email"),
        ({"learner_email": "Zoe <zoe@school.example>"}, Reason.EMAIL_FORM, "learner_email"),
        ({"learner_email": "zoe@school.example\r\nBcc: all@school.example"}, Reason.EMAIL_FORM, "learner_email"),
        ({"level": "excellent"}, Reason.LEVEL_UNKNOWN, "level"),
        ({"level": "", "score": "101"}, Reason.SCORE_FORM, "score"),
        ({"level": "", "score": "-1"}, Reason.SCORE_FORM, "score"),
        ({"level": "", "score": "nan"}, Reason.SCORE_FORM, "score"),
        ({"level": "", "score": "87,5"}, Reason.SCORE_FORM, "score"),
        ({"score": "80"}, Reason.LEVEL_AND_SCORE, "score"),
        ({"date": "23/11/2026"}, Reason.DATE_FORM, "date"),
        ({"date": "11-20-2026"}, Reason.DATE_FORM, "date"),
        ({"date": "2026-20-11"}, Reason.DATE_FORM, "date"),
        ({"date": "2026-02-30"}, Reason.DATE_FORM, "date"),
        ({"date": "2026-W47-1"}, Reason.DATE_FORM, "date"),
        ({"date": "20261120"}, Reason.DATE_FORM, "date"),
        ({"date": "0202-11-20"}, Reason.DATE_FORM, "date"),
        ({"date": "2026-11-25"}, Reason.DATE_IN_FUTURE, "date"),
        ({"date": "1949-12-31"}, Reason.DATE_TOO_EARLY, "date"),
        ({"date": "1900-01-01"}, Reason.DATE_TOO_EARLY, "date"),
        ({"achievement": "Resilience!"}, Reason.ACHIEVEMENT_FORM, "achievement"),
        ({"link": "javascript:alert(1)"}, Reason.LINK_FORM, "link"),
        ({"link": "https://name:word@school.example/"}, Reason.LINK_FORM, "link"),
        ({"link": "school.example/1"}, Reason.LINK_FORM, "link"),
        ({"class": "Zoë Ånström"}, Reason.CLASS_FORM, "class"),
        ({"class": "Ms Pike"}, Reason.CLASS_FORM, "class"),
        ({"term": "zoe@school.example"}, Reason.TERM_FORM, "term"),
        ({"term": "x" * 65}, Reason.TOO_LONG, "term"),
        ({"comment": "x" * 4001}, Reason.TOO_LONG, "comment"),
        ({"learner_id": "x" * 65}, Reason.TOO_LONG, "learner_id"),
        ({"link": "x" * 2001}, Reason.TOO_LONG, "link"),
        ({"learner_email": "x" * 65_000}, Reason.TOO_LONG, "learner_email"),
        ({"activity": " " * 65_000 + "raft"}, Reason.TOO_LONG, "activity"),
        ({"learner_name": "Zoë\x00"}, Reason.TEXT_FORM, "learner_name"),
        ({"learner_name": "You won: https://evil.example/x"}, Reason.NAME_LINK, "learner_name"),
        ({"learner_name": "zoe@school.example"}, Reason.NAME_LINK, "learner_name"),
        ({"learner_name": "192.0.2.1/win"}, Reason.NAME_LINK, "learner_name"),
    ],
)
def test_each_fault_has_its_code_and_column(changes: dict[str, str], reason: Reason, column: str) -> None:
    row = read(**changes)
    assert isinstance(row, Refusal)
    assert (row.reason, row.column) == (reason, column)
    assert row.message.endswith(".")


@pytest.mark.parametrize(
    "link",
    ["https://x.example/%25" + "-eyJaaaaaaaa" * 5_400, "https://x.example/" + "x" * 65_000, "\u0915\u094d" * 32_000],
)
def test_nothing_is_looked_for_in_a_text_that_is_too_long(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def looking(text: str) -> str:
        looked_at.append(len(text))
        return text

    for each in ("public_web_url", "clean_line", "contact_detail_in_url"):
        monkeypatch.setattr(f"services.evidence.sources.rows.{each}", looking)
    row = read(link=link)
    assert isinstance(row, Refusal)
    assert (row.reason, row.column) == (Reason.TOO_LONG, "link")
    assert max(looked_at, default=0) <= 4_000


@given(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=40)), st.sampled_from(ContactPolicy))
def test_all_faults_of_a_row_are_told_at_once_and_are_those_that_it_has_one_by_one(
    fields: dict[str, str], policy: ContactPolicy
) -> None:
    row = read_row({**GOOD, **fields}, TODAY, policy)
    if isinstance(row, Refusal):
        faults = [row, *row.also]
        left = {**GOOD, **fields, **{each.column: GOOD.get(each.column, "") for each in faults if each.column}}
        if {"level", "score"} & {each.column for each in faults}:
            left |= {"level": GOOD["level"], "score": ""}
        assert isinstance(read_row(left, TODAY, policy), Submission), "with these mended it is taken"


def test_faults_stand_in_the_order_of_reading_each_column_once() -> None:
    row = read(learner_id="Zoë", level="wrong", date="9/3/2026", link="x" * 30, activity="", comment="\x00")
    assert isinstance(row, Refusal)
    assert [(each.column, each.reason) for each in (row, *row.also)] == [
        ("comment", Reason.TEXT_FORM),
        ("activity", Reason.MISSING_VALUE),
        ("learner_id", Reason.LEARNER_ID_FORM),
        ("link", Reason.LINK_FORM),
        ("level", Reason.LEVEL_UNKNOWN),
        ("date", Reason.DATE_FORM),
    ]


def test_tomorrow_is_no_future_for_a_school_beyond_the_date_line() -> None:
    assert isinstance(read(date="2026-11-24"), Submission)


@pytest.mark.parametrize("level", ["Extended abstract", "extended-abstract", "EXTENDED_ABSTRACT"])
def test_a_level_is_taken_as_people_write_it(level: str) -> None:
    row = read(level=level)
    assert isinstance(row, Submission)
    assert row.result.level is SoloLevel.EXTENDED_ABSTRACT


def test_the_digest_is_that_of_the_canonical_json_without_name_and_address() -> None:
    row = read_row({"source_id": "1", "learner_id": "2", "achievement": "a", "score": "80", "date": "2026-01-02",
                    "activity": "é", "learner_name": "Zoë"}, TODAY)  # fmt: skip
    assert isinstance(row, Submission)
    said = '{"achievement":"a","activity":"é","date":"2026-01-02","learner_id":"2","score":"80.0","source_id":"1"}'
    assert row.digest == sha256(said.encode()).hexdigest()


def test_the_digest_tells_what_was_shown_from_how_it_was_written() -> None:
    original, renamed, respelt, other = (
        read(), read(learner_name="Zoe", learner_email=""), read(level=" Relational "), read(level="unistructural")
    )  # fmt: skip
    digests = [row.digest for row in (original, renamed, respelt, other) if isinstance(row, Submission)]
    assert digests[0] == digests[1] == digests[2] != digests[3]


@given(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=80)))
def test_whatever_a_row_says_a_refusal_never_repeats_it(fields: dict[str, str]) -> None:
    row = read_row(fields, TODAY)
    if isinstance(row, Refusal):
        sentences = {read_row({**fields, row.column or "": ""}, TODAY)}
        assert row.column in COLUMNS
        assert sentences
        for text in fields.values():
            assert len(text.strip()) < 12 or text.strip() not in row.message


@pytest.mark.parametrize("source_id", ["zoe@school.example", "Zoë Ånström", "x" * 201, ""])
def test_a_refused_row_keeps_only_a_source_id_that_is_one(source_id: str) -> None:
    assert presentable_source_id({"source_id": source_id}) is None
    assert presentable_source_id({"source_id": " VW-1 "}) == "VW-1"


@given(st.sampled_from(COLUMNS), st.text(alphabet="ab ='1\t\né", min_size=1, max_size=6))
def test_a_text_that_is_taken_as_it_is_is_what_cleaning_would_make_of_it(name: str, text: str) -> None:
    if rows._is_clean(text):
        assert rows._clean(name, text) == text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"activity": "Raft; ring Jo's mother, 0412 345 678"}, [("activity", Reason.TELEPHONE_IN_TEXT)]),
        ({"learner_name": "Zoë, ring +61 412 345 678"}, [("learner_name", Reason.TELEPHONE_IN_TEXT)]),
        ({"activity": "Raft; zoe@school.example"}, [("activity", Reason.EMAIL_IN_TEXT)]),
        ({"link": "https://school.example/?by=zoe%40school.example"}, [("link", Reason.EMAIL_IN_TEXT)]),
        ({"link": "https://school.example/works/0412345678"}, []),
        ({"comment": "Ring 0412 345 678", "assessor": "pike@school.example"}, []),
    ],
)
def test_contact_details_in_what_becomes_public_are_warnings_or_refused_by_policy(
    changes: dict[str, str], expected: list[tuple[str, Reason]]
) -> None:
    taken = read(**changes)
    assert isinstance(taken, Submission)
    assert [(each.column, each.reason) for each in taken.warnings] == expected
    assert all("0412" not in each.message and "zoe" not in each.message for each in taken.warnings)
    refused = read_row({**GOOD, **changes}, TODAY, ContactPolicy.REFUSE)
    assert isinstance(refused, Refusal) == bool(expected)
    assert not expected or refused == taken.warnings[0]
