"""What differs between two versions of an achievement, by field. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from itertools import islice
from typing import Any, Final

from bowerbird.catalogue.written import written, yaml_text
from libs.contracts.events import AchievementPublished

_SHORT: Final = 60
# Lines of a difference before the first that differs: names of files, of which there are none.
_HEAD: Final = 2
_NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs: what it said, and what it says; none where it says nothing."""

    field: str
    before: str | None
    after: str | None

    @property
    def in_short(self) -> str:
        """The field, with what it says where that is short."""
        values = [_NOTHING if each is None else each for each in (self.before, self.after)]
        if any("\n" in each or len(each) > _SHORT for each in values):
            return self.field
        return f"{self.field}: {values[0]} → {values[1]}"

    def lines(self) -> Iterator[str]:
        """Yield the lines that it lost, marked with -, and those that it gained, with +."""
        before, after = ([] if each is None else each.split("\n") for each in (self.before, self.after))
        told = islice(unified_diff(before, after, n=0, lineterm=""), _HEAD, None)
        yield from (f"{line[0]} {line[1:]}" for line in told if line[0] in "+-")


def changes_between(before: AchievementPublished, after: AchievementPublished) -> tuple[Change, ...]:
    """Return the fields that differ, whatever the versions' numbers, in the order in which a file has them."""
    old, new = _fields(before), _fields(after)
    return tuple(
        Change(each, old.get(each), new.get(each)) for each in {**new, **old} if old.get(each) != new.get(each)
    )


def _fields(version: AchievementPublished) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in written(version).items():
        if name == "levels":
            for each in value:
                fields |= {f"levels.{each['level']}.{part}": each[part] for part in ("name", "description")}
        elif name == "rule":
            fields[name] = yaml_text(value).rstrip("\n")
        elif name != "version":
            fields[name] = _said(value)
    return fields


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
