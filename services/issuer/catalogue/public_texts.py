"""E-mail addresses and telephone numbers in the texts of an achievement: each a warning, or refused by policy. Pure."""

from collections.abc import Iterator

from libs.common.contact_details import contact_detail_in
from libs.common.errors import FieldProblem, InvalidRequestError
from libs.contracts.events import AchievementPublished


def warnings_of(version: AchievementPublished) -> list[FieldProblem]:
    """Return what of its texts should perhaps not be public, by the names of the request's fields."""
    return [
        FieldProblem(
            field=field,
            reason=f"This stands on open pages and is signed, and holds what looks like {found.said}.",
            code=found.value,
        )
        for field, text in _texts(version)
        if (found := contact_detail_in(text)) is not None
    ]


def refuse_contact_details(version: AchievementPublished) -> None:
    """Refuse an achievement whose texts hold such a thing.

    Raises:
        InvalidRequestError: with each of them.
    """
    found = warnings_of(version)
    if found:
        raise InvalidRequestError("Texts that become public hold e-mail addresses or telephone numbers.", found)


def _texts(version: AchievementPublished) -> Iterator[tuple[str, str]]:
    yield "name", version.name
    yield "description", version.description
    yield "criteria", version.criteria
    for level in version.levels:
        yield f"levels.{level.level}.name", level.name
        yield f"levels.{level.level}.description", level.description
