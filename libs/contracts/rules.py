"""Rules: what must be shown, and held, to earn an achievement whose evidence counts together. They travel as data.

A rule is a condition, or a group of rules. A field that this version does not know is refused when reading: a rule of
which a part is not understood would be decided as a weaker one.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from libs.contracts.results import SoloLevel

MOST_MEMBERS: Final = 12
"""So many rules a group has at most."""
MOST_CONDITIONS: Final = 12
"""So many conditions a rule has at most, in all its groups."""
MOST_DEPTH: Final = 4
"""So many groups stand in each other at most."""
MOST_PIECES: Final = 20
"""So many pieces of evidence, and so many different values, a condition asks for at most."""
ONE_TERM: Final = "term"

_PERIOD: Final = r"^(term|P[1-9][0-9]{0,2}[DWMY])$"
_MONTHS: Final = 12


def _in_json(value: Any) -> Any:
    if isinstance(value, str | bool):
        raise ValueError("must be a number")  # noqa: TRY004  # what pydantic makes a problem of the field
    return value


# 2 and 2.0 are numbers in JSON, and neither "2" nor true is one.
_Number: Final = BeforeValidator(_in_json)
Several = Annotated[int, Field(ge=2, le=MOST_PIECES), _Number]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EvidenceCondition(_Part):
    """So many pieces of evidence of a level or score, or of any, perhaps different ones, perhaps close together."""

    type: Literal["evidence"]
    level: SoloLevel | None = Field(default=None, description="the lowest level that counts")
    score: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False), _Number] | None = Field(
        default=None, description="the lowest score that counts; with neither level nor score every result does"
    )
    count: Annotated[int, Field(ge=1, le=MOST_PIECES), _Number] | None = Field(
        default=None, description="how many pieces; else as many as must be different, or one"
    )
    activities: Several | None = Field(default=None, description="in how many different activities, at least")
    classes: Several | None = Field(default=None, description="in how many different classes, at least")
    assessors: Several | None = Field(default=None, description="by how many different assessors, at least")
    terms: Several | None = Field(default=None, description="in how many different terms, at least")
    within: Annotated[str, Field(pattern=_PERIOD)] | None = Field(
        default=None,
        description="how close together by their dates: within a period (ISO 8601 in one unit: P90D, P12W, P6M, P1Y), "
        "or `term` for one term",
        examples=["term"],
    )

    # Asked for with every piece of evidence, so that reading them must cost next to nothing.
    @cached_property
    def different(self) -> dict[str, int]:
        """Return how many different values are asked for, by `activities`, `classes`, `assessors` and `terms`."""
        asked = {name: getattr(self, name) for name in ("activities", "classes", "assessors", "terms")}
        return {name: number for name, number in asked.items() if number is not None}

    @cached_property
    def pieces(self) -> int:
        """Return how many pieces are asked for."""
        return self.count or max(self.different.values(), default=1)

    @model_validator(mode="after")
    def _can_come_true(self) -> Self:
        if self.level is not None and self.score is not None:
            raise ValueError("evidence has a level or a score, never both; write two conditions")
        most = max(self.different.values(), default=1)
        if self.pieces < most:
            raise ValueError(f"{self.pieces} cannot be {most} different ones")
        if self.within is not None and self.pieces == 1:
            raise ValueError("within says how close together several are; this asks for one")
        if self.within == ONE_TERM and self.terms is not None:
            raise ValueError("what is of one term is not of several")
        return self


class HoldsCondition(_Part):
    """Another achievement is held, perhaps at a level: the learner has a badge of it that is not revoked."""

    type: Literal["holds"]
    achievement: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9-]{0,63}/)?[a-z0-9][a-z0-9-]{0,63}$")] = Field(
        description="ID, or OWNER/ID, of an achievement of the issuer, or one that its department shares; published as "
        "OWNER/ID",
        examples=["teamwork"],
    )
    level: SoloLevel | None = Field(default=None, description="the lowest level of it that counts")


class _Group(_Part):
    of: Annotated[list["Rule"], Field(min_length=1, max_length=MOST_MEMBERS)]

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if len({each.model_dump_json() for each in self.of}) < len(self.of):
            raise ValueError("two of these say the same")
        if max(map(_depth, self.of)) >= MOST_DEPTH:
            raise ValueError(f"at most {MOST_DEPTH} groups stand in each other")
        if sum(len(list(conditions(each))) for each in self.of) > MOST_CONDITIONS:
            raise ValueError(f"a rule has at most {MOST_CONDITIONS} conditions")
        return self


class All(_Group):
    """Every one of these."""

    type: Literal["all"]


class Either(_Group):
    """At least one of these."""

    type: Literal["any"]


class AtLeast(_Group):
    """At least so many of these."""

    type: Literal["at_least"]
    n: Annotated[int, Field(ge=1, le=MOST_MEMBERS), _Number] = Field(description="how many of them")

    @model_validator(mode="after")
    def _has_so_many(self) -> Self:
        if self.n > len(self.of):
            raise ValueError(f"{self.n} of {len(self.of)} can never be met")
        return self


Condition = EvidenceCondition | HoldsCondition
Group = All | Either | AtLeast
Rule = Annotated[Condition | Group, Field(discriminator="type")]

for _each in (All, Either, AtLeast):
    _each.model_rebuild()

_RULE: Final[TypeAdapter[Condition | Group]] = TypeAdapter(Rule)


def rule_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a rule."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Rule", **_RULE.json_schema()}


def conditions(rule: Condition | Group, at: str = "rule") -> Iterator[tuple[str, Condition]]:
    """Yield every condition of a rule with where it stands, such as `rule.of.0`."""
    if isinstance(rule, EvidenceCondition | HoldsCondition):
        yield at, rule
    else:
        for place, each in enumerate(rule.of):
            yield from conditions(each, f"{at}.of.{place}")


def least_level(rule: Condition | Group) -> SoloLevel | None:
    """Return the lowest level of evidence that can count; None where the rule asks for none."""
    asked = [each.level for _, each in conditions(rule) if isinstance(each, EvidenceCondition)]
    return min((level for level in asked if level is not None), key=lambda level: level.rank, default=None)


def asked_for(rule: Condition | Group) -> list[str]:
    """Return the achievements that are to be held, OWNER/ID, sorted, each once."""
    return sorted({each.achievement for _, each in conditions(rule) if isinstance(each, HoldsCondition)})


@lru_cache(maxsize=4096)
def first_day(within: str, last: date) -> date:
    """Return the first day of the period (`P90D`, `P1Y`) that ends with the day `last`."""
    number, unit = int(within[1:-1]), within[-1]
    if unit in "DW":
        days = number * (7 if unit == "W" else 1)
        return date.min if days > last.toordinal() else last - timedelta(days=days - 1)
    months = last.year * _MONTHS + last.month - 1 - number * (_MONTHS if unit == "Y" else 1)
    year, month = divmod(months, _MONTHS)
    if year < 1:
        return date.min
    # The day after the same day so many months before, which there is not in every month.
    return date(year, month + 1, 1) + timedelta(days=min(last.day, _days(year, month + 1)))


def _days(year: int, month: int) -> int:
    following = date(year + month // _MONTHS, month % _MONTHS + 1, 1)
    return (following - date(year, month, 1)).days


def _depth(rule: Condition | Group) -> int:
    return 0 if isinstance(rule, EvidenceCondition | HoldsCondition) else 1 + max(map(_depth, rule.of))
