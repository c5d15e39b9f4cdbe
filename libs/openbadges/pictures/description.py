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
        level_name: what the achievement's author calls it; empty where that is as the taxonomy does.
    """

    name: str
    issuer: str
    level: SoloLevel | None = None
    level_name: str = ""

    @classmethod
    def of(cls, credential: Mapping[str, Any]) -> "Depiction":
        """Read a credential out; whatever is missing or of another kind than expected is left out, never an error.

        The level is read from the first result that reached one. Its author may have given it a name of their own,
        by which it is called wherever it is shown; then `level` tells which of the taxonomy it is (Open Badges 3.0,
        class RubricCriterionLevel).
        """
        subject = _first(credential.get("credentialSubject"))
        achievement = _first(subject.get("achievement"))
        level, written = next(_reached(achievement, subject), (None, ""))
        issuer = _text(_first(credential.get("issuer")).get("name"))
        return cls(_text(achievement.get("name")), issuer, level, own_name(level, written))


def own_name(level: SoloLevel | None, written: str) -> str:
    """Return what the author calls a level; empty where that is its name in the taxonomy, or there is none."""
    written = written.strip()
    return "" if level is None or written.casefold() == level.label.casefold() else written


def level_words(level: SoloLevel, own: str) -> str:
    """Return what a level is called wherever it is shown: by its author's name where it has one."""
    return own or level.label


def _reached(achievement: Mapping[str, Any], subject: Mapping[str, Any]) -> Iterator[tuple[SoloLevel | None, str]]:
    described = {str(one.get("id")): one for one in _all(achievement.get("resultDescription"))}
    for result in _all(subject.get("result")):
        levels = _all(described.get(str(result.get("resultDescription")), {}).get("rubricCriterionLevel"))
        if levels and isinstance(result.get("achievedLevel"), str):
            found = (level for level in levels if level.get("id") == result["achievedLevel"])
            yield next(((_solo(level), _text(level.get("name"))) for level in found), (None, ""))


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
