"""The route of achievement versions: what every credential names as its achievement can be looked up there."""

import re
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from libs.common.errors import NotAcceptableError, NotFoundError
from libs.openbadges.issue.achievements import achievement_address, published_achievement
from libs.openbadges.model.context_urls import CREDENTIALS_V2, OPEN_BADGES_V3
from libs.openbadges.model.documents import Achievement, Profile
from services.verifier.material.lookup import PublicRecords
from services.verifier.pages.answers import FOR_A_MINUTE, READ, as_it_is, read_responses
from services.verifier.pages.error_pages import HTML, ErrorPage, negotiate
from services.verifier.pages.pages import Pages

JSON, JSON_LD = "application/json", "application/ld+json"
# The page first: a client without preferences is a person who follows a link.
REPRESENTATIONS = (HTML, JSON_LD, JSON)

_ERROR_PAGE = ErrorPage(
    missing=(
        "There is no achievement here",
        "The link may have been cut off when it was copied. The badge that names it has the whole link.",
        "An achievement that was published moments ago can take a few seconds to appear.",
    ),
    unavailable=(
        "This achievement could not be looked up just now",
        "Our own records could not be reached. Try again in a moment.",
    ),
)
_SLUG = "[a-z0-9][a-z0-9-]{0,63}"
_KEY = re.compile(f"{_SLUG}/{_SLUG}/[1-9][0-9]{{0,9}}")


class AchievementApi:
    """The handler, with what it depends on."""

    def __init__(self, repository: PublicRecords, pages: Pages, *, public_base: str) -> None:
        self._repository = repository
        self._pages = pages
        self._public_base = public_base

    def router(self) -> APIRouter:
        """The one route."""
        router = APIRouter()
        router.add_api_route(
            "/achievements/{owner}/{achievement_id}/{version}",
            self.achievement,
            methods=READ,
            name="read_achievement_version",
            tags=["achievements"],
            response_class=Response,
            responses=read_responses(*REPRESENTATIONS, errors=(NotFoundError, NotAcceptableError), page=True),
        )
        return router

    async def achievement(
        self,
        request: Request,
        owner: Annotated[str, Path(description="the issuer that published it", examples=["wattle-grove"])],
        achievement_id: Annotated[str, Path(description="its id there", examples=["resilience"])],
        version: Annotated[str, Path(description="the number of the version", examples=["1"])],
    ) -> Response:
        """The version's page, or the Achievement as credentials carry it where the client prefers JSON."""

        async def make(representation: str) -> Response:
            found = await self._published(f"{owner}/{achievement_id}/{version}")
            if representation == HTML:
                return self._pages.achievement(found)
            return as_it_is(request, _json(found, representation), representation, FOR_A_MINUTE)

        return await negotiate(request, REPRESENTATIONS, make, self._pages, _ERROR_PAGE)

    async def _published(self, key: str) -> Achievement:
        version = await self._repository.achievement(key) if _KEY.fullmatch(key) else None
        # Its owner's profile is part of it, and may arrive a moment later.
        owner = None if version is None else await self._repository.organisation(version.owner)
        if version is None or owner is None:
            raise NotFoundError("there is no version of an achievement at this URL")
        creator = Profile(id=owner.did, name=owner.name, url=owner.url, email=owner.email)
        return published_achievement(version, achievement_address(self._public_base, key), creator)


def _json(achievement: Achievement, representation: str) -> bytes:
    """The Achievement, member for member as it stands in credentials; as JSON-LD with the context that it has there."""
    written = achievement.to_json()
    if representation == JSON_LD:
        written = {"@context": [CREDENTIALS_V2, OPEN_BADGES_V3], **written}
    return orjson.dumps(written)
