"""An achievement as a catalogue publishes it, written as the Open Badges Achievement that its credentials carry."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Protocol

from libs.openbadges.issue.building import solo_level_id
from libs.openbadges.model.documents import Achievement, Criteria, Profile, ResultDescription, RubricCriterionLevel
from libs.openbadges.model.solo import SoloLevel


class WrittenLevel(Protocol):
    """What the author wrote of one level of the SOLO taxonomy."""

    @property
    def level(self) -> str:
        """The level's name in the taxonomy."""

    @property
    def name(self) -> str:
        """What the author calls it."""

    @property
    def description(self) -> str:
        """What a teacher sees at it."""


class PublishedVersion(Protocol):
    """One version of an achievement; it never changes once it is published."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def criteria(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def levels(self) -> Sequence[WrittenLevel]: ...
    @property
    def shows_levels(self) -> bool: ...
    @property
    def shows_scores(self) -> bool: ...
    @property
    def least_level(self) -> str | None: ...
    @property
    def required_score(self) -> float | None: ...


def achievement_address(public_base: str, version_key: str) -> str:
    """Where a version (OWNER/ID/VERSION) can be looked up; it is the Achievement's `id` too."""
    return f"{public_base}/achievements/{version_key}"


def solo_id(achievement_id: str) -> str:
    """Name the results on the SOLO taxonomy."""
    return f"{achievement_id}#solo"


def score_id(achievement_id: str) -> str:
    """Name the results in percent."""
    return f"{achievement_id}#score"


LINKEDIN_IDENTIFIER: Final = "ext:LinkedIn:organizationId"
"""The type of identifier by which a credential gives the number of its issuer's page on LinkedIn."""


def number_text(value: float) -> str:
    """Write a number as people do: 87, not 87.0, and never 1E+2."""
    return format(Decimal(repr(value)).normalize(), "f")


def published_achievement(version: PublishedVersion, achievement_id: str, creator: Profile) -> Achievement:
    """Write a version as every credential of it repeats it.

    What it asks for decides how results are described: on levels, in percent, or, where it asks for neither, both;
    under a rule on levels alone, where it names any.
    """
    return Achievement(
        id=achievement_id,
        name=version.name,
        description=version.description,
        criteria=Criteria(narrative=version.criteria),
        achievement_type="MicroCredential",
        creator=creator,
        version=str(version.version),
        result_description=[*_solo(version, achievement_id), *_percent(version, achievement_id)],
    )


def _solo(version: PublishedVersion, achievement_id: str) -> list[ResultDescription]:
    if not version.shows_levels:
        return []
    written = {str(each.level): each for each in version.levels}
    levels = [
        RubricCriterionLevel(
            id=solo_level_id(achievement_id, level),
            name=written[level].name if level in written else level.label,
            level=level.label,
            points=str(level.rank),
            description=written[level].description if level in written else None,
        )
        for level in SoloLevel
    ]
    required = version.least_level
    return [
        ResultDescription(
            id=solo_id(achievement_id),
            name="SOLO level",
            result_type="RubricCriterionLevel",
            required_level=None if required is None else solo_level_id(achievement_id, required),
            rubric_criterion_level=levels,
        )
    ]


def _percent(version: PublishedVersion, achievement_id: str) -> list[ResultDescription]:
    if not version.shows_scores:
        return []
    return [
        ResultDescription(
            id=score_id(achievement_id),
            name="Score",
            result_type="Percent",
            required_value=None if version.required_score is None else number_text(version.required_score),
            value_min="0",
            value_max="100",
        )
    ]
