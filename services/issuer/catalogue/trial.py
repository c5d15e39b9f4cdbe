"""Tries what is to be published: credentials of it are written and prepared, and not signed. Pure.

What was published never changes, so what cannot be signed must not be published; the door asks the engine itself.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from libs.common.errors import InvalidRequestError
from libs.contracts.events import AchievementPublished, IssuerPublished
from libs.contracts.results import SoloLevel
from libs.openbadges.issue.achievements import number_text, published_achievement, score_id, solo_id
from libs.openbadges.issue.building import CredentialTemplate, Shown
from libs.openbadges.issue.signing import prepare
from libs.openbadges.model.errors import CredentialError
from services.issuer.credentials.sample import sample_achievement
from services.issuer.credentials.signer import issuer_profile

_BADGE: Final = "urn:uuid:00000000-0000-8000-8000-000000000001"
_LEARNER: Final = "urn:uuid:00000000-0000-8000-8000-000000000002"
_SCORES: Final = (0.0, 66.66666666666667, 100.0)


def try_achievement(version: AchievementPublished, owner: IssuerPublished, url: str, at: datetime) -> None:
    """Prepare a credential of this version for every result that can earn it.

    Raises:
        InvalidRequestError: there is none, or one cannot be signed.
    """
    try:
        profile = issuer_profile(owner)
        template = CredentialTemplate(profile, published_achievement(version, url, profile))
        results = list(_results(version, url))
        for shown in results:
            prepare(template.document(credential_id=_BADGE, subject_id=_LEARNER, valid_from=at, shown=[shown]))
        if version.rule is not None:
            # What names no level shows none.
            prepare(template.document(credential_id=_BADGE, subject_id=_LEARNER, valid_from=at, shown=[]))
    except CredentialError as error:
        raise InvalidRequestError(f"No credential of this can be signed: {error}") from None
    except ValidationError as error:
        where = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise InvalidRequestError(f"No credential of this can be signed; look at {where}.") from None
    if not results and version.rule is None:
        raise InvalidRequestError("No level and no score earns this achievement.")


def try_issuer(issuer: IssuerPublished, url: str, at: datetime) -> None:
    """Prepare a credential by this issuer, of an achievement that says little.

    Raises:
        InvalidRequestError: it cannot be signed.
    """
    try_achievement(sample_achievement(issuer.issuer_id, at), issuer, url, at)


def _results(version: AchievementPublished, url: str) -> Iterator[Shown]:
    least_level, least_score = version.least_level, version.required_score or 0.0
    if version.shows_levels:
        for level in SoloLevel:
            if least_level is None or level.rank >= least_level.rank:
                yield Shown(level=level.value, result_description_id=solo_id(url))
    if version.shows_scores:
        for score in {*_SCORES, least_score}:
            if score >= least_score:
                yield Shown(value=number_text(score), result_description_id=score_id(url))
