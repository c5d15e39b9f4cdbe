"""What goes wrong in real files, one function each: a good row in, the row as the school sent it out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Damage = Literal["none", "cut", "latin-1", "unquoted"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Attributes:
        values: by column, as they are written.
        refused: the reason for which the door will refuse it; empty where its form is good.
        damage: what happened to the line itself when the file was written.
    """

    values: Mapping[str, str]
    refused: str = ""
    damage: Damage = "none"

    def but(self, refused: str = "", **values: str) -> "Row":
        """The same row with other values."""
        return replace(self, values={**self.values, **values}, refused=refused)


Mishap = Callable[[Row], Row]


def level_missing(row: Row) -> Row:
    """The teacher forgot the level."""
    return row.but("missing_value", level="")


def learner_missing(row: Row) -> Row:
    """Nobody was picked in the form."""
    return row.but("missing_value", learner_id="")


def learner_id_with_space(row: Row) -> Row:
    """The office writes its ids with a space."""
    local = row.values["learner_id"]
    return row.but("learner_id_form", learner_id=f"{local[:1]} {local[1:]}")


def learner_id_with_hash(row: Row) -> Row:
    """Somebody typed the number as it stands on the card."""
    return row.but("learner_id_form", learner_id=f"#{row.values['learner_id']}")


def date_day_first(row: Row) -> Row:
    """The spreadsheet wrote the date in the order of the place where it runs."""
    year, month, day = row.values["date"].split("-")
    return row.but("date_form", date=f"{day}/{month}/{year}")


def date_digits_swapped(row: Row) -> Row:
    """2062 for 2026."""
    return row.but("date_in_future", date=row.values["date"].replace("2026", "2062"))


def level_misspelt(row: Row) -> Row:
    """A level that nobody knows."""
    return row.but("level_unknown", level="relatonal")


def level_as_number(row: Row) -> Row:
    """The old system counted levels from 1 to 5."""
    return row.but("level_unknown", level="4")


def level_and_score(row: Row) -> Row:
    """Both were filled in."""
    return row.but("level_and_score", score="71")


def email_with_comma(row: Row) -> Row:
    """A comma for a full stop."""
    return row.but("email_form", learner_email=f"{row.values['learner_id'].lower()}@students,example")


def achievement_as_title(row: Row) -> Row:
    """The title of the week, where the achievement's id should stand."""
    return row.but("achievement_form", achievement="Resilience (Values Week)")


def achievement_unknown(row: Row) -> Row:
    """A good id, of an achievement that nobody published: this evidence waits for it."""
    return row.but(achievement="kindness")


def link_without_scheme(row: Row) -> Row:
    """An address as one says it aloud."""
    return row.but("link_form", link="portfolio.school.example/week")


def comma_unquoted(row: Row) -> Row:
    """Edited by hand: a comma in the comment, and no quotes around it."""
    return replace(row.but("too_many_fields", comment="Fell in, laughed, tried again"), damage="unquoted")


def line_cut(row: Row) -> Row:
    """The export stopped in the middle of a line."""
    return replace(row, refused="not_json", damage="cut")


def line_in_latin_1(row: Row) -> Row:
    """One line pasted from an old program."""
    return replace(row.but("not_utf8", comment="Très patient après l'échec."), damage="latin-1")
