"""The types of fields in requests take exactly what their JSON Schema says."""

from typing import Annotated, Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from libs.common.addresses import DOMAIN_PATTERN
from libs.common.fields import Domain, IssuerName, Line, Moment, NumberInJson, Sentence, Text, TimeZone, Truth

WholeNumber = Annotated[int, Field(ge=0), NumberInJson] | None
Number = Annotated[float, Field(le=2, allow_inf_nan=False), NumberInJson] | None

VALUES: tuple[Any, ...] = (
    *(0, 1, 2.0, 2.5, -1, True, False, None, "1", "2.5", "yes", "", " ", "\t\n", "\x1c", " a ", [], {}),
    *("a\x0bb", "a\x00", "\u202ea", "a\ue000", "Zo\ufffd", "\u200b", "\u00a0\u3000", "a\u200bb", "\u2060\ufeff"),
    *("a\nb", "a\tb", "a\u2028b", "葛\U000e0100", "👩\u200d🚀"),
    *("a" * 200, "a" * 201, " " * 200 + "a", "a" * 500, "a" * 501, "a" * 5_000, "a" * 5_001),
)


@pytest.mark.parametrize("kind", [Line, IssuerName, Sentence, Text, WholeNumber, Number, Truth])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:12])
def test_a_value_is_taken_exactly_where_its_schema_says_so(kind: Any, value: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        adapter.validate_python(value)
        taken = True
    except ValidationError:
        taken = False
    assert taken == jsonschema_rs.Draft202012Validator(adapter.json_schema()).is_valid(value)


def test_text_is_cleaned_by_the_one_profile() -> None:
    assert TypeAdapter(Line).validate_python("\ufeffZoe\u0308\u00a0Ån\u200bström\n") == "Zoë Ånström"
    assert TypeAdapter(Text).validate_python("Goes on.\r\nLearns\u00a0from it.") == "Goes on.\nLearns from it."
    with pytest.raises(ValidationError, match=r"U\+000B at character 9"):
        TypeAdapter(Text).validate_python("Goes on.\x0bLearns from it.")


def test_a_text_that_grows_in_its_normal_form_has_no_more_than_its_length() -> None:
    assert len(TypeAdapter(Line).validate_python("\u0958" * 100)) == 200
    with pytest.raises(ValidationError, match="at most 200"):
        TypeAdapter(Line).validate_python("\u0958" * 101)


def test_the_space_around_text_is_not_kept() -> None:
    assert TypeAdapter(Line).validate_python(" Wattle Grove\n") == "Wattle Grove"


@pytest.mark.parametrize(
    "name",
    ["Banksia College, call 0412 345 678", "Banksia +61 2 9876 5432", "Banksia (02) 9876 5432", "1300 123 456 School",
     "Banksia https://wa.me/61412345678", "Banksia, pike at school dot com"],
)  # fmt: skip
def test_an_issuers_name_says_nobody_whom_to_call(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(IssuerName).validate_python(name)


@pytest.mark.parametrize("name", ["School 21", "Lycée 1234", "IS 318", "P.S. 2026", "Banksia College (est. 1998)"])
def test_an_issuers_name_may_have_numbers(name: str) -> None:
    assert TypeAdapter(IssuerName).validate_python(name) == name


def test_a_time_zone_is_a_name_of_the_iana_database() -> None:
    for name in ("Australia/Sydney", "UTC", "Etc/GMT+5"):
        assert TypeAdapter(TimeZone).validate_python(name) == name
    for name in ("Sydney", "australia/sydney", "AEST+10", "../UTC", "/etc/localtime", "localtime", "Factory", ""):
        with pytest.raises(ValidationError):
            TypeAdapter(TimeZone).validate_python(name)


@given(st.from_regex(DOMAIN_PATTERN, fullmatch=True).filter(lambda each: len(each) <= 252))
def test_every_domain_of_the_schema_is_taken_in_lower_case(domain: str) -> None:
    assert TypeAdapter(Domain).validate_python(domain) == domain.lower()


def test_a_domain_is_that_of_an_address_in_ascii() -> None:
    assert TypeAdapter(Domain).validate_python("Students.fußball.example") == "students.xn--fuball-cta.example"
    for wrong in ("", "school", "@school.example", "zoe@school.example", "school..example", "*.example", "a b.example"):
        with pytest.raises(ValidationError):
            TypeAdapter(Domain).validate_python(wrong)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_that_no_calendar_has_in_utc_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="years 1 to 9999 in UTC"):
        TypeAdapter(Moment).validate_python(text)
