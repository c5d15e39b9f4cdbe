"""What an achievement's page shows, read out of the Achievement that its credentials carry."""

from dataclasses import dataclass

from libs.openbadges.model.documents import Achievement, ResultDescription
from libs.openbadges.pictures.drawing import badge_svg
from services.verifier.pages.badge import safe_link, shown_text


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the scale, lowest first; `anchor` is the fragment by which credentials name it.

    Attributes:
        anchor: the fragment of its id.
        name: what the author calls it.
        taxonomy: its name in the taxonomy where the author calls it something else.
        description: what a teacher sees at it.
        required: the lowest level that earns the achievement.
    """

    anchor: str
    name: str
    taxonomy: str | None
    description: str | None
    required: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """One way of describing a result: levels, or a score with the least that earns the achievement."""

    anchor: str
    name: str
    levels: tuple[Level, ...]
    required: str | None
    lowest: str | None
    highest: str | None


@dataclass(frozen=True, slots=True)
class AchievementView:
    """Everything that the page shows; `picture` is SVG in which every text is escaped."""

    id: str
    name: str
    description: str | None
    criteria: str | None
    version: str
    owner: str
    owner_link: str | None
    owner_id: str
    scales: tuple[Scale, ...]
    picture: str


def view_of(achievement: Achievement) -> AchievementView:
    """Read an achievement out."""
    owner = achievement.creator
    owner_id = "" if owner is None else owner.id
    owner_name = shown_text(None if owner is None else owner.name) or owner_id
    return AchievementView(
        id=achievement.id,
        name=shown_text(achievement.name) or "An achievement without a name",
        description=shown_text(achievement.description),
        criteria=shown_text(achievement.criteria.narrative),
        version=achievement.version or "",
        owner=owner_name,
        owner_link=safe_link(None if owner is None else owner.url),
        owner_id=owner_id,
        scales=tuple(_scale(one) for one in achievement.result_description or []),
        picture=badge_svg(name=achievement.name, issuer=owner_name),
    )


def _scale(described: ResultDescription) -> Scale:
    levels = []
    for level in described.rubric_criterion_level or []:
        name = shown_text(level.name) or "A level without a name"
        taxonomy = shown_text(level.level)
        same = taxonomy is None or taxonomy.casefold() == name.casefold()
        levels.append(
            Level(
                anchor=_fragment(level.id),
                name=name,
                taxonomy=None if same else taxonomy,
                description=shown_text(level.description),
                required=level.id == described.required_level,
            )
        )
    return Scale(
        anchor=_fragment(described.id),
        name=shown_text(described.name) or "Result",
        levels=tuple(levels),
        required=described.required_value,
        lowest=described.value_min,
        highest=described.value_max,
    )


def _fragment(iri: str) -> str:
    return iri.rpartition("#")[2]
