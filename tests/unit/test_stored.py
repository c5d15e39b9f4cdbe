"""What is read of a stored document has the types that it declares, or is not read."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from libs.common.stored import Count, Seconds, Text, problem_of, readable, typed


class Colour(StrEnum):
    RED = "red"


class Pair(NamedTuple):
    number: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Thing:
    id: UUID
    name: Text
    colour: Colour
    day: date
    at: datetime
    seen: Count
    share: Seconds | None
    paint: Colour | None
    tags: list[str]
    sure: bool = False


STORED: dict[str, Any] = {
    "_id": UUID(int=1),
    "schema": 1,
    "name": "a",
    "colour": "red",
    "day": "2026-03-02",
    "at": datetime(2026, 3, 2, tzinfo=UTC),
    "seen": 3,
    "tags": ["b"],
}
read = typed(Thing, id="_id")


def test_a_document_is_read_by_the_types_that_are_declared() -> None:
    thing = Thing(UUID(int=1), "a", Colour.RED, date(2026, 3, 2), STORED["at"], 3, None, None, ["b"])
    assert read(STORED) == thing
    assert read({**STORED, "share": 7, "paint": "red", "sure": True}).share == 7.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_id", str(UUID(int=1))),
        ("name", ""),
        ("name", 7),
        ("colour", "green"),
        ("colour", None),
        ("paint", 7),
        ("day", "yesterday"),
        ("at", "2026-03-02T00:00:00Z"),
        ("at", 7),
        ("seen", -1),
        ("seen", 2**31),
        ("seen", "3"),
        ("seen", 3.5),
        ("share", float("nan")),
        ("share", float("inf")),
        ("share", 1e300),
        ("tags", "b"),
        ("tags", [7]),
        ("sure", None),
        ("sure", 1),
    ],
)
def test_what_is_of_another_type_is_not_read_and_the_log_names_the_field_and_not_what_it_holds(
    name: str, value: object
) -> None:
    with capture_logs() as logs:
        assert readable(read, {**STORED, name: value}) is None
    assert [each["problem"] for each in logs] == [f"ValidationError: {name}"]


@pytest.mark.parametrize("name", ["name", "colour", "day", "at", "seen", "tags"])
def test_what_is_not_there_is_missed_unless_it_may_be_none_or_has_a_default(name: str) -> None:
    with pytest.raises(ValueError, match=name) as raised:
        read({key: value for key, value in STORED.items() if key != name})
    assert problem_of(raised.value) == f"ValidationError: {name}"


def test_a_named_tuple_is_read_too() -> None:
    assert typed(Pair)({"number": 7}) == Pair(7, None)
