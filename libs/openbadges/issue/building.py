"""Building a credential that is hard to get wrong: the issuer and achievement once, then one award after another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.openbadges.model import times
from libs.openbadges.model.context_urls import CREDENTIALS_V2, OPEN_BADGES_V3
from libs.openbadges.model.documents import Achievement, Evidence, Profile, ResultDescription, RubricCriterionLevel
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.solo import SoloLevel, solo_level


def solo_level_id(achievement_id: str, level: str) -> str:
    """Name one level of an achievement.

    Raises:
        CredentialError: not a SOLO level.
    """
    return f"{achievement_id}#{solo_level(level).replace('_', '-')}"


def solo_result_description(
    achievement_id: str, *, required_level: str, descriptions: dict[str, str], name: str = "SOLO level"
) -> ResultDescription:
    """Describe results on the SOLO taxonomy: five levels, lowest first, points 0 to 4.

    Args:
        achievement_id: whose results these are; the ids of levels hang on it.
        required_level: the lowest level that earns the achievement.
        descriptions: level to what a teacher sees at it; levels may be left out.
        name: what people call the scale.
    """
    return ResultDescription(
        id=f"{achievement_id}#solo",
        name=name,
        result_type="RubricCriterionLevel",
        required_level=solo_level_id(achievement_id, required_level),
        rubric_criterion_level=[
            RubricCriterionLevel(
                id=solo_level_id(achievement_id, level),
                name=level.label,
                level=level.label,
                points=str(level.rank),
                description=descriptions.get(level),
            )
            for level in SoloLevel
        ],
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a learner showed: a level, a score, or both.

    Attributes:
        level: a SOLO level's name, of an achievement described by `solo_result_description`.
        value: a score as text, of the described result `result_description_id`.
        result_description_id: which of the achievement's results; may be left out if it has only one.
    """

    level: str | None = None
    value: str | None = None
    result_description_id: str | None = None


class CredentialTemplate:
    """All that awards of one achievement by one issuer have in common.

    The issuer and the achievement are checked once, here; each document is then a new dict that shares nothing
    that an award could change.
    """

    def __init__(self, issuer: Profile, achievement: Achievement) -> None:
        """Take the issuer's and the achievement's text as every credential will repeat it."""
        self._issuer = issuer.to_json()
        self._achievement = achievement.to_json()
        self._achievement_id = achievement.id
        self._name = achievement.name
        self._results = {
            result.id: {level.id for level in result.rubric_criterion_level or []}
            for result in achievement.result_description or []
        }

    def document(
        self,
        *,
        credential_id: str,
        subject_id: str,
        valid_from: datetime,
        awarded: datetime | None = None,
        valid_until: datetime | None = None,
        shown: Sequence[Shown] = (),
        evidence: Sequence[Evidence | dict[str, Any]] = (),
        status: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        narrative: str | None = None,
        activity_end: datetime | None = None,
        name: str | None = None,
        image: str | None = None,
    ) -> dict[str, Any]:
        """Write one award as an unsigned credential.

        Args:
            credential_id: an absolute IRI, `urn:uuid:…` or the badge's page.
            subject_id: an absolute IRI for the learner, without anything personal in it.
            valid_from: from when; with a zone.
            awarded: when it was earned, if that is another moment.
            valid_until: until when, if it ends.
            shown: results, each on one of the achievement's result descriptions.
            evidence: what it rests on.
            status: entries from `bitstring.entry`.
            narrative: how this learner earned it.
            activity_end: when what earned it was completed; with a zone (Open Badges 3.0, `activityEndDate`).
            name: what the credential is called, if not as the achievement.
            image: address or data URL of the badge's picture.

        Raises:
            CredentialError: a level or result that the achievement does not describe; a moment without a zone;
                an end before the beginning.
        """
        if valid_until is not None and valid_until <= valid_from:
            raise CredentialError("dates_reversed", "The credential would end before it begins.", "/validUntil")
        subject: dict[str, Any] = {"id": subject_id, "type": ["AchievementSubject"], "achievement": self._achievement}
        if shown:
            subject["result"] = [self._result(one) for one in shown]
        if narrative:
            subject["narrative"] = narrative
        if activity_end is not None:
            subject["activityEndDate"] = times.write(activity_end)
        document: dict[str, Any] = {
            "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
            "id": credential_id,
            "type": ["VerifiableCredential", "OpenBadgeCredential"],
            "name": name or self._name,
            "issuer": self._issuer,
            "validFrom": times.write(valid_from),
            "credentialSubject": subject,
        }
        if awarded is not None:
            document["awardedDate"] = times.write(awarded)
        if valid_until is not None:
            document["validUntil"] = times.write(valid_until)
        if evidence:
            document["evidence"] = [one.to_json() if isinstance(one, Evidence) else one for one in evidence]
        if status:
            document["credentialStatus"] = status if isinstance(status, dict) else list(status)
        if image:
            document["image"] = {"id": image, "type": "Image"}
        return document

    def _result(self, shown: Shown) -> dict[str, Any]:
        described = shown.result_description_id
        if described is None:
            if len(self._results) != 1:
                raise CredentialError("result_unclear", f"Say which of {len(self._results)} results this is.")
            described = next(iter(self._results))
        if described not in self._results:
            raise CredentialError("result_unknown", f"The achievement describes no result {described}.")
        result: dict[str, Any] = {"type": ["Result"], "resultDescription": described}
        if shown.level is not None:
            level = solo_level_id(self._achievement_id, shown.level)
            if level not in self._results[described]:
                raise CredentialError("level_unknown", f"The result {described} has no level {level}.")
            result["achievedLevel"] = level
        if shown.value is not None:
            result["value"] = shown.value
        if len(result) == 2:
            raise CredentialError("result_empty", "A result needs a level or a value.")
        return result
