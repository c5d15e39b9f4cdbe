"""What the texts of an achievement should not hold, for they become public: each a warning, or refused by policy. Pure.

That is e-mail addresses, telephone numbers, and links that open something to whoever has them.
"""

from collections.abc import Iterator

from libs.common.contact_details import contact_detail_in
from libs.common.errors import FieldProblem, InvalidRequestError
from libs.common.text_links import holds_secret_link
from libs.contracts.events import AchievementPublished


def warnings_of(version: AchievementPublished) -> list[FieldProblem]:
    """Return what of its texts should perhaps not be public, by the names of the request's fields."""
    return [problem for field, text in _texts(version) for problem in _problems(field, text)]


def refuse_contact_details(version: AchievementPublished) -> None:
    """Refuse an achievement whose texts hold such a thing.

    Raises:
        InvalidRequestError: with each of them.
    """
    found = warnings_of(version)
    if found:
        raise InvalidRequestError("Texts that become public hold contact details, or links that open something.", found)


def _problems(field: str, text: str) -> Iterator[FieldProblem]:
    found = contact_detail_in(text)
    if found is not None:
        said = f"This stands on open pages and is signed, and holds what looks like {found.said}."
        yield FieldProblem(field=field, reason=said, code=found.value)
    if holds_secret_link(text):
        said = "This stands on open pages and is signed, and holds a link that looks as if it opened something."
        yield FieldProblem(field=field, reason=said, code="link_secret")


def _texts(version: AchievementPublished) -> Iterator[tuple[str, str]]:
    yield "name", version.name
    yield "description", version.description
    yield "criteria", version.criteria
    for level in version.levels:
        yield f"levels.{level.level}.name", level.name
        yield f"levels.{level.level}.description", level.description
