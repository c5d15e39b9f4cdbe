"""What a badge's picture tells: name, issuer and level, the same wherever the badge is shown."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from libs.openbadges.model.solo import SoloLevel


@dataclass(frozen=True, slots=True)
class Depiction:
    """The words that a picture is drawn from.

    Attributes:
        name: of the achievement.
        issuer: its name, as it stands in the credential.
        level: the SOLO level reached, or None where the result is none of levels.
    """

    name: str
    issuer: str
    level: SoloLevel | None = None

    @classmethod
    def of(cls, credential: Mapping[str, Any]) -> "Depiction":
        """Read a credential out; whatever is missing or of another kind than expected is left out, never an error.

        The level is read from the first result that reached one. Its author may have given it a name of his own;
        then `level` tells which of the taxonomy it is (Open Badges 3.0, class RubricCriterionLevel).
        """
        subject = _first(credential.get("credentialSubject"))
        achievement = _first(subject.get("achievement"))
        reached = next(_reached(achievement, subject), None)
        return cls(_text(achievement.get("name")), _text(_first(credential.get("issuer")).get("name")), reached)


def _reached(achievement: Mapping[str, Any], subject: Mapping[str, Any]) -> Iterator[SoloLevel | None]:
    described = {str(one.get("id")): one for one in _all(achievement.get("resultDescription"))}
    for result in _all(subject.get("result")):
        levels = _all(described.get(str(result.get("resultDescription")), {}).get("rubricCriterionLevel"))
        if levels and isinstance(result.get("achievedLevel"), str):
            yield next((_solo(level) for level in levels if level.get("id") == result["achievedLevel"]), None)


def _solo(level: Mapping[str, Any]) -> SoloLevel | None:
    for written in (level.get("level"), level.get("name")):
        with suppress(ValueError):
            return SoloLevel.parse(_text(written))
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _first(value: Any) -> Mapping[str, Any]:
    return next(iter(_all(value)), {})


def _all(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
